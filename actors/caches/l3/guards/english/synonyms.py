"""Synonyms of English.

What stands on a line can be put for one another in every sentence in which both are natural. Words of several
meanings that part from one another are left out, however near: `film` and `movie`, `hard` and `difficult`,
`error` and `bug`, `start` and `launch`, `remove` and `delete`. One that is missing costs a hit, one too many an
answer.
"""

from typing import Final

#: inflected as verbs
VERBS: Final = """
delete erase
purchase buy
repair mend
obtain acquire
require necessitate
permit allow
forbid prohibit
enlarge magnify
begin commence
reply respond
enquire inquire
invite ask over
demonstrate illustrate
discard throw away
postpone defer, put off
investigate, look into
tolerate, put up with
discover, find out
establish, set up
reject, turn down
dismantle, take apart
cancel, call off
omit, leave out
examine, inspect
amend revise
modify alter
happen occur
alphabetize alphabetise
summarize summarise
organize organise
optimize optimise
analyze analyse
initialize initialise
customize customise
minimize minimise
maximize maximise
normalize normalise
visualize visualise
synchronize synchronise, sync
authorize authorise
recognize recognise
categorize categorise
prioritize prioritise
serialize serialise
tokenize tokenise
utilize utilise, make use of
realize realise
standardize standardise
randomize randomise
apologize apologise
capitalize capitalise
memorize memorise
criticize criticise
localize localise
monetize monetise
parallelize parallelise
containerize containerise
parametrize parameterize parameterise
sanitize sanitise
vectorize vectorise
virtualize virtualise
finalize finalise
instal install
enrol enroll
fulfil fulfill
uninstall deinstall
unsubscribe, opt out
turn off, switch off
turn on, switch on
verify, double-check
concatenate, string together
retrieve, get back
rearrange reorder
annul, declare void
gather collect
notify inform
comprehend understand
donate, give away
mimic imitate
reside dwell
assemble, put together
accelerate, speed up
decelerate, slow down
vanish disappear
encrypt encipher
decrypt decipher
scrutinize scrutinise
participate, take part
emphasize emphasise
jeopardize endanger
exterminate eradicate
locate, track down
wed marry
perspire sweat
inhale, breathe in
exhale, breathe out
ascend, go up
descend, go down
tidy, tidy up
weep cry
slay kill
pardon forgive
detest loathe
adore worship
shout yell
"""

