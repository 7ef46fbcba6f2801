"""Words of other languages, and what RTFS says instead: the habits that people and models bring along."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rtfs.spell import nearest

#: what RTFS says → the words for it elsewhere
_WORDS: Final[dict[str, str]] = {
    # values
    "`nil`": "null NULL None undefined Nil",
    "`true`": "True TRUE #t",
    "`false`": "False FALSE #f",
    "`:else`": "else otherwise default",
    "a rest parameter: `[x & more]`": "& &rest",
    "`#{…}` or `(set coll)`": "hash-set sorted-set",
    "`{…}` or `hash-map`": "dict object array-map sorted-map",
    "`[…]` or `vector`": "array make-array",
    # definitions and control
    "`(def name value)` or `(defn name [x] …)`": "define const defvar defparameter defonce",
    "`(defn name [x] …)`": "defun function func defn-",
    "`(let [name value] …)`; names never change": "setq setf var let* binding",
    "the value of the last form is the result": "return",
    "`(loop [i 0] (if … (recur (inc i)) i))`": "while until repeatedly iterate cycle",
    "`(doseq [x coll] …)`": "foreach for-each forEach dorun run!",
    "`(do …)`": "progn begin",
    "`cond`": "elif elsif else-if elseif",
    "`case` or `match`": "switch condp",
    "`if-let` or `when-let`": "if-some when-some",
    "`(try … (catch e …))`": "catch finally except rescue",
    "`throw`": "raise",
    '`(if test nil (error "…"))`': "assert",
    "`defstruct`": "defrecord defclass class struct defprotocol defmulti",
    "`(module a.b (:exports [x]) …)` and `(import a.b)`": "ns in-ns use",
    "nothing is lazy; `map`, `filter` and `range` give vectors": "lazy-seq delay force doall take-nth",
    # functions
    "`println`": "print prn pr printf puts display echo print! println!",
    "`str` puts texts together": "format sprintf concat-string string-append",
    "`count`": "len size",
    "`conj` for an item, `concat` for a collection": "append push add!",
    "`first`": "car head fst",
    "`rest`": "cdr tail",
    "`nil?` or `empty?`": "null? nil-or-empty? blank?",
    "`=`": "== equal? equal eq? eq eql equals",
    "`not=`": "/= neq",
    "`pow`": "** expt power",
    "`mod`": "modulo remainder",
    "`string-upper`": "upper-case toUpperCase upcase str-upper to-upper uppercase",
    "`string-lower`": "lower-case toLowerCase downcase str-lower to-lower lowercase",
    "`string-replace`": "replace str-replace gsub re-replace",
    "`contains?`, for text `string-contains`": "includes? includes contains in member? member",
    "`substring`": "subs substr slice",
    "`split`": "str-split string-split split-lines",
    "`parse-int` or `parse-float`": "parseInt parseFloat string->number str->int parse-long parse-double",
    "`map`": "mapv pmap",
    "`filter`": "filterv",
    "`reduce`": "fold foldl foldr fold-left accumulate",
    "`vector?` or `list?`": "seq? sequential? array?",
    "`(thread/sleep ms)`": "sleep Thread/sleep",
    "`current-time-millis`": "now time",
    "a program gets text as an argument: `--arg text=@FILE`": "slurp spit open",
}
_ELSEWHERE: Final = {word: ours for ours, words in _WORDS.items() for word in words.split()}

#: modules that other languages have, and RTFS has not
_LIBRARIES: Final = frozenset(
    "Math math clojure.string clojure.core clojure.set clojure.walk str string s System Integer Long".split()
)


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """A hint for a name that means nothing here: what RTFS calls it, or the nearest known name."""
    ours = _ELSEWHERE.get(name)
    if ours is not None:
        return f"in RTFS: {ours}"
    found = nearest(name, known)
    return None if found is None or found == name else f"did you mean `{found}`?"


def library_hint(module: str) -> str | None:
    """A hint for a module that other languages have."""
    if module not in _LIBRARIES:
        return None
    return "the functions of RTFS need no module: `string-upper`, `join`, `sqrt`, `union`, …"
