"""English, as guards know it."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.english import opposites, synonyms, words
from actors.caches.l3.guards.english.forms import adjective, is_participle, noun, verb
from actors.caches.l3.guards.english.guarded import GUARDED
from actors.caches.l3.guards.english.order import arranged
from actors.caches.l3.guards.english.phrases import PHRASES
from actors.caches.l3.guards.language import Language, Synonyms

ENGLISH: Final = Language(
    code="en",
    marks=frozenset(
        (
            "the and of to is are what how where which who why when my your does did can could would should "
            "have has for with from by not please it this that you they be if show find list there were been "
            "their our his her than then them these those about into any every without between delete reset "
            "remove create open close get send set give tell make explain write translate"
        ).split()
    ),
    numerals=words.NUMERALS,
    guarded=GUARDED,
    silent=frozenset({"the"}),
    polite=frozenset({"please", "kindly", "pls", "plz"}),
    contractions=words.CONTRACTIONS,
    suffixes=words.SUFFIXES,
    leaves_open=is_participle,
    phrases=PHRASES,
    synonyms=(
        Synonyms(table=synonyms.VERBS, inflect=verb),
        Synonyms(table=synonyms.NOUNS, inflect=noun),
        Synonyms(table=synonyms.ADJECTIVES, inflect=adjective),
        Synonyms(table=synonyms.OTHERS),
    ),
    opposites=(
        Synonyms(table=opposites.VERBS, inflect=verb),
        Synonyms(table=opposites.NOUNS, inflect=noun),
        Synonyms(table=opposites.ADJECTIVES, inflect=adjective),
        Synonyms(table=opposites.OTHERS),
    ),
    negating_prefixes=("un", "in", "im", "il", "ir", "dis", "non", "mis", "de", "anti", "counter"),
    negating_suffixes=("ful", "less", ""),
    mentions=frozenset(words.MENTIONS),
    labels=frozenset(words.LABELS),
    case_matters=frozenset(words.CASE_MATTERS),
    has_capital_nouns=False,
    units=words.UNITS,
    months=words.MONTHS,
    doubtful_months=frozenset(
        {"may", "march", "august", "jan", "mar", "jun", "sep", "dec", "oct", "nov", "apr"}
    ),
    date_joiners=frozenset({"of"}),
    clocks={"am": 0, "pm": 12},
    auxiliaries=frozenset("be was have had do did can could will would may might must should shall".split()),
    empty_auxiliaries=frozenset({"do"}),
    asking={
        **dict.fromkeys(("who", "whom", "where", "when", "why", "how-often", "how-far", "yes-no"), "alone"),
        **dict.fromkeys(("what", "how-old"), "what"),
        **dict.fromkeys(("how", "how-long"), "how"),
    },
    full_verbs=frozenset({"do", "have"}),
    frontable=frozenset({"in", "on"}),
    arrange=arranged,
)
