"""Numbers, units, months and contractions of German, and words beside which nothing is a synonym."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.numbers import Numerals

_UNITS: Final = (
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn "
    "siebzehn achtzehn neunzehn"
).split()
_TENS: Final = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_ORDINALS: Final = (
    "erst zweit dritt viert fünft sechst siebt acht neunt zehnt elft zwölft dreizehnt vierzehnt fünfzehnt "
    "sechzehnt siebzehnt achtzehnt neunzehnt zwanzigst"
).split()


def _below_hundred(number: int) -> str:
    if number < 20:
        return _UNITS[number]
    ten, one = divmod(number, 10)
    return (f"{_UNITS[one]}und" if one else "") + _TENS[ten - 2]


def _below_million(number: int, *, last: bool = True) -> str:
    """A number as one word: `zweitausenddreihunderteins`."""
    if number >= 1000:
        high, low = divmod(number, 1000)
        return _below_million(high, last=False) + "tausend" + (_below_million(low) if low else "")
    if number >= 100:
        high, low = divmod(number, 100)
        return f"{_UNITS[high]}hundert" + (_below_million(low, last=last) if low else "")
    return "eins" if number == 1 and last else _below_hundred(number)


def _words() -> dict[str, int]:
    numbers = [*range(1, 1000), *range(1000, 10_000, 50), *range(1900, 2100), *range(10_000, 1_000_000, 5000)]
    made = {_below_million(number): number for number in numbers}
    made |= {word.removeprefix("ein"): made[word] for word in ("einhundert", "eintausend")}
    # years are said in hundreds
    made |= {
        f"{_below_hundred(high)}hundert{_below_million(low) if low else ''}": high * 100 + low
        for high in range(11, 20)
        for low in range(100)
    }
    return made | {word.replace("ß", "ss"): number for word, number in made.items()} | {"dutzend": 12}


NUMERALS: Final = Numerals(
    group=".",
    decimal=",",
    units=_words(),
    scales={
        "tausend": 10**3,
        "million": 10**6,
        "millionen": 10**6,
        "mio": 10**6,
        "milliarde": 10**9,
        "milliarden": 10**9,
        "mrd": 10**9,
        "billion": 10**12,
        "billionen": 10**12,
    },
    articles=frozenset({"eine"}),
    ordinals={
        stem + end: value
        for value, stem in enumerate(_ORDINALS, 1)
        for end in ("e", "en", "er", "es", "em")
        if value > 1 or end in ("e", "es")
    },
)

CONTRACTIONS: Final = {
    "im": "in dem",
    "am": "an dem",
    "zum": "zu dem",
    "zur": "zu der",
    "beim": "bei dem",
    "vom": "von dem",
    "ins": "in das",
    "ans": "an das",
    "aufs": "auf das",
    "fürs": "für das",
    "übers": "über das",
    "gibt's": "gibt es",
    "gibts": "gibt es",
    "geht's": "geht es",
    "gehts": "geht es",
    "ist's": "ist es",
    "wie's": "wie es",
    "wer's": "wer es",
    "hab": "habe",
    "kanns": "kann es",
    "kann's": "kann es",
}

_UNIT_TABLE: Final = """
km kilometer kilometern
metre meter metern m
cm zentimeter zentimetern
mm millimeter millimetern
meile meilen
fuß
zoll
kg kilogramm kilo
gramm g
mg milligramm
pfund
tonne tonnen
liter l litern
ml milliliter
ms millisekunde millisekunden
µs mikrosekunde mikrosekunden
ns nanosekunde nanosekunden
sekunde sekunden sek s
minute minuten min
stunde stunden h std
tag tage tagen
woche wochen
monat monate monaten
jahr jahre jahren
byte bytes
KB kilobyte kB kb
MB megabyte mb
GB gigabyte gb
TB terabyte tb
bit bits
Mbit megabit
Gbit gigabit
Hz hertz
kHz kilohertz
MHz megahertz
GHz gigahertz
W watt
kW kilowatt
MW megawatt
kWh kilowattstunde kilowattstunden
V volt
A ampere
°C celsius
°F fahrenheit
kelvin
dollar
USD
euro EUR eur
CHF franken
yen
cent
percent prozent
px pixel pixeln
grad
"""
UNITS: Final = {form: row.split()[0] for row in _UNIT_TABLE.strip().splitlines() for form in row.split()}

_MONTHS: Final = "januar februar märz april mai juni juli august september oktober november dezember".split()
MONTHS: Final = {word: value for value, word in enumerate(_MONTHS, 1)} | {"jänner": 1, "feber": 2, "maerz": 3}

MENTIONS: Final = """
unterschied unterschiede unterscheiden unterscheidet unterscheidung vergleich vergleiche vergleichen versus
vs oder bedeutet bedeutung bedeutungen definition synonym synonyme buchstabiert schreibt ausgesprochen
aussprache übersetze übersetzung übersetzen übersetz wort wörter begriff begriffe heißt genannt plural
mehrzahl reimt sagt gleiche dasselbe besser
""".split()
LABELS: Final = """
klicke klick klicken drücke drücken tippe wähle taste knopf schaltfläche button option menü menüpunkt reiter
befehl funktion methode schlüsselwort spalte feld klasse variable parameter modul paket namens kommando
""".split()
CASE_MATTERS: Final = """
sie ihnen ihr ihre ihren ihrem ihrer it us who essen arm reich würde dank band morgen weg gut schweizer
""".split()

#: what is asked for → its stem; as a request it is said with that
REQUESTS: Final = dict(
    pair.split("/")
    for pair in """
zeigen/zeig nennen/nenn erklären/erklär schreiben/schreib löschen/lösch suchen/such finden/find
berechnen/berechne übersetzen/übersetz geben/gib lesen/lies helfen/hilf nehmen/nimm öffnen/öffne
schließen/schließ starten/start stoppen/stopp beenden/beend erstellen/erstell buchen/buch
stornieren/stornier kündigen/kündige sortieren/sortier zählen/zähl vergleichen/vergleich prüfen/prüf
überprüfen/überprüf senden/send schicken/schick kopieren/kopier verschieben/verschieb entfernen/entfern
installieren/installier aktualisieren/aktualisier beschreiben/beschreib empfehlen/empfiehl bestellen/bestell
speichern/speicher ändern/ändere sperren/sperr entsperren/entsperr drucken/druck exportieren/exportier
importieren/importier erhöhen/erhöh senken/senk
""".split()
)
