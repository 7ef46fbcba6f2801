"""A stream of questions of which the right answers are known: what people ask a help desk, in their own words.

Each question is an intent with what it is about: an order, a city, a plan, a number of days. Its answer names
both, so two questions have the same answer if and only if they mean the same. Many intents stand beside one
that is nearly the same in words and not in meaning (turn on, turn off), and what they are about differs in a
number or a name, so most near neighbours are wrong. What is asked follows Zipf's law, as questions do.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

ORDERS: Final = tuple(str(4700 + 13 * number) for number in range(24))
CITIES: Final = (
    *("Paris", "Rome", "Oslo", "Lisbon", "Vienna", "Prague", "Madrid", "Dublin", "Athens", "Warsaw", "Berlin"),
    *("Hamburg", "Zurich", "Geneva", "Porto", "Milan"),
)
PLANS: Final = ("Basic", "Plus", "Pro", "Team", "Enterprise")
DAYS: Final = ("2 days", "3 days", "5 days", "7 days", "10 days", "14 days", "30 days")
NONE: Final = ("",)

#: what it is, what it may be about, and how people say it
INTENTS: Final[tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]] = (
    (
        "where",
        ORDERS,
        (
            "where is order {x}",
            "where is my order {x}",
            "please tell me where order {x} is",
            "can you tell me where order {x} is",
            "Where is order {x}?",
            "where's order {x}",
        ),
    ),
    (
        "cancel",
        ORDERS,
        (
            "cancel order {x}",
            "please cancel order {x}",
            "could you cancel order {x}",
            "I want to cancel order {x}",
            "Cancel order {x}, please",
            "can you cancel my order {x}",
        ),
    ),
    (
        "keep",
        ORDERS,
        (
            "do not cancel order {x}",
            "please do not cancel order {x}",
            "don't cancel order {x}",
            "Do not cancel my order {x}, please",
        ),
    ),
    (
        "invoice",
        ORDERS,
        (
            "send me the invoice for order {x}",
            "please send me the invoice for order {x}",
            "could you send me the invoice for order {x}",
            "send the invoice for order {x}",
            "Send me the invoice for my order {x}",
        ),
    ),
    (
        "weather",
        CITIES,
        (
            "what is the weather in {x}",
            "what's the weather in {x}",
            "weather in {x}",
            "please tell me the weather in {x}",
            "What is the weather in {x} like?",
            "can you tell me what the weather is in {x}",
        ),
    ),
    (
        "office",
        CITIES,
        (
            "where is your office in {x}",
            "where's your office in {x}",
            "address of your office in {x}",
            "please tell me where your office in {x} is",
            "what is the address of your office in {x}",
        ),
    ),
    (
        "open",
        CITIES,
        (
            "when does the shop in {x} open",
            "please tell me when the shop in {x} opens",
            "When does your shop in {x} open?",
            "can you tell me when the shop in {x} opens",
        ),
    ),
    (
        "close",
        CITIES,
        (
            "when does the shop in {x} close",
            "please tell me when the shop in {x} closes",
            "When does your shop in {x} close?",
            "can you tell me when the shop in {x} closes",
        ),
    ),
    (
        "upgrade",
        PLANS,
        (
            "upgrade me to the {x} plan",
            "please upgrade me to {x}",
            "I want to upgrade to the {x} plan",
            "could you upgrade me to the {x} plan",
            "Upgrade my plan to {x}, please",
        ),
    ),
    (
        "downgrade",
        PLANS,
        (
            "downgrade me to the {x} plan",
            "please downgrade me to {x}",
            "I want to downgrade to the {x} plan",
            "could you downgrade me to the {x} plan",
        ),
    ),
    (
        "price",
        PLANS,
        (
            "how much is the {x} plan",
            "what does the {x} plan cost",
            "how much does the {x} plan cost",
            "price of the {x} plan",
            "what is the price of the {x} plan",
            "How much is the {x} plan?",
        ),
    ),
    (
        "pause",
        DAYS,
        (
            "pause my subscription for {x}",
            "please pause my subscription for {x}",
            "I want to pause my subscription for {x}",
            "could you pause my subscription for {x}",
        ),
    ),
    (
        "extend",
        DAYS,
        (
            "extend my trial by {x}",
            "please extend my trial by {x}",
            "could you extend my trial by {x}",
            "can you extend my trial by {x}",
            "I want to extend my trial by {x}",
        ),
    ),
    (
        "on",
        NONE,
        (
            "turn on notifications",
            "please turn on notifications",
            "switch on notifications",
            "enable notifications",
            "could you turn on notifications",
            "please enable notifications",
        ),
    ),
    (
        "off",
        NONE,
        (
            "turn off notifications",
            "please turn off notifications",
            "switch off notifications",
            "disable notifications",
            "could you turn off notifications",
            "please disable notifications",
        ),
    ),
    (
        "password",
        NONE,
        (
            "reset my password",
            "please reset my password",
            "could you reset my password",
            "I want to reset my password",
            "how do I reset my password",
            "Reset my password, please",
        ),
    ),
    (
        "delete",
        NONE,
        (
            "delete my account",
            "please delete my account",
            "I want to delete my account",
            "could you delete my account",
            "remove my account",
            "please remove my account",
        ),
    ),
    (
        "wo",
        ORDERS,
        (
            "wo ist Bestellung {x}",
            "wo ist meine Bestellung {x}",
            "bitte sag mir, wo Bestellung {x} ist",
            "Wo ist die Bestellung {x}?",
            "kannst du mir sagen, wo Bestellung {x} ist",
        ),
    ),
    (
        "storno",
        ORDERS,
        (
            "storniere Bestellung {x}",
            "bitte storniere Bestellung {x}",
            "ich möchte Bestellung {x} stornieren",
            "kannst du Bestellung {x} stornieren",
        ),
    ),
    (
        "wetter",
        CITIES,
        (
            "wie ist das Wetter in {x}",
            "Wie ist das Wetter in {x}?",
            "Wetter in {x}",
            "bitte sag mir, wie das Wetter in {x} ist",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    #: the right answer
    answer: str


def stream(count: int, seed: int) -> list[Question]:
    """So many questions."""
    random = Random(seed)
    meant = [(name, about, ways) for name, abouts, ways in INTENTS for about in abouts]
    random.shuffle(meant)
    weights = [1 / (rank + 3) for rank in range(len(meant))]
    found = []
    for name, about, ways in random.choices(meant, weights, k=count):
        text = random.choice(ways).format(x=about)
        found.append(Question(text + random.choice(("", "", "", ".", "!")), f"{name} {about}"))
    return found
