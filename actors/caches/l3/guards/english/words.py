"""Numbers, units, months and contractions of English, and words beside which nothing is a synonym."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.numbers import Numerals

_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS: Final = (
    "zeroth first  third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split(" ")

NUMERALS: Final = Numerals(
    group=",",
    decimal=".",
    units={word: value for value, word in enumerate(_UNITS)} | {"dozen": 12},
    tens={word: 10 * value for value, word in enumerate(_TENS, 2)},
    hundreds=frozenset({"hundred"}),
    scales={"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    joiners=frozenset({"and"}),
    articles=frozenset({"a"}),
    ordinals={word: value for value, word in enumerate(_ORDINALS) if word},
)

_WITH_NOT: Final = "do does did is are was were have has had could would should might must need".split()
_WITH_IS: Final = "what who where when how why that it he she there here which".split()
CONTRACTIONS: Final = {
    **{f"{word}'s": f"{word} is" for word in _WITH_IS},
    **{f"{word}n't": f"{word} not" for word in _WITH_NOT},
    "can't": "can not",
    "cannot": "can not",
    "won't": "will not",
    "shan't": "shall not",
    "let's": "let us",
    "gonna": "going to",
    "wanna": "want to",
    "cant": "can not",
    "dont": "do not",
    "doesnt": "does not",
    "didnt": "did not",
    "isnt": "is not",
    "whats": "what is",
    "wheres": "where is",
    "im": "i am",
}
SUFFIXES: Final = {"'re": "are", "'ll": "will", "'ve": "have", "'m": "am", "'s": "'s", "'d": "'d"}

_UNIT_TABLE: Final = """
km kilometre kilometres kilometer kilometers
metre metres meter meters
cm centimetre centimetres centimeter centimeters
mm millimetre millimetres millimeter millimeters
mile miles mi
foot feet ft
inch inches
yard yards
kg kilogram kilograms kilo kilos
gram grams
mg milligram milligrams
pound pounds lb lbs
ounce ounces oz
tonne tonnes
ton tons
litre litres liter liters
ml millilitre millilitres milliliter milliliters
gallon gallons
pint pints
cup cups
ms millisecond milliseconds msec
µs us microsecond microseconds
ns nanosecond nanoseconds
second seconds sec secs s
minute minutes min mins
hour hours hr hrs h
day days
week weeks
month months
year years yr yrs
byte bytes
kilobyte kilobytes KB kB kb
megabyte megabytes MB mb
gigabyte gigabytes GB gb
terabyte terabytes TB tb
KiB kibibyte kibibytes
MiB mebibyte mebibytes
GiB gibibyte gibibytes
bit bits
megabit megabits Mbit
gigabit gigabits Gbit
kbps kbit/s
Mbps mbps
Gbps gbps
Hz hertz
kHz kilohertz
MHz megahertz
GHz gigahertz
W watt watts
kW kilowatt kilowatts
MW megawatt megawatts
mW milliwatt milliwatts
kWh kilowatt-hour kilowatt-hours
V volt volts
A ampere amperes amp amps
°C celsius
°F fahrenheit
kelvin
dollar dollars
USD usd
euro euros EUR eur
GBP gbp
CHF
yen
cent cents
percent
px pixel pixels
mph
"""
UNITS: Final = {
    form: row.split()[0] for row in _UNIT_TABLE.strip().splitlines() for form in row.split() if form != "us"
}

_MONTHS: Final = "january february march april may june july august september october november december".split()
MONTHS: Final = {word: value for value, word in enumerate(_MONTHS, 1)} | {
    word[:3]: value for value, word in enumerate(_MONTHS, 1)
}

MENTIONS: Final = """
difference differences differ differs different vs versus compare comparison compared better worse or mean
means meaning meant definition define synonym synonyms spell spelling spelled pronounce pronounced
pronunciation translate translated translation word phrase same called named say rhyme rhymes plural verb
noun grammar
""".split()
LABELS: Final = """
click press hit tap select choose type enter button option menu tab key command function method keyword
column field label flag class variable parameter module package tag named called
""".split()
CASE_MATTERS: Final = """
us it who am or is in may march august polish china turkey apple windows word access amazon oracle shell
target gap orange visa mercury jordan georgia chad reading nice go rust swift pearl basic scheme ada c meta
alphabet firefly spring vision watson alexa cortana bill mark will rob art grace hope faith joy rose lily
jack frank earnest rich dick drew chase grant lance pat sue penny ray sandy victor wade cliff dale glen
heath bath cork hull sandwich cologne rice bush ford lincoln king pope prince queen bishop baker cook signal
telegram box square stripe lift bolt sky fox times guardian mirror economist nature science cell time life
people fortune money match tinder bing ask bard gemini claude llama falcon mistral cohere titan aim aids pin
sim ram rom pet cat scan can led
""".split()
