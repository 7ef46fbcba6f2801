import pytest

from rtfs.errors import BudgetExhausted, TypeMismatch
from rtfs.run import cancel
from rtfs.stdlib.iteration import SLICE, cut, items, same_kind, slices
from rtfs.values import Keyword, List, Map, Set, Vector

A = Keyword.of("a")


@pytest.mark.parametrize(
    ("coll", "expected"),
    [
        (Vector([1, 2]), [1, 2]),
        (List([1, 2]), [1, 2]),
        (Set([2, 1]), [2, 1]),
        (Map({A: 1, "b": 2}), [Vector([A, 1]), Vector(["b", 2])]),
        ("añ", ["a", "ñ"]),
    ],
)
def test_items_of_each_kind(coll, expected):
    assert items(coll, "test") == expected


@pytest.mark.parametrize("coll", [None, 1, True, A, items])
def test_what_is_no_collection_has_no_items(coll):
    with pytest.raises(TypeMismatch, match="Type error in test: expected collection"):
        items(coll, "test")


@pytest.mark.parametrize(
    ("coll", "expected"),
    [
        (Vector([]), Vector(["x"])),
        (List([]), List(["x"])),
        ("", "x"),
        (Set([]), Vector(["x"])),
        (Map({}), Vector(["x"])),
    ],
)
def test_the_same_kind_is_vector_list_or_string(coll, expected):
    assert same_kind(coll, ["x"]) == expected


@pytest.mark.parametrize("size", [0, 1, SLICE, SLICE + 1, 3 * SLICE])
def test_slices_are_the_whole(size):
    assert [x for part in slices(list(range(size))) for x in part] == list(range(size))


def test_slices_are_safepoints(run):
    parts = slices([0] * (2 * SLICE))
    next(parts)
    cancel(run)
    with pytest.raises(BudgetExhausted):
        next(parts)


@pytest.mark.parametrize("coll", [Vector([0, 1, 2]), List([0, 1, 2]), Set([0, 1, 2])])
@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (0, 3, [0, 1, 2]),
        (1, 9, [1, 2]),
        (-1, 1, [0]),
        (2, 1, []),
        (5, 9, []),
        (0, -1, []),
        (2**63 - 1, 2**63, []),
    ],
)
def test_a_cut_stays_within_bounds(coll, start, stop, expected):
    assert list(cut(coll, start, stop, "test")) == expected
    assert cut("012", start, stop, "test") == "".join(map(str, expected))
