"""Inflection of German, as far as tables need it. Nouns say their plural: `fehler/fehler`, `nutzer/`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

#: infinitive, third person present, preterite, participle
_STRONG: Final = {
    row.split()[0]: row.split()[1:]
    for row in """
beginnen beginnt begann begonnen
bieten bietet bot geboten
bitten bittet bat gebeten
bleiben bleibt blieb geblieben
brechen bricht brach gebrochen
bringen bringt brachte gebracht
denken denkt dachte gedacht
essen isst aß gegessen
fahren fährt fuhr gefahren
fallen fällt fiel gefallen
finden findet fand gefunden
fliegen fliegt flog geflogen
geben gibt gab gegeben
gehen geht ging gegangen
gewinnen gewinnt gewann gewonnen
halten hält hielt gehalten
heben hebt hob gehoben
helfen hilft half geholfen
kennen kennt kannte gekannt
kommen kommt kam gekommen
laden lädt lud geladen
lassen lässt ließ gelassen
laufen läuft lief gelaufen
leihen leiht lieh geliehen
lesen liest las gelesen
liegen liegt lag gelegen
messen misst maß gemessen
nehmen nimmt nahm genommen
nennen nennt nannte genannt
rufen ruft rief gerufen
scheiden scheidet schied geschieden
schieben schiebt schob geschoben
schlafen schläft schlief geschlafen
schlagen schlägt schlug geschlagen
schließen schließt schloss geschlossen
schneiden schneidet schnitt geschnitten
schreiben schreibt schrieb geschrieben
schwimmen schwimmt schwamm geschwommen
sehen sieht sah gesehen
senden sendet sendete gesendet
singen singt sang gesungen
sinken sinkt sank gesunken
sprechen spricht sprach gesprochen
springen springt sprang gesprungen
stehen steht stand gestanden
steigen steigt stieg gestiegen
sterben stirbt starb gestorben
tragen trägt trug getragen
treffen trifft traf getroffen
treten tritt trat getreten
trinken trinkt trank getrunken
tun tut tat getan
vergessen vergisst vergaß vergessen
verlieren verliert verlor verloren
wachsen wächst wuchs gewachsen
werfen wirft warf geworfen
wissen weiß wusste gewusst
ziehen zieht zog gezogen
zwingen zwingt zwang gezwungen
bewerben bewirbt bewarb beworben
empfehlen empfiehlt empfahl empfohlen
genießen genießt genoss genossen
bestreiten bestreitet bestritt bestritten
""".strip().splitlines()
}
SEPARABLE: Final = (
    *("zusammen", "zurück", "herunter", "hinunter", "herauf", "hinauf", "hinzu", "heraus", "hinaus", "herein"),
    *("wieder", "weiter", "vorbei", "fest", "frei", "fort", "hoch", "los", "nach", "nieder", "statt", "teil"),
    *(
        "unter",
        "über",
        "um",
        "ab",
        "an",
        "auf",
        "aus",
        "bei",
        "ein",
        "her",
        "hin",
        "mit",
        "vor",
        "weg",
        "zu",
        "bereit",
    ),
)
_INSEPARABLE: Final = ("be", "emp", "ent", "er", "ge", "miss", "ver", "zer", "über", "unter", "wider")


def verb(word: str) -> Iterator[tuple[str, str]]:
    """Forms of a verb that stand in one piece. A separable one is written with a bar: `zurück|setzen`."""
    particle, bar, base = word.partition("|")
    if not bar:
        particle, base = "", word
    present, past, participle = _principal(base)
    yield particle + base, ""
    yield particle + present, "t"
    yield particle + past, "past"
    if participle not in (present, base):
        yield particle + participle, "ed"
    stem = base.removesuffix("en") if base.endswith("en") else base.removesuffix("n")
    yield (f"{particle}zu{base}", "zu") if particle else (stem + "ende", "ende")
    yield particle + stem + ("e" if base.endswith("en") else ""), "e"


def _principal(base: str) -> tuple[str, str, str]:
    if base in _STRONG:
        present, past, participle = _STRONG[base]
        return present, past, participle
    for prefix in _INSEPARABLE:
        rest = base.removeprefix(prefix)
        if rest != base and rest in _STRONG:
            present, past, participle = _STRONG[rest]
            return prefix + present, prefix + past, prefix + participle.removeprefix("ge")
    stem = base.removesuffix("en") if base.endswith("en") else base.removesuffix("n")
    link = "e" if stem.endswith(("t", "d", "chn", "ffn", "gn")) else ""
    is_open = not base.endswith("ieren") and not base.startswith(_INSEPARABLE)
    return stem + link + "t", stem + link + "te", ("ge" if is_open else "") + stem + link + "t"


def noun(word: str) -> Iterator[tuple[str, str]]:
    """Singular, genitive and plural: `fehler/fehler`; a plural that is as the singular is not told from it."""
    singular, bar, plural = word.partition("/")
    yield singular, ""
    if bar and plural and plural != singular:
        yield plural, "pl"
        if not plural.endswith(("n", "s")):
            yield plural + "n", "pl dat"


def adjective(word: str) -> Iterator[tuple[str, str]]:
    """An adjective with its endings and its comparison: `alt/ält`."""
    base, bar, compared = word.partition("/")
    compared = compared if bar else base
    stem = base.removesuffix("el") + "l" if base.endswith("el") else base
    yield base, ""
    for end in ("e", "en", "er", "es", "em"):
        yield stem + end, end
    yield compared + "er", "er more"
    superlative = compared + ("est" if compared.endswith(("t", "d", "s", "ß", "z", "sch")) else "st")
    yield from ((superlative + end, f"st {end}") for end in ("e", "en", "er", "es", "em"))
