"""Synonyms of German, as strict as those of English. Verbs that part are written `ab|brechen`."""

from typing import Final

VERBS: Final = """
erwerben kaufen
beginnen an|fangen
benötigen brauchen
benutzen verwenden
berechnen aus|rechnen
erlauben gestatten
verbieten untersagen
antworten entgegnen
geschehen passieren
ändern verändern
speichern ab|speichern
herunter|laden downloaden
hoch|laden uploaden
aktualisieren updaten
schicken senden
verschicken versenden
zu|schicken zu|senden
zurück|schicken zurück|senden
ein|schalten an|schalten
aus|schalten ab|schalten
verstehen begreifen
sterben versterben
errichten erbauen
zerstören vernichten
mieten an|mieten
zusammen|fassen resümieren
überprüfen prüfen
verringern reduzieren
steigen an|steigen
sinken ab|sinken
ab|ziehen subtrahieren
zusammen|zählen addieren
mal|nehmen multiplizieren
ein|treffen an|kommen
authentifizieren authentisieren
verschlüsseln chiffrieren
entschlüsseln dechiffrieren
kodieren codieren
dekodieren decodieren
scannen ein|scannen
drucken aus|drucken
veröffentlichen publizieren
produzieren her|stellen
reklamieren beanstanden
ab|lehnen zurück|weisen
genehmigen bewilligen
säubern reinigen
schwitzen transpirieren
imitieren nach|ahmen
"""

NOUNS: Final = """
auto/autos, pkw
foto/fotos, fotografie/fotografien
handy/handys, mobiltelefon/mobiltelefone
e-mail/e-mails, email/emails
benutzer/, nutzer/, anwender/
benutzername/benutzernamen, nutzername/nutzernamen
benutzerkonto/benutzerkonten, nutzerkonto/nutzerkonten
ordner/, verzeichnis/verzeichnisse
passwort/passwörter, kennwort/kennwörter
bildschirmfoto/bildschirmfotos, screenshot/screenshots
arbeitsspeicher/, ram-speicher/
zeitstempel/, timestamp/timestamps
protokolldatei/protokolldateien, logdatei/logdateien, log-datei/log-dateien, logfile/logfiles
konfigurationsdatei/konfigurationsdateien, config-datei/config-dateien
quellcode, quelltext
befehlszeile, kommandozeile
tastenkombination/tastenkombinationen, tastenkürzel/, shortcut/shortcuts
regulärer ausdruck, regex
künstliche intelligenz, ki
maschinelles lernen, machine learning
virtuelle maschine, vm
benutzeroberfläche/benutzeroberflächen, bedienoberfläche/bedienoberflächen
zwei-faktor-authentifizierung, zweifaktorauthentifizierung
telefonnummer/telefonnummern, rufnummer/rufnummern
handynummer/handynummern, mobilnummer/mobilnummern
postleitzahl/postleitzahlen, plz
anschrift/anschriften, postadresse/postadressen
kundendienst, kundenservice
krankenhaus/krankenhäuser, spital/spitäler
medikament/medikamente, arzneimittel/
rechtsanwalt/rechtsanwälte, anwalt/anwälte
baby/babys, säugling/säuglinge
sofa/sofas, couch/couchs
fernseher/, fernsehgerät/fernsehgeräte
fahrstuhl/fahrstühle, aufzug/aufzüge, lift/lifte
lastwagen/, lkw
bürgersteig/bürgersteige, gehweg/gehwege, gehsteig/gehsteige
fahrkarte/fahrkarten, fahrschein/fahrscheine
geldbörse/geldbörsen, portemonnaie/portemonnaies, geldbeutel/
versandkosten, lieferkosten
einwohnerzahl/einwohnerzahlen, bevölkerungszahl/bevölkerungszahlen
autor/autoren, verfasser/
orthographie, orthografie, rechtschreibung
geographie, geografie
biographie/biographien, biografie/biografien
delphin/delphine, delfin/delfine
potential/potentiale, potenzial/potenziale
differential/differentiale, differenzial/differenziale
graphik/graphiken, grafik/grafiken
paragraph/paragraphen, paragraf/paragrafen
joghurt/joghurts, jogurt/jogurts
spaghetti, spagetti
ketchup, ketschup
tunfisch, thunfisch
samstag, sonnabend
januar, jänner
februar, feber
metzgerei/metzgereien, fleischerei/fleischereien
metzger/, fleischer/
brötchen/, semmel/semmeln
karotte/karotten, möhre/möhren, mohrrübe/mohrrüben
apfelsine/apfelsinen, orange/orangen
kartoffel/kartoffeln, erdapfel/erdäpfel
quark, topfen
sahne, rahm
aubergine/auberginen, melanzani
streichholz/streichhölzer, zündholz/zündhölzer
mülleimer/, abfalleimer/
blinddarmentzündung, appendizitis
lungenentzündung, pneumonie
bluthochdruck, hypertonie
herzinfarkt/herzinfarkte, myokardinfarkt/myokardinfarkte
schlaganfall/schlaganfälle, hirnschlag
zuckerkrankheit, diabetes
grippe, influenza
windpocken, varizellen
röteln, rubella
keuchhusten, pertussis
gelbsucht, ikterus
blutarmut, anämie
schilddrüsenunterfunktion, hypothyreose
schilddrüsenüberfunktion, hyperthyreose
mathematik, mathe
backup/backups, sicherungskopie/sicherungskopien
update/updates, aktualisierung/aktualisierungen
newsletter/, rundbrief/rundbriefe
usb-stick/usb-sticks, usb stick
pdf-datei/pdf-dateien, pdf datei
csv-datei/csv-dateien, csv datei
json-datei/json-dateien, json datei
excel-datei/excel-dateien, excel datei
ip-adresse/ip-adressen, ip adresse
mac-adresse/mac-adressen, mac adresse
e-mail-adresse/e-mail-adressen, email-adresse/email-adressen, mailadresse/mailadressen
e-mail-konto, email-konto, mailkonto
wlan-passwort, wlan passwort
qr-code/qr-codes, qr code
bluetooth-gerät, bluetooth gerät
api-schlüssel/, api schlüssel, api-key
open-source-lizenz, open source lizenz
quadratmeter/, qm
kubikmeter/, cbm
kinderarzt/kinderärzte, pädiater/
hautarzt/hautärzte, dermatologe/dermatologen
augenarzt/augenärzte, ophthalmologe/ophthalmologen
frauenarzt/frauenärzte, gynäkologe/gynäkologen
tierarzt/tierärzte, veterinär/veterinäre
mehrwertsteuer, mwst
bruttoinlandsprodukt, bip
abfahrtszeit/abfahrtszeiten, abfahrtzeit/abfahrtzeiten
ankunftszeit/ankunftszeiten, ankunftzeit/ankunftzeiten
schadenersatz, schadensersatz
gutschein/gutscheine, voucher/
rabattcode/rabattcodes, gutscheincode/gutscheincodes
sendungsnummer/sendungsnummern, trackingnummer/trackingnummern, tracking-nummer/tracking-nummern
erdumfang, umfang der erde
hauptsitz, firmensitz, unternehmenssitz
vorstandsvorsitzender, vorstandschef
fußballweltmeisterschaft, fußball-weltmeisterschaft, fußball-wm
antivirenprogramm/antivirenprogramme, virenscanner/
grafikkarte/grafikkarten, graphikkarte/graphikkarten
hauptplatine/hauptplatinen, mainboard/mainboards, motherboard/motherboards
prozessor/prozessoren, cpu/cpus
notebook/notebooks, laptop/laptops
zeichenkette/zeichenketten, string/strings
stapelspeicher/, kellerspeicher/
hash-tabelle/hash-tabellen, hashtabelle/hashtabellen, hash-map, hashmap
fließkommazahl/fließkommazahlen, gleitkommazahl/gleitkommazahlen
ganzzahl/ganzzahlen, integer/
wahrheitswert/wahrheitswerte, boolescher wert
softwareentwickler/, software-entwickler/
produktivumgebung/produktivumgebungen, produktionsumgebung/produktionsumgebungen
ergebnis/ergebnisse, resultat/resultate
nachname/nachnamen, familienname/familiennamen, zuname/zunamen
kopfschmerzen, kopfweh
bauchschmerzen, bauchweh
zahnschmerzen, zahnweh
halsschmerzen, halsweh
"""

