"""Words of German that are never read as others: of the words on a line the first stands for all.

Articles stay as they are, for they say who does what to whom: `der Hund beißt den Mann` is not `den Hund beißt
der Mann`.
"""

from typing import Final

GUARDED: Final = {
    "negation": """
nicht
nie niemals
nein
kein
keine
keinen
keinem
keiner
keines
niemand
niemanden
niemandem
nichts
nirgends nirgendwo
weder
noch
ohne
kaum
statt anstatt
außer
""",
    "scope": """
alle
allen
aller
alles
jede
jeder
jedes
jeden
jedem
manche
mancher
einige
einigen
mehrere
mehreren
wenige
wenigen
wenig
viele
vielen
viel
mehr
meisten
weniger
wenigsten
beide
beiden
nur
bloß
lediglich
immer stets
meistens meist
oft häufig
manchmal
selten
jemals je
einmal
zweimal
wieder
auch
sogar
noch
schon bereits
genau
etwa ungefähr circa ca
fast beinahe
jemand
etwas
überall
irgendwo
ganze
ganzen
gesamte
gesamten
dieser
diese
dieses
diesen
diesem
jener
jene
genug
anderer
andere
anderen
anderes
""",
    "order": """
der
die
das
den
dem
des
ein
eine
einen
einem
einer
eines
""",
    "tense": """
ist sind bin bist seid
war waren warst
gewesen
hat haben habe hast habt
hatte hatten
gehabt
wird werden werde wirst
wurde wurden
worden
geworden
wäre wären
hätte hätten
würde würden
""",
    "modal": """
kann können kannst könnt
könnte könnten
konnte konnten
muss müssen musst
müsste müssten
musste mussten
soll sollen sollst
sollte sollten
darf dürfen darfst
dürfte dürften
will wollen willst
wollte wollten
mag mögen
möchte möchten
lässt
""",
    "conjunction": """
und
oder
aber
sondern
wenn
falls
ob
weil
da
obwohl obgleich
während
als
dass
damit
sowohl
entweder
jedoch
sonst
dann
""",
    "question": """
wer
wen
wem
wessen
was
welche
welcher
welches
welchen
welchem
wann
wo
wohin
woher
warum wieso weshalb
wie
womit
wofür
wozu
wovon
woran
worin
worauf
""",
    "person": """
ich
mich
mir
mein
meine
meinen
meinem
meiner
meines
du
dich
dir
dein
deine
deinen
deinem
deiner
er
ihn
ihm
sein
seine
seinen
seinem
seiner
seines
sie
ihr
ihre
ihren
ihrem
ihrer
es
wir
uns
unser
unsere
unseren
unserem
unserer
euch
euer
eure
sich
man
""",
    "direction": """
von
nach
zu
in
an
auf
aus
bei
mit
für
durch
über
unter
vor
hinter
neben
zwischen
seit
bis
gegen
um
ab
per
pro
innerhalb
außerhalb
bevor
nachdem
vorher
nachher
wegen
trotz
""",
    "unit": """
celsius °c
fahrenheit °f
prozent
""",
    "date": """
heute
gestern
vorgestern
übermorgen
jetzt derzeit momentan zurzeit
montag
dienstag
mittwoch
donnerstag
freitag
samstag sonnabend
sonntag
wochenende
vormittag
mittag
nachmittag
abend
nacht
mitternacht
frühling
sommer
herbst
winter
nächste
nächsten
nächster
letzte
letzten
letzter
""",
}
