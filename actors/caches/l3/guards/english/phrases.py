"""What is said in several words of English, without meaning or as one thing; see `Language.phrases`."""

from typing import Final

_ASK: Final = "(can|could|would|will) you"
_WHAT: Final = "(what|who|whose|which|where|why|how)"
_WH: Final = "(what|who|whose|which|when|where|why|how)"
_REQUESTS: Final = (
    "(show|give|list|explain|find|tell|write|describe|summarize|summarise|translate|convert|calculate|compute|"
    "send|help|check|create|name|provide|suggest|recommend|generate|draft|compare|define|print|fetch|delete|"
    "remove|add|open|close|start|restart|rename|copy|move|sort|count|cancel|book|schedule|reset|update|install|"
    "roll|turn|switch|set|deploy|restore|search|order|remind|forward|reply|answer|transfer|enable|disable|"
    "activate|deactivate|block|unblock|lock|unlock|change|edit|rewrite|replace|insert|append|merge|split|filter|"
    "group|plot|draw|upload|download|export|import|save|share|publish|assign|approve|reject|confirm|review|"
    "analyze|analyse|test|debug|fix|format|validate|verify|estimate|classify|extract|parse|encode|decode|round|"
    "increase|decrease|reduce|raise|lower|mute|pause|resume|notify|inform|subscribe|unsubscribe|clarify)"
)
#: nouns before which a verb is a noun itself: purchase orders are not what is bought
_BUSINESS: Final = (
    "(order|orders|price|prices|side|list|lists|signal|signals|limit|limits|history|date|dates|request|requests|"
    "agreement|option|options|operation|operations|statement|statements|event|events|flag|flags|marker|permission|"
    "permissions|right|rights|holder|holders|application|applications|fee|fees|office|number|numbers|box|action)"
)
PHRASES: Final = f"""
hello world = word:hello-world
purchase {_BUSINESS} = word:purchase $
buy {_BUSINESS} = word:buy $
delete {_BUSINESS} = word:delete $
erase {_BUSINESS} = word:erase $
permit {_BUSINESS} = word:permit $
allow {_BUSINESS} = word:allow $
! (hi|hello|hey|ok|okay|well|so|um|thanks|greetings|sorry) =
! (hi|hello|hey) (there|all|everyone|team|folks) =
^ (hi|hello|hey) {_WH} = $
^ (hi|hello|hey) (can|could|would|do|does|is|are|i) = $
! good (morning|afternoon|evening) =
! excuse me =
! thank you =
! thank you (very|so) much =
! thank you in advance =
! thanks (in advance|a lot|so much|very much) =
! (quick|one|a quick|just a quick) question =
^? {_ASK} (please|kindly|please kindly) =
^? (could|would|will) you {_REQUESTS} = $
^? can you {_REQUESTS} (the|my|this|these|those|all|me|our|every|it) = $2
^? {_ASK} (please|kindly) {_REQUESTS} = $
^? do me a favor and =
^? would you mind =
^? could i ask you to =
^? i (want|need) you to {_REQUESTS} = $
^? i would like you to {_REQUESTS} = $
^ (tell|remind|show) me {_WHAT} = $
^ let me know {_WHAT} = $
^ {_ASK} (please|) tell me {_WH} = $
^ {_ASK} (please|) (let me know|remind me) {_WHAT} = $
^ (do|would) you (happen to|) know {_WH} = $
^ (does anyone|does anybody) know {_WH} = $
^ i (want|need|wish) to know {_WH} = $
^ i would (like|love) to know {_WH} = $
^ i 'd (like|love) to know {_WH} = $
^ i am (wondering|curious) {_WH} = $
^ i was wondering {_WH} = $
^ i wonder {_WH} = $
^ i do not know {_WH} = $
^ (any idea|any clue) {_WH} = $
^ may i (ask|know) {_WH} = $
^ can i (ask|know) {_WH} = $
^ tell me whether = question:yes-no
^ (find out|check) (if|whether) = question:yes-no
^ {_ASK} (please|) (tell me|find out|check) (if|whether) = question:yes-no
^ (do|would) you know (if|whether) = question:yes-no
^ i (want|need) to know (if|whether) = question:yes-no
^ i would like to know (if|whether) = question:yes-no
^ i 'd like to know (if|whether) = question:yes-no
^ i (was wondering|wonder|am wondering) (if|whether) = question:yes-no
^ how (do|can) i = question:how-to
^ how (does|can) one = question:how-to
^ how do i (look|feel|sound|seem|do|die|rank|rate|compare|perform|score|stand|appear|differ) = question:how-am $
^ how to (look|feel|sound|seem|do|die|rank|rate|compare|perform|score|stand|appear|differ) = question:how-to $
^ how to = question:how-to
^ how can i be able to = question:how-to
^ what (is|are) (the|a) (way|steps|procedure|process|method) to = question:how-to
^ what is the way for me to = question:how-to
^ (in|by) (what|which) way can i = question:how-to
^ (what|which) steps (do|must|should) i (take|follow) to = question:how-to
^ (what|which) steps do i (need|have) to (take|follow) to = question:how-to
^ (what|which) steps are (needed|required|necessary) to = question:how-to
^ what do i (need|have) to do to = question:how-to
^ what do i (need|have) to do in order to = question:how-to
^ what must i do (to|in order to) = question:how-to
^ (tell|show|teach) me how (to|i can|one can) = question:how-to
^ explain (to me|) how (to|i can|one can) = question:how-to
^ explain me how to = question:how-to
^ {_ASK} (please|) (tell|show|teach) me how (to|i can|one can) = question:how-to
^ {_ASK} (please|) (explain|describe) (to me|) how (to|i can|one can) = question:how-to
^ {_ASK} (please|) help me (figure out|understand|find out) how to = question:how-to
^ (do|would) you (happen to|) know how (to|i can) = question:how-to
^ (does anyone|does anybody) know how (to|i can) = question:how-to
^ i (want|need|wish) to (know|learn) how (to|i can) = question:how-to
^ i would (like|love) to (know|learn) how (to|i can) = question:how-to
^ i 'd (like|love) to (know|learn) how (to|i can) = question:how-to
^ i do not know how (to|i can) = question:how-to
^ i (was wondering|wonder|am wondering) how (to|i can) = question:how-to
^ (any idea|any clue) how (to|i can) = question:how-to
^ (what is|what 's) the reason (that|why) = question:why
^ for what reason = question:why
^ explain (to me|) why = $
^ {_ASK} (please|) explain (to me|) why = $
^ why is it that = question:why
^ how come = question:how-come
^ at what time = question:what-time
^ what time = question:what-time
^ what number of = question:how-many
how many = question:how-many
how much = question:how-much
how often = question:how-often
how long = question:how-long
how far = question:how-far
how old = question:how-old
what kind of = question:what-kind
what (sort|type) of = question:what-kind
which (kind|sort|type) of = question:which-kind
which one = question:which-one
what exactly = question:what
how exactly = question:how
^ show me = show
^ (give|provide) me a list of = show
^ (give|provide) a list of = show
^ (show|display) (me|) a list of = show
^ (list|display) (all|every|the|my|our|any) = show $
^ list (me|out) (all|every|the|my|our|any) = show $
compute (the|a|an|how|my) = calculate $
big (data|o|bang|ben|mac|tech|endian|brother|apple|bird) = word:big $
at least = scope:>=
no (less|fewer) than = scope:>=
not (less|fewer) than = scope:>=
at most = scope:<=
no more than = scope:<=
not more than = scope:<=
more than = comparison:>
(less|fewer) than = comparison:<
not only = scope:not-only
not all = scope:not-all
not every = scope:not-every
(no one|nobody) = negation:nobody
none of = negation:none-of
none = negation:none
a few = scope:a-few
a little = scope:a-little
a couple of = scope:a-couple
a lot of = scope:many-much
(lots|plenty) of = scope:many-much
the (few|matter|other|others|same|latter|former|most|more|less|least) = scope:the $
the second = number:#2.
in order to = direction:to
so as to = direction:to
due to = direction:because-of
because of = direction:because-of
prior to = direction:before
close to = direction:near
(apart|aside) from = scope:except
other than = scope:except
except for = scope:except
rather than = conjunction:instead-of
instead of = conjunction:instead-of
(right now|at the moment|at present|currently|at this time) = date:now
(as of|from) now on = date:from-now-on
(each|every) day = date:daily
daily = date:daily
(each|every) week = date:weekly
weekly = date:weekly
(each|every) month = date:monthly
monthly = date:monthly
(each|every) year = date:yearly
(yearly|annually) = date:yearly
per cent = unit:u:percent
log (in|on) to = word:sign-in-to
(log|sign) into = word:sign-in-to
sign (in|on) to = word:sign-in-to
(log|sign) (in|on) = word:sign-in
(log out|sign out|log off) = word:sign-out
(log out|sign out|log off) of = word:sign-out-of
sign up = word:sign-up
wi-fi = word:wifi
e-mail address = word:email-address
email address = word:email-address
united states of america = name:usa
united states = name:usa
united kingdom = name:uk
"""