ADJECTIVES: Final = """
schnell, rasch
gratis, kostenlos, unentgeltlich
obligatorisch, verpflichtend
giftig, toxisch
tödlich, letal
preiswert, preisgünstig
notwendig, erforderlich
ausreichend, genügend
unzureichend, ungenügend
unverzichtbar, unentbehrlich
zuverlässig, verlässlich
mutig, tapfer
zweisprachig, bilingual
mehrsprachig, multilingual
geographisch, geografisch
graphisch, grafisch
biographisch, biografisch
potentiell, potenziell
existentiell, existenziell
substantiell, substanziell
essentiell, essenziell
phantastisch, fantastisch
aufwendig, aufwändig
selbständig, selbstständig
"""

OTHERS: Final = """
vielleicht, möglicherweise, eventuell
sofort, unverzüglich, umgehend
gleichzeitig, zur selben zeit, zur gleichen zeit
weltweit, auf der ganzen welt
manuell, von hand, händisch
außerdem, zudem, überdies
beispielsweise, zum beispiel
vollständig, komplett
kaputt, defekt
mithilfe, mit hilfe
aufgrund, auf grund
anhand, an hand
zugunsten, zu gunsten
zuhause, zu hause
sodass, so dass
anstelle, an stelle
infrage, in frage
zugrunde, zu grunde
zustande, zu stande
imstande, im stande
kennenlernen, kennen lernen
spazierengehen, spazieren gehen
radfahren, rad fahren
"""
