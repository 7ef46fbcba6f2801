"""Words of other languages: each is explained, and none hides a name of RTFS."""

import pytest

import rtfs
from rtfs import errors
from rtfs.analyze.core import SPECIAL
from rtfs.idioms import _ELSEWHERE, _LIBRARIES, _WORDS, suggestion
from rtfs.program import BACKENDS
from rtfs.stdlib.table import BUILTINS


def test_no_word_stands_twice():
    assert len(_ELSEWHERE) == sum(len(words.split()) for words in _WORDS.values())


def test_no_word_is_one_of_ours():
    assert not [word for word in _ELSEWHERE if word in BUILTINS or word in SPECIAL]
    assert not [name for name in BUILTINS if "/" in name and name.partition("/")[0] in _LIBRARIES]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("print", ["sprint"], "in RTFS: `println`"),
        ("conut", ["count"], "did you mean `count`?"),
        ("count", ["count"], None),
        ("qqqqq", ["count"], None),
    ],
)
def test_suggestion(name, known, hint):
    assert suggestion(name, known) == hint


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("program", "hint"),
    [
        ('(print "a")', "in RTFS: `println`"),
        ("(cond false 1 else 2)", "in RTFS: `:else`"),
        ("(fn [x] (return x)) (return 1)", "in RTFS: the value of the last form is the result"),
        ("(Math/sqrt 4)", "the functions of RTFS need no module: `string-upper`, `join`, `sqrt`, `union`, …"),
        ("(lib.thing/f 4)", "no search path has the file lib/thing.rtfs"),
    ],
)
def test_the_hint_of_an_error(program, hint, backend):
    with pytest.raises(errors.RtfsError) as caught:
        rtfs.evaluate(program, backend=backend)
    assert caught.value.hint == hint
