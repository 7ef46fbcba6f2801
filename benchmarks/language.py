"""How fast the language runs, beside plain Python. `python benchmarks/language.py [--json]`"""

from __future__ import annotations

import functools
import marshal
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import rtfs
from benchmarks.measure import Row, bound, ratio, report
from rtfs.run import Limits

FREE = Limits()
#: both sides may keep compiled modules, as they do on a user's machine
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def runner(text: str) -> Callable[[], object]:
    linked = rtfs.compile(text).link()
    return lambda: linked.run(limits=FREE)


# ---------------------------------------------------------------- calls and loops


def fib(n: int) -> int:
    return n if n < 2 else fib(n - 1) + fib(n - 2)


FIB = "(defn fib [n] (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 25)"
TYPED_FIB = "(defn fib [n : int] : int (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))) (fib 25)"
LOOP = "(loop [i 0 s 0] (if (< i 1000000) (recur (+ i 1) (+ s i)) s))"
UNTYPED_SUM = "(defn sum [n] (loop [i 0 s 0] (if (< i n) (recur (+ i 1) (+ s i)) s))) (sum 1000000)"
TYPED_SUM = "(defn sum [n : int] : int (loop [i 0 s 0] (if (< i n) (recur (+ i 1) (+ s i)) s))) (sum 1000000)"


def python_loop() -> int:
    i = s = 0
    while i < 1_000_000:
        s += i
        i += 1
    return s


def calls() -> list[Row]:
    return [
        ratio("fib(25), untyped", runner(FIB), lambda: fib(25), peer_name="plain Python", at_most=3),
        ratio("loop of 1 000 000 steps", runner(LOOP), python_loop, peer_name="Python while", at_most=3),
        ratio("fib(25), typed", runner(TYPED_FIB), runner(FIB), peer_name="untyped RTFS", at_most=1),
        ratio(
            "loop over a parameter, typed",
            runner(TYPED_SUM),
            runner(UNTYPED_SUM),
            peer_name="untyped RTFS",
            at_most=1,
        ),
    ]


# ---------------------------------------------------------------- collections

CONJ = "(reduce conj [] (range 0 100000))"
ASSOC = "(count (reduce (fn [m i] (assoc m i i)) {} (range 0 100000)))"


def python_append() -> int:
    found: list[int] = []
    for i in range(100_000):
        found.append(i)
    return len(found)


def python_dict() -> int:
    return len(functools.reduce(lambda m, i: m.__setitem__(i, i) or m, range(100_000), {}))


def collections() -> list[Row]:
    return [
        bound("reduce conj, 100 000", runner(CONJ), python_append, peer_name="list.append", at_most_s=0.15),
        bound("assoc of 100 000 keys", runner(ASSOC), python_dict, peer_name="dict, mutable", at_most_s=0.3),
    ]


# ---------------------------------------------------------------- starting


def evaluate_warm() -> Row:
    def ours() -> None:
        for _ in range(1000):
            rtfs.evaluate("(+ 1 2)")

    def peer() -> None:
        for _ in range(1000):
            eval("1 + 2", {})

    name = 'evaluate("(+ 1 2)"), warm'
    return bound(name, ours, peer, peer_name='eval("1 + 2")', at_most_s=50e-6, repeats=1000)


def thousand_lines() -> tuple[str, str]:
    """An RTFS program of 1 000 lines, and a Python program like it."""
    ours, peer = [], []
    for i in range(250):
        ours.append(
            f"(defn f{i} [x y]\n  (let [a (+ x {i}) b (* y 2)]\n"
            f'    (if (> a b) {{:name "f{i}" :value a}}\n      [:small b {i} (str "f" a)])))'
        )
        peer.append(
            f"def f{i}(x, y):\n    a, b = x + {i}, y * 2\n"
            f'    if a > b: return {{"name": "f{i}", "value": a}}\n    return ["small", b, {i}, "f" + str(a)]'
        )
    return "\n".join(ours), "\n".join(peer)


def unchanged_file() -> Row:
    from rtfs.code_cache import load_or_compile

    text, python_text = thousand_lines()
    code = marshal.dumps(compile(python_text, "peer", "exec"))
    with tempfile.TemporaryDirectory() as folder:
        store = rtfs.FileModules(folder)

        def ours() -> None:
            load_or_compile(text, "plan.rtfs", store, Path(folder)).run(limits=FREE)

        def peer() -> None:
            exec(marshal.loads(code), {})

        return bound(
            "start an unchanged 1 000-line file", ours, peer, peer_name="marshal.loads, exec", at_most_s=5e-3
        )


def hello() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "hello.rtfs")
        program.write_text('(println "hello")\n')

        def ours() -> None:
            done = subprocess.run(
                [sys.executable, "-m", "rtfs", "run", str(program)], capture_output=True, check=True
            )
            assert done.stdout == b"hello\n", done

        def peer() -> None:
            subprocess.run([sys.executable, "-c", "pass"], check=True, env=ENVIRONMENT)

        return bound(
            "rtfs run hello.rtfs", ours, peer, peer_name="python -c pass", at_most_s=0.1, over_peer=True
        )


# ---------------------------------------------------------------- depth


def deep() -> Row:
    text = "(defn down [n] (if (= n 0) 0 (+ 1 (down (- n 1))))) (down 99000)"

    def peer() -> None:
        sys.setrecursionlimit(200_000)

        def down(n: int) -> int:
            return 0 if n == 0 else 1 + down(n - 1)

        down(99_000)

    return ratio("recursion 99 000 deep", runner(text), peer, peer_name="plain Python", at_most=3)


# ---------------------------------------------------------------- limits


def limits() -> Row:
    linked = rtfs.compile(LOOP).link()
    bounded = Limits(deadline_s=60, allocation_bytes=1 << 30, output_bytes=1 << 20)
    return ratio(
        "the same loop under all limits",
        lambda: linked.run(limits=bounded),
        lambda: linked.run(limits=FREE),
        peer_name="under none",
        at_most=1.05,
    )


def main() -> int:
    rows = [*calls(), limits(), *collections(), evaluate_warm(), unchanged_file(), hello(), deep()]
    return report("RTFS, the language", rows)


if __name__ == "__main__":
    raise SystemExit(main())
