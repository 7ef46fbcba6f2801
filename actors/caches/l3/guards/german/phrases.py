"""What is said in several words of German, without meaning or as one thing; see `Language.phrases`."""

from __future__ import annotations

from typing import Final

from actors.caches.l3.guards.german.words import REQUESTS

_ASK: Final = "(kannst du|könntest du|würdest du|können sie|könnten sie|würden sie)"
_SAY: Final = "(sagen|verraten|mitteilen)"
_TELL: Final = "(erklär|erkläre|erklären sie|zeig|zeige|zeigen sie|sag|sage|sagen sie)"
_KNOW: Final = "(weißt du|wissen sie|wisst ihr|weiß jemand)"
_WANT: Final = "(möchte|will|würde gerne|würde gern|möchte gerne|möchte gern)"
_WHAT: Final = "(was|wer|wen|wem|wo|wohin|woher|warum|wieso|weshalb|welche|welcher|welches|welchen|wie)"
_WH: Final = f"(wann|{_WHAT[1:]}"
_I: Final = "(ich|man)"
_ME: Final = "(mir bitte mal|mir bitte|bitte mir|mir mal|mir doch|mir doch bitte)"
_PLEASE: Final = "(bitte|mal|bitte mal|doch|doch bitte|doch mal|)"
_PARTICLE: Final = "(denn|eigentlich|denn eigentlich)"
PHRASES: Final = f"""
hallo welt = word:hallo-welt
! (hallo|hi|hey|moin|servus|ok|okay|danke|guten tag|guten morgen|guten abend|entschuldigung|sorry) =
! (hallo|hi) (zusammen|alle|leute|team) =
! (vielen dank|danke schön|danke im voraus|vielen dank im voraus|mit freundlichen grüßen) =
! (kurze frage|eine frage|eine kurze frage|ich habe eine frage) =
^ (hallo|hi|hey) {_WH} = $
^ (sag|sage|sagt|sagen sie|verrat|verrate) (mir|uns|) (bitte|mal|bitte mal|) {_WHAT} = clause $
^ {_ASK} (mir|uns|) (bitte|) {_SAY} {_WH} = clause $
^ {_ASK} (bitte|) (mir|uns) {_SAY} {_WH} = clause $
^ {_KNOW} (vielleicht|zufällig|) {_WH} = clause $
^ ich {_WANT} wissen {_WH} = clause $
^ ich (wüsste|wüßte) (gern|gerne) {_WH} = clause $
^ (mich würde interessieren|mich interessiert) {_WH} = clause $
^ ich (frage|fragte) mich {_WH} = clause $
^ ich weiß nicht {_WH} = clause $
^ (darf|dürfte|kann) ich (fragen|wissen) {_WH} = clause $
^ {_ASK} (mir|uns|) (bitte|) {_SAY} ob = question:yes-no
^ {_KNOW} ob = question:yes-no
^ ich {_WANT} wissen ob = question:yes-no
^ ich (wüsste|wüßte) (gern|gerne) ob = question:yes-no
^ (prüfe|überprüfe|prüfen sie|überprüfen sie) ob = question:yes-no
^ wie kann (ich|man) = question:how-to
^ auf welche weise kann {_I} = question:how-to
^ was (muss|kann|soll|sollte) {_I} (tun|machen) um = question:how-to-zu
^ wie (muss|soll) {_I} vorgehen um = question:how-to-zu
^ welche schritte (sind nötig|sind notwendig|sind erforderlich) um = question:how-to-zu
^ {_ASK} (mir|uns|) (bitte|) (erklären|zeigen|sagen|beschreiben|verraten) wie {_I} = question:how-to-clause
^ {_TELL} mir (bitte|mal|) wie {_I} = question:how-to-clause
^ {_KNOW} wie {_I} = question:how-to-clause
^ ich {_WANT} wissen wie {_I} = question:how-to-clause
^ ich (wüsste|wüßte) (gern|gerne) wie {_I} = question:how-to-clause
^ (mich würde interessieren|mich interessiert) wie {_I} = question:how-to-clause
^ ich (frage mich|weiß nicht) wie {_I} = question:how-to-clause
^ {_ASK} (bitte|) = question:request
^ aus welchem grund = question:warum
^ was ist der grund dafür dass = question:grund
^ um wie viel uhr = question:um-wie-viel-uhr
^ (wie spät ist es|wie viel uhr ist es) = question:uhrzeit
(wie viele|wieviele) = question:wie-viele
(wie viel|wieviel) = question:wie-viel
wie oft = question:wie-oft
wie lange = question:wie-lange
wie weit = question:wie-weit
wie alt = question:wie-alt
was für = question:was-für
(ist|sind|hat|kann|geht|macht|heißt|bedeutet|was|wie|wo|wer|warum|wann|funktioniert) {_PARTICLE} = $0
(mindestens|wenigstens|zumindest) = scope:>=
nicht weniger als = scope:>=
(höchstens|maximal) = scope:<=
nicht mehr als = scope:<=
mehr als = comparison:>
weniger als = comparison:<
nicht nur = scope:nicht-nur
nicht alle = scope:nicht-alle
gar (nicht|nichts|kein|keine|keinen) = negation:gar $
noch nicht = negation:noch-nicht
nicht mehr = negation:nicht-mehr
noch (ein|eine|einen|einmal|mal) = scope:noch $
nur (ein|eine|einen|einem|einer) = scope:nur $
ein paar = scope:ein-paar
ein bisschen = scope:ein-bisschen
ein wenig = scope:ein-wenig
so viele wie möglich = scope:so-viele-wie-möglich
jeden tag = date:täglich
täglich = date:täglich
jede woche = date:wöchentlich
wöchentlich = date:wöchentlich
jeden monat = date:monatlich
monatlich = date:monatlich
jedes jahr = date:jährlich
jährlich = date:jährlich
heute morgen = date:heute-morgen
morgen früh = date:morgen-früh
(außer|abgesehen von|mit ausnahme von) = negation:außer
an stelle von = negation:statt
vereinigte staaten von amerika = name:usa
(vereinigte|vereinigten) staaten = name:usa
""" + "\n".join(
    f"""
^ ({stem}|{stem}e|{infinitive} sie) {_ME} = word:{stem}! mir
^ ({stem}|{stem}e|{infinitive} sie) {_PLEASE} = word:{stem}!
"""
    for infinitive, stem in REQUESTS.items()
)
