"""The collections against Python's own, old versions included."""

import copy
import math
import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfs import values
from rtfs.errors import ApplicationError, DivisionByZero, Generic, TypeMismatch
from rtfs.values import (
    EMPTY_LIST,
    EMPTY_MAP,
    EMPTY_VECTOR,
    LARGE,
    SMALL,
    ErrorValue,
    Keyword,
    List,
    Map,
    Set,
    Symbol,
    Ticket,
    Timestamp,
    Uuid,
    Vector,
    equal,
    hash_value,
    map_key,
    member_key,
    type_name,
)

A, B = Keyword.of("a"), Keyword.of("b")
NAN = math.nan

# ---------------------------------------------------------------- names


@pytest.mark.parametrize("kind", [Keyword, Symbol])
def test_names_are_interned(kind):
    name = "".join(["na", "me"])
    assert kind.of(name) is kind.of("name")
    assert kind.of("name") is not kind.of("other")
    assert copy.deepcopy(kind.of(name)) is kind.of(name)


def test_threads_that_make_a_keyword_at_once_get_the_same():
    rounds, workers = 200, 4
    barrier = threading.Barrier(workers)
    made = [[] for _ in range(workers)]

    def work(mine):
        for i in range(rounds):
            barrier.wait()
            mine.append(Keyword.of(f"threads-{i}"))

    threads = [threading.Thread(target=work, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len({id(keyword) for keyword in same}) == 1 for same in zip(*made, strict=True))


def test_a_keyword_looks_itself_up():
    error = ErrorValue(DivisionByZero())
    assert (A(Map({A: 1})), A(Map({}), 2), A(None), A(None, 3)) == (1, 2, None, 3)
    assert Keyword.of("message")(error) == "Division by zero"
    with pytest.raises(TypeMismatch, match="keyword lookup"):
        A(Vector([1]))


# ---------------------------------------------------------------- equality

APART = [
    None,
    False,
    True,
    0,
    1,
    0.0,
    1.0,
    "",
    "a",
    A,
    Symbol.of("a"),
    Timestamp("a"),
    Uuid("a"),
    Vector([]),
    Vector([1]),
    Vector([1.0]),
    Vector([True]),
    Vector([1, 2]),
    Vector([2, 1]),
    Vector([Vector([1])]),
    List([]),
    List([1]),
    List([1, 2]),
    Map({}),
    Map({1: 1}),
    Map({1: 1.0}),
    Map({"1": 1}),
    Map({1: 1, 2: 2}),
    Set([]),
    Set([1]),
    Set([1.0]),
    Set([1, 2]),
    Set([Vector([1])]),
    Set([Vector([-1]), Vector([-3])]),
    Set([Vector([-2]), Vector([-3])]),
    Ticket("a"),
    ErrorValue(Generic("a")),
    len,
]


def test_values_that_differ_in_type_or_content_are_not_equal():
    for i, a in enumerate(APART):
        for j, b in enumerate(APART):
            assert equal(a, b) is (i == j), (a, b)
    assert len({member_key(value) for value in APART}) == len(APART)


class RemoteTicket(Ticket):
    pass


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Map({1: 1, 2: 2}), Map({2: 2, 1: 1})),
        (Set([1, 2]), Set([2, 1])),
        (Set([Vector([-1]), Vector([-2])]), Set([Vector([-2]), Vector([-1])])),
        (Set([Set([1]), Set([2])]), Set([Set([2]), Set([1])])),
        (Vector([List([Map({A: "x"})])]), Vector([List([Map({A: "x"})])])),
        (0.0, -0.0),
        (Ticket("1"), RemoteTicket("1")),
        (Vector([Ticket("1")]), Vector([RemoteTicket("1")])),
        (ErrorValue(Generic("x")), ErrorValue(Generic("x"))),
        (Vector(list(range(100))).assoc(50, 0), Vector([0 if i == 50 else i for i in range(100)])),
        (List([1, 2]), List([2]).conj(1)),
    ],
)
def test_equal_values_hash_alike(a, b):
    assert equal(a, b)
    assert equal(b, a)
    assert hash_value(a) == hash_value(b)
    assert Set([a, b]).to_list() == [a]


