"""Pairs of texts that ask the same in other words: groups by hand, and tasks within frames that say no more."""

from __future__ import annotations

from collections.abc import Iterator

from mutation_pairs import Pair, lines

#: ways to ask how something is done
FRAMES = {
    "en": (
        "How do I {}?",
        "Please tell me how I can {}.",
        "What are the steps to {}?",
        "Hi, could you explain how to {}?",
        "I would like to know how to {}.",
    ),
    "de": (
        "Wie kann ich {}?",
        "Hallo, wie kann man {}?",
        "Könnten Sie mir bitte erklären, wie ich {} kann?",
        "Ich weiß nicht, wie ich {} kann.",
    ),
}
TASKS = {
    "en": (
        "change the language of my phone",
        "block a number on Android",
        "restore a deleted e-mail",
        "connect two monitors to a laptop",
        "apply for a student visa in Canada",
        "remove a stain from a white shirt",
        "declare an array in Rust",
        "renew my driving licence",
        "join two tables in SQL without duplicates",
        "split a string at every comma",
        "track order 4711",
        "pay with a voucher",
        "reverse a linked list",
        "update the firmware of my router to version 2.4.1",
    ),
    "de": (
        "die Sprache meines Handys ändern",
        "eine Nummer unter Android sperren",
        "eine gelöschte E-Mail wiederherstellen",
        "zwei Monitore an den Laptop anschließen",
        "einen Reisepass beantragen",
        "einen Fleck aus einem weißen Hemd entfernen",
        "in Rust ein Array deklarieren",
        "meinen Führerschein verlängern",
        "zwei Tabellen in SQL ohne Duplikate verbinden",
        "die Bestellung 4711 verfolgen",
        "mit einem Gutschein zahlen",
        "die Firmware meines Routers auf Version 2.4.1 aktualisieren",
        "meine Adresse im Kundenkonto ändern",
        "ein Paket nach Polen schicken",
    ),
}


def paraphrases() -> list[Pair]:
    """Texts of which the second asks the same as the first; their kind is `paraphrase` or `frame`."""
    by_hand = [
        Pair(one, other, "paraphrase", code)
        for code in ("en", "de")
        for one, other in _grouped(f"paraphrases_{code}.txt")
    ]
    return by_hand + [
        Pair(frames[0].format(task), other.format(task), "frame", code)
        for code, frames in FRAMES.items()
        for task in TASKS[code]
        for other in frames[1:]
    ]


def held_out_paraphrases() -> list[Pair]:
    """Texts that ask the same, written when the guards were done."""
    return [Pair(one, other, "paraphrase", "") for one, other in _grouped("held_out_paraphrases.txt")]


def _grouped(name: str) -> Iterator[tuple[str, str]]:
    """The first of each group with each other of it."""
    for line in lines(name):
        first, *others = [part.strip() for part in line.split(" | ")]
        yield from ((first, other) for other in others)