#: inflected as nouns
NOUNS: Final = """
car automobile
bicycle bike
photo photograph
phone telephone
smartphone, smart phone
cellphone, cell phone, mobile phone
email e-mail
website, web site
webpage, web page
username, user name
filename, file name
hostname, host name
database, data base
timestamp, time stamp
checkbox, check box
dataset, data set
spreadsheet, spread sheet
screenshot, screen shot, screen capture
colour color
centre center
licence license
programme program
catalogue catalog
dialogue dialog
favourite favorite
behaviour behavior
neighbour neighbor
flavour flavor
labour labor
harbour harbor
rumour rumor
honour honor
theatre theater
fibre fiber
defence defense
offence offense
grey gray
tyre tire
aluminium aluminum
jewellery jewelry
moustache mustache
artefact artifact
adviser advisor
enquiry inquiry
judgement judgment
organization organisation
authorization authorisation
optimization optimisation
initialization initialisation
normalization normalisation
serialization serialisation
visualization visualisation
synchronization synchronisation
customization customisation
localization localisation
summarization summarisation
virtualization virtualisation
tokenization tokenisation
utilization utilisation
attorney lawyer
infant baby
teenager adolescent
spectacles eyeglasses
fridge refrigerator
sofa couch
lorry truck
petrol gasoline
pavement sidewalk
aeroplane airplane
environment variable, env variable, env var
information info
statistics stats
standard deviation, std dev
average, avg
library, lib
development environment, dev environment
production environment, prod environment
test environment, testing environment
api key, api-key
backup, back-up
login, log-in
signup, sign-up
startup, start-up
setup, set-up
plugin, plug-in
addon, add-on
popup, pop-up
dropdown, drop-down, dropdown menu, drop-down menu
homepage, home page
inbox, in-box
keyboard shortcut, hotkey, shortcut key
touchscreen, touch screen
lockscreen, lock screen
laptop, notebook computer
barcode, bar code
paycheck, pay cheque
tax return, tax declaration
gearbox, gear box
seatbelt, seat belt
airbag, air bag
windscreen, windshield
number plate, license plate, licence plate
petrol station, gas station
mobile number, cell number
text message, sms
answering machine, answerphone
voicemail, voice mail
wastewater, waste water
rainforest, rain forest
birthrate, birth rate
grandparent, grand-parent
mother tongue, native language
primary school, elementary school
nobel prize laureate, nobel prize winner, nobel laureate
square metre, square meter, sqm
cubic metre, cubic meter
litre, liter
kilometre, kilometer
centimetre, centimeter
millimetre, millimeter
millilitre, milliliter
yoghurt, yogurt
doughnut, donut
ketchup, catsup
omelette, omelet
chilli, chili
whisky, whiskey
pyjamas, pajamas
sceptic, skeptic
plough, plow
mould, mold
saviour, savior
armour, armor
vapour, vapor
tumour, tumor
humour, humor
odour, odor
parlour, parlor
splendour, splendor
anaemia, anemia
leukaemia, leukemia
oesophagus, esophagus
haemoglobin, hemoglobin
haemorrhage, hemorrhage
diarrhoea, diarrhea
oestrogen, estrogen
foetus, fetus
paediatrician, pediatrician
anaesthetic, anesthetic
orthopaedist, orthopedist
encyclopaedia, encyclopedia
manoeuvre, maneuver
mediaeval, medieval
sulphur, sulfur
caesium, cesium
employee, staff member
supplier vendor
receipt, sales slip
advertisement advert ad
abbreviation, short form
synopsis, plot summary
directory folder
repository repo
configuration config
administrator admin
parameter param
specification spec
postgres postgresql
javascript js
typescript ts
localhost, local host
runtime, run time
codebase, code base
workaround, work-around
login credentials, sign-in credentials
two-factor authentication, 2fa, two-step verification
hard disk, hard drive
usb stick, usb drive, usb flash drive
operating system, os
pdf file, pdf document
stack trace, stacktrace, traceback
log file, logfile
source code, sourcecode
virtual machine, vm
machine learning, ml
artificial intelligence, ai
natural language processing, nlp
user interface, ui
graphical user interface, gui
command line, command-line, commandline
regular expression, regex, regexp
phone number, telephone number
zip code, postcode, postal code
date of birth, birth date, birthdate
shopping cart, shopping basket
frequently asked question, faq
customer service, customer support
heart attack, myocardial infarction
high blood pressure, hypertension
influenza flu
chickenpox, chicken pox, varicella
german measles, rubella
whooping cough, pertussis
stomach ache, stomachache
headache, head ache
movie theatre, movie theater
soccer, association football
maths mathematics math
laboratory lab
champion champ
zucchini courgette
aubergine eggplant
coriander cilantro
prawn shrimp
nappy diaper
railway railroad
timetable schedule
motorway, freeway
footpath, walking path
lifespan, life span
birthplace, place of birth
headquarters hq
wifi, wireless lan
"""

#: compared with `er` and `est`
ADJECTIVES: Final = """
large big
quick speedy
ill sick
wealthy rich
"""

#: as they stand
OTHERS: Final = """
immediately, right away, straight away
out-of-date outdated
asynchronous async
real-life real-world
free of charge, for free, at no cost
long-term longterm
short-term shortterm
full-time fulltime
part-time parttime
world-wide, worldwide, all over the world
nation-wide nationwide
third-party thirdparty
low-cost lowcost
simultaneously, at the same time
additionally, in addition
entirely, completely
manually, by hand
perhaps maybe
completed finished
unavailable, not available
mandatory compulsory obligatory
essential indispensable
infamous notorious
renowned, celebrated
enormous huge gigantic
tiny minuscule
lethal deadly
toxic poisonous
courageous brave
reliable dependable
inexpensive cheap
costly expensive
up-to-date, up to date
adjacent neighbouring neighboring
asymmetrical asymmetric
symmetrical symmetric
cyclic cyclical
geographical geographic
alphabetical alphabetic
numerical numeric
hexadecimal, hex
centralised centralized
decentralised decentralized
multi-threaded multithreaded
single-threaded singlethreaded
open-source opensource
read-only readonly
real-time realtime
built-in builtin
coloured colored
grey-haired gray-haired
travelling traveling
travelled traveled
cancelled canceled
cancelling canceling
labelled labeled
labelling labeling
modelling modeling
modelled modeled
learnt learned
burnt burned
spelt spelled
dreamt dreamed
amongst among
amid amidst
afterwards afterward
"""