@pytest.mark.parametrize("value", [NAN, Vector([NAN]), Map({1: NAN}), Set([NAN])])
def test_nan_is_not_equal_to_itself(value):
    assert not equal(value, value)


@pytest.mark.parametrize(
    "kind", [lambda x: Vector([x]), lambda x: List([x]), lambda x: Map({1: x}), lambda x: Set([x])]
)
def test_depth_is_no_limit(kind):
    a = b = 1
    for _ in range(100_000):
        a, b = kind(a), kind(b)
    assert equal(a, b)
    assert hash_value(a) == hash_value(b)
    assert not equal(a, kind(a))
    assert len(repr(a)) < 100


def test_shared_structure_is_walked_once():
    a = b = Vector([1])
    for _ in range(200):
        a, b = Vector([a, a]), Vector([b, b])
    assert equal(a, b)
    assert hash_value(a) == hash_value(b)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Vector([1, List(["a"])]), "Vector([1, List(['a'])])"),
        (Map({A: 1}), "Map({:a: 1})"),
        (Set([None]), "Set([None])"),
        (Vector([0] * 21), f"Vector([{'0, ' * 20}… 21 in all])"),
    ],
)
def test_repr_is_for_people(value, text):
    assert repr(value) == text


# ---------------------------------------------------------------- models

positions = st.integers(0, 10**6)
vector_operations = st.lists(
    st.one_of(
        st.tuples(st.just("conj"), positions),
        st.tuples(st.just("conj_all"), st.integers(0, 50)),
        st.tuples(st.just("assoc"), positions),
        st.tuples(st.just("slice"), positions),
        st.tuples(st.just("back"), positions),
    ),
    max_size=40,
)


def _start(kind, size):
    return kind(list(range(size))), list(range(size))


