import pytest

from rtfs import ir
from rtfs.printer import pr_str
from rtfs.stdlib.table import BUILTINS
from rtfs.values import Symbol, Vector


def test_identity_gives_the_very_value():
    value = Vector([1])
    assert BUILTINS["identity"].function(value) is value
    assert BUILTINS["process-data"].function(value) is value


def test_read_file_names_the_capability(outcome):
    assert outcome("read-file", "/etc/passwd") == "!Generic"
    with pytest.raises(Exception, match=r"call :ccos\.io\.read-file path"):
        BUILTINS["read-file"].function("x")


def _function(**fields):
    def function():
        return None

    function.rtfs_lambda = ir.Lambda(name="f", self_local=None, arities=(), **fields)
    return function


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "nil"),
        (Vector([]), "nil"),
        (lambda: None, "nil"),
        (_function(), "nil"),
        (_function(doc="Does it."), '{:doc "Does it."}'),
        (_function(doc="D", metadata=(("private", True), ("doc", "E"))), '{:doc "E" :private true}'),
    ],
)
def test_meta(value, expected):
    assert pr_str(BUILTINS["meta"].function(value)) == expected


@pytest.mark.usefixtures("run")
def test_gensym_never_gives_a_name_twice_in_a_run():
    gensym = BUILTINS["gensym"].function
    symbols = [gensym() for _ in range(50)] + [gensym("tmp") for _ in range(50)]
    assert all(type(symbol) is Symbol for symbol in symbols)
    assert len(set(symbols)) == 100
    assert symbols[0].name == "G__1"
    assert symbols[99].name == "tmp100"


def test_gensym_starts_anew_with_each_run(run, outcome):
    assert outcome("gensym") == "G__1"
    assert run.serial == 1
    assert outcome("gensym", 1) == "!TypeError"
