"""What the checker believes about builtins, held against the builtins."""

from itertools import product

import pytest

from rtfs import errors
from rtfs.check.signatures import names, signature
from rtfs.reader import read
from rtfs.stdlib.table import BUILTINS
from rtfs.types.check import TypeEnv, matches
from rtfs.types.model import EnumType
from rtfs.types.parser import type_text
from rtfs.values import ErrorValue, Keyword, List, Map, Set, Symbol, Vector

_LITERAL = (type(None), bool, int, float, str, Keyword)


def _is_literal(form) -> bool:
    if isinstance(form, Vector):
        return all(map(_is_literal, form))
    if isinstance(form, Map):
        return all(map(_is_literal, form.values()))
    return isinstance(form, _LITERAL)


def _examples():
    """Examples of the builtins with literal arguments only: name, arguments, whether they fail."""
    for name in sorted(names()):
        if BUILTINS[name].effect:
            continue
        for text, expected in BUILTINS[name].examples:
            forms = read(text).forms
            call = list(forms[0]) if len(forms) == 1 and isinstance(forms[0], List) else []
            if call and all(map(_is_literal, call[1:])):
                yield name, call[1:], expected


EXAMPLES = list(_examples())


def test_there_are_examples_for_most():
    assert len({name for name, _, _ in EXAMPLES}) > len(names()) // 2


def test_only_builtins_have_signatures():
    assert names() <= set(BUILTINS)


@pytest.mark.parametrize(("name", "args", "expected"), EXAMPLES)
def test_arguments_and_results_of_examples_have_the_types(name, args, expected):
    known = signature(name)
    if expected.startswith("!"):
        return
    for i, arg in enumerate(args):
        wanted = known.param(i)
        assert wanted is None or matches(arg, wanted, TypeEnv()), type_text(wanted)
    result = BUILTINS[name].function(*args)
    inferred = known.result_of([EnumType((arg,), "val") for arg in args])
    assert matches(result, inferred, TypeEnv()), type_text(inferred)


@pytest.mark.parametrize("name", sorted(names()))
def test_signatures_do_not_name_more_parameters_than_there_are(name):
    most = BUILTINS[name].most
    assert most is None or len(signature(name).params) <= most


def test_arithmetic_of_integers_gives_integers():
    one, half = EnumType((1,), "val"), EnumType((0.5,), "val")
    assert type_text(signature("+").result_of([one, one])) == "int"
    assert type_text(signature("+").result_of([one, half])) == "number"
    assert type_text(signature("/").result_of([one, one])) == "number"


def _some_function(x):
    return x


SAMPLES = [
    None,
    True,
    3,
    2.5,
    "abc",
    Keyword.of("k"),
    Symbol.of("s"),
    Vector.of(1, 2, 3, 4),
    Vector.of(),
    List.of(1, 2, 3, 4),
    Set.of(1),
    Map({Keyword.of("k"): 1}),
    _some_function,
    ErrorValue(errors.DivisionByZero()),
]


def _calls(name, index):
    """Calls of a builtin that its signature refuses for the argument at `index` only."""
    entry, known = BUILTINS[name], signature(name)
    wanted = known.param(index)
    if wanted is None:
        return
    env = TypeEnv()
    bad = [sample for sample in SAMPLES if not matches(sample, wanted, env)]
    counts = range(max(entry.least, index + 1), min(entry.most or 3, 3) + 1)
    for count in counts:
        rest = [known.param(i) for i in range(count) if i != index]
        good = [[s for s in SAMPLES if t is None or matches(s, t, env)] for t in rest]
        for value, others in product(bad, product(*good)):
            yield [*others[:index], value, *others[index:]]


@pytest.mark.parametrize("name", sorted(name for name in names() if not BUILTINS[name].effect))
def test_what_a_signature_refuses_always_fails(name):
    known = signature(name)
    for index in range(len(known.params) + (known.rest is not None)):
        if not known.certain(index):
            continue
        for args in _calls(name, index):
            with pytest.raises(errors.RtfsError):
                pytest.fail(f"({name} {args}) gave {BUILTINS[name].function(*args)!r}")
