"""German, as guards know it."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.german import opposites, synonyms, words
from actors.caches.l3.guards.german.forms import adjective, noun, verb
from actors.caches.l3.guards.german.guarded import GUARDED
from actors.caches.l3.guards.german.order import arranged
from actors.caches.l3.guards.german.phrases import PHRASES
from actors.caches.l3.guards.language import Language, Synonyms

GERMAN: Final = Language(
    code="de",
    marks=frozenset(
        (
            "der die das und ist sind wie ich nicht ein eine einen einem einer mit für von auf dem zu wer "
            "wo wann warum kann mein meine meinen sie wir im zum zur vom beim bei nach über unter aus oder "
            "wenn ob als keine kein mich dich uns heute gestern welche welcher welches wird werden wurde "
            "haben habe muss soll darf mir bitte sich auch nur noch alle viele gibt lösche zeige erkläre "
            "übersetze öffne seit um bis vor durch ohne dass sein ihre wieso weshalb wem wen wohin womit"
        ).split()
    ),
    numerals=words.NUMERALS,
    guarded=GUARDED,
    silent=frozenset(),
    polite=frozenset({"bitte"}),
    contractions=words.CONTRACTIONS,
    suffixes={},
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
    negating_prefixes=("un", "in", "im", "il", "ir", "des", "dis", "miss", "nicht", "ent", "anti", "a"),
    negating_suffixes=("los", "lose", "voll", "volle", "reich", ""),
    mentions=frozenset(words.MENTIONS),
    labels=frozenset(words.LABELS),
    case_matters=frozenset(words.CASE_MATTERS),
    has_capital_nouns=True,
    units=words.UNITS,
    months=words.MONTHS,
    clocks={"uhr": -1},
    auxiliaries=frozenset(
        "ist war hat hatte wird wurde wäre hätte würde kann könnte konnte muss müsste musste soll sollte darf "
        "dürfte will wollte mag möchte".split()
    ),
    asking=dict.fromkeys(
        (
            "wer wen wem was wo wohin woher wann warum womit wofür wozu wie-alt wie-weit "
            "wie-oft wie-lange yes-no"
        ).split(),
        "alone",
    ),
    arrange=arranged,
)