@given(st.sampled_from([0, 3, SMALL, SMALL + 1, 300, LARGE + 200]), vector_operations)
@settings(max_examples=150, deadline=None)
def test_vectors_behave_like_lists_that_are_copied(size, operations):
    versions = [_start(Vector, size)]
    for name, n in operations:
        v, model = versions[-1]
        if name == "conj":
            v, model = v.conj(n), [*model, n]
        elif name == "conj_all":
            v, model = v.conj_all(list(range(n))), model + list(range(n))
        elif name == "assoc" and model:
            place = n % len(model)
            v, model = v.assoc(place, -n), [*model[:place], -n, *model[place + 1 :]]
        elif name == "slice":
            start = n % (len(model) + 1)
            stop = start + (n // 7) % (len(model) - start + 1)
            v, model = v.slice(start, stop), model[start:stop]
        elif name == "back":
            v, model = versions[n % len(versions)]
        versions.append((v, model))
    for v, model in versions:
        assert v.to_list() == model
        assert len(v) == len(model)
        assert [v[i] for i in range(len(v))] == model
        assert equal(v, Vector(list(model)))


list_operations = st.lists(
    st.tuples(st.sampled_from(["conj", "conj_all", "rest", "slice", "back"]), positions), max_size=40
)


@given(st.sampled_from([0, 3, SMALL + 1, 300, LARGE + 200]), list_operations)
@settings(max_examples=150, deadline=None)
def test_lists_behave_like_lists_that_are_copied(size, operations):
    versions = [_start(List, size)]
    for name, n in operations:
        v, model = versions[-1]
        if name == "conj":
            v, model = v.conj(n), [n, *model]
        elif name == "conj_all":
            added = list(range(n % 50))
            v, model = v.conj_all(added), added[::-1] + model
        elif name == "rest" and model:
            v, model = v.slice(1, len(v)), model[1:]
        elif name == "slice":
            start = n % (len(model) + 1)
            v, model = v.slice(start, len(v)), model[start:]
        elif name == "back":
            v, model = versions[n % len(versions)]
        versions.append((v, model))
    for v, model in versions:
        assert v.to_list() == list(v) == model
        assert [v[i] for i in range(len(v))] == model


numbers = st.integers(0, 60)
keys = st.one_of(numbers, numbers.map(str), numbers.map(str).map(Keyword.of))
map_operations = st.lists(
    st.one_of(
        st.tuples(st.just("assoc"), keys),
        st.tuples(st.just("dissoc"), keys),
        st.tuples(st.just("assoc_all"), st.integers(0, 20)),
        st.tuples(st.just("back"), positions),
        st.tuples(st.just("read"), keys),
    ),
    max_size=60,
)


@given(st.sampled_from([0, 5, SMALL - 1, SMALL, SMALL + 1, 200]), map_operations)
@settings(max_examples=150, deadline=None)
def test_maps_behave_like_dicts_that_are_copied(size, operations):
    start = {i: i for i in range(size)}
    versions = [(Map(dict(start)), start)]
    for count, (name, n) in enumerate(operations):
        m, model = versions[-1]
        if name == "assoc":
            m, model = m.assoc(n, count), model | {n: count}
        elif name == "dissoc":
            m, model = m.dissoc(n), {key: value for key, value in model.items() if key != n}
        elif name == "assoc_all":
            added = {str(i * 3): count for i in range(n)}
            m, model = m.assoc_all(added), model | added
        elif name == "back":
            m, model = versions[n % len(versions)]
        elif name == "read":
            assert m.get(n, "none") == model.get(n, "none")
            assert (n in m) == (n in model)
        versions.append((m, model))
    for m, model in versions:
        assert m.items() == list(model.items())
        assert (m.keys(), m.values(), len(m)) == (list(model), list(model.values()), len(model))
        assert equal(m, Map(dict(reversed(model.items()))))


members = st.one_of(
    st.integers(-2, 40),
    st.sampled_from([True, 1.0, None, "a", A, Vector([-1]), Vector([-2]), Set([1]), Map({A: 1})]),
)
set_operations = st.lists(st.tuples(st.sampled_from(["conj", "disj", "conj_all"]), members), max_size=80)


@given(set_operations)
@settings(max_examples=150, deadline=None)
def test_sets_behave_like_lists_without_repeats(operations):
    versions = [(Set(), [])]
    for name, member in operations:
        s, model = versions[-1]
        known = any(equal(member, other) for other in model)
        assert (member in s) is known
        if name == "disj":
            s, model = s.disj(member), [other for other in model if not equal(member, other)]
        else:
            s = s.conj(member) if name == "conj" else s.conj_all([member, member])
            model = model if known else [*model, member]
        versions.append((s, model))
    for s, model in versions:
        assert len(s) == len(model)
        assert equal(Vector(s.to_list()), Vector(list(model)))
        assert equal(s, Set(reversed(model)))


@pytest.mark.parametrize("kind", [Vector, List])
@pytest.mark.parametrize("added", [1, 3])
def test_threads_that_add_to_one_version_do_not_see_each_other(kind, added):
    old = list(range(100))
    base = kind(list(old))
    results = {}

    def work(me):
        mine = []
        for turn in range(300):
            v = base
            for i in range(20):
                v = v.conj((me, turn, i)) if added == 1 else v.conj_all([None, (me, turn, i), None])
            mine.append(v)
        results[me] = mine

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for me, mine in results.items():
        for turn, v in enumerate(mine):
            once = [[(me, turn, i)] if added == 1 else [None, (me, turn, i), None] for i in range(20)]
            flat = [item for items in once for item in items]
            assert v.to_list() == (old + flat if kind is Vector else flat[::-1] + old)
    assert base.to_list() == old


# ---------------------------------------------------------------- cost


def _seconds(work):
    best = math.inf
    for _ in range(3):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def _conj():
    v = EMPTY_VECTOR
    for i in range(100_000):
        v = v.conj(i)


def _assoc():
    m = EMPTY_MAP
    for i in range(100_000):
        m = m.assoc(i, i)


def _update_in_place():
    v = Vector(list(range(100_000)))
    for i in range(100_000):
        v = v.assoc(i, 0)


def _rest():
    v = List(range(100_000))
    while v:
        v = v.slice(1, len(v))


def _stack():
    v = List(range(100_000))
    for i in range(100_000):
        v = v.slice(1, len(v)).conj(i)


def _queue():
    v = Vector(list(range(100_000)))
    for i in range(100_000):
        v = v.slice(1, len(v)).conj(i)


@pytest.mark.parametrize("work", [_conj, _assoc, _update_in_place, _rest, _stack, _queue])
def test_a_hundred_thousand_steps_are_not_quadratic(work):
    assert _seconds(work) < 3  # each takes 0.03 to 0.2 s; copying at each step would take minutes


def test_a_queue_lets_go_of_what_left_it():
    left = []

    class Item:
        def __del__(self):
            left.append(self)

    v = Vector([Item() for _ in range(200)])
    for _ in range(5_000):
        v = v.slice(1, len(v)).conj(Item())
    assert len(left) > 3_000


def test_a_small_part_lets_go_of_the_whole():
    dead = []

    class Item:
        def __del__(self):
            dead.append(1)

    part = Vector([Item() for _ in range(1000)]).slice(10, 20)
    assert (len(part), len(dead)) == (10, 990)


def test_a_small_constant_keeps_nothing_that_was_built_from_it():
    dead = []

    class Item:
        def __del__(self):
            dead.append(1)

    for constant in (EMPTY_VECTOR, EMPTY_LIST, Vector([1])):
        dead.clear()
        constant.conj(1).conj(Item())
        constant.conj_all([Item()])
        assert len(dead) == 2


# ---------------------------------------------------------------- the rest


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("message", "bad"),
        ("type", Keyword.of("oops")),
        ("data", 5),
        ("cause", None),
        ("own", 7),
        ("none", "default"),
    ],
)
def test_an_error_answers_as_a_map_would(key, expected):
    value = Map({Keyword.of("own"): 7})
    error = ErrorValue(ApplicationError("oops", "bad", 5, value))
    assert error.get(Keyword.of(key), "default") == expected


def test_an_error_names_its_cause():
    error = Generic("outer")
    error.cause = DivisionByZero()
    cause = ErrorValue(error).get(Keyword.of("cause"))
    assert cause.get(Keyword.of("type")) is Keyword.of("division-by-zero")


@pytest.mark.parametrize("key", [None, True, 1.0, Symbol.of("a"), Vector([])])
def test_other_values_are_no_map_keys(key):
    with pytest.raises(TypeMismatch, match="map key"):
        map_key(key)
    with pytest.raises(TypeMismatch, match="map key"):
        Map({1: 2})(key)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "nil"),
        (True, "boolean"),
        (1, "integer"),
        (1.0, "float"),
        ("", "string"),
        (A, "keyword"),
        (Symbol.of("a"), "symbol"),
        (Vector([]), "vector"),
        (List([]), "list"),
        (Map({}), "map"),
        (Set([]), "set"),
        (lambda: None, "function"),
        (Timestamp(""), "timestamp"),
        (Uuid(""), "uuid"),
        (ErrorValue(DivisionByZero()), "error"),
        (RemoteTicket(""), "ticket"),
    ],
)
def test_type_names(value, name):
    assert type_name(value) == name


def test_calling_collections():
    v, m, s = Vector([A, B]), Map({A: 1}), Set([A])
    assert (v(1), v(2), v(-1, 0), m(A), m(B, 2), s(A), s(B), s(B, 0)) == (B, None, 0, 1, 2, A, None, 0)
    with pytest.raises(TypeMismatch, match="vector lookup"):
        v("a")


def test_an_error_while_a_trie_is_filled_leaves_the_references_of_others_alone():
    held = []

    def pairs():
        yield from ((i, i) for i in range(10_000))
        held.append((1.5, len(held)))  # where the last pair was, if nothing else refers to it
        raise KeyError("stop")

    with pytest.raises(KeyError):
        values._trie(pairs())
    references = sys.getrefcount(held[0])  # of the list and of the call; pytest would add its own
    assert references == 2
