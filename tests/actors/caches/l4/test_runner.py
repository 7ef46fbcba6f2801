"""Modules that run in place of functions, and all that keeps one from it."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from publishing_node import KEY, Node

import rtfs
from actors.caches.l4.errors import ModuleRefused
from actors.caches.l4.manifest import ModuleManifest, content_hash, decode_manifest
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import StoredModule
from actors.caches.l4.trust import TrustStore
from policies.context import CallContext, CallFacts
from rtfs import errors
from rtfs.backends import FORMS, ModuleKind
from rtfs.delegation import FunctionInfo, L4CacheHit
from rtfs.slices import slice_of

#: what is published, and what a node has in its own file: the same, or another body
OURS = "(defn f [n : int] : int (+ n 1))"
OTHER = "(defn f [n : int] : int (+ n 1000))"
ANY_BODY = "(defn ^{:module :published} f [n : int] : int (+ n 1000))"
FALLS_BACK = '[delegation]\n[delegation.caches.l4]\naccept = "interface"\n'


def info(text: str, symbol: str = "f") -> FunctionInfo:
    program = rtfs.compile(text)
    return next(each for _, each in program.functions(program.unit) if each.symbol == symbol)


def put(node: Node, blob: bytes, key: SigningKey = KEY, text: str = OURS, **change: Any) -> StoredModule:
    """Sign and keep a module for `f`, whatever its bytes are."""
    manifest = node.publish(text, names=["f"], kind="IrBinary").modules[0].manifest
    node.store.remove([each.id for each in node.store.all()])
    manifest = replace(manifest, content_hash=content_hash(blob), key_id=key.id, **change)
    return node.store.put(manifest, key.sign(manifest), blob)


@pytest.fixture
def anybody(tmp_path: Path) -> Any:
    """A node that takes modules of any body, so that it shows who answered."""
    made = Node(tmp_path, FALLS_BACK)
    yield made
    made.close()


# ---------------------------------------------------------------- found and run


@pytest.mark.parametrize("kind", FORMS)
def test_a_module_stands_for_the_same_function(node: Node, kind: ModuleKind) -> None:
    node.publish(OURS, kind=kind)
    loaded = node.runner.bound(info(OURS), hit(node))
    assert loaded is not None
    assert loaded(1) == 2
    assert node.run(OURS + "(f 1)") == 2


def test_not_for_one_of_another_body(node: Node) -> None:
    node.publish(OURS)
    assert node.run(OTHER + "(f 1)") == 1001
    assert node.run(ANY_BODY + "(f 1)") == 2


def test_a_policy_may_take_any_body(anybody: Node) -> None:
    anybody.publish(OURS)
    assert anybody.run(OTHER + "(f 1)") == 2
    assert anybody.run("(defn f [n : float] : int 7) (f 1.0)") == 7  # another interface


def test_a_call_costs_no_delegation(anybody: Node) -> None:
    anybody.publish(OURS)
    assert anybody.run(OTHER + "(reduce + 0 (map f (range 100)))") == 5050
    assert anybody.records == []


def test_where_nothing_stands_for_a_function_each_call_goes_to_the_runner(tmp_path: Path) -> None:
    node = Node(tmp_path, FALLS_BACK, binds=False)
    node.publish(OURS)
    assert node.run(OTHER + "[(f 1) (f 2)]").to_list() == [2, 3]  # type: ignore[union-attr]
    assert node.answered_by == ["L4CacheHit", "L4CacheHit"]
    node.close()


def test_what_is_published_while_programs_run_counts_from_the_next_run_on(anybody: Node) -> None:
    linked = rtfs.compile(OTHER + "(f 1)").link(anybody.delegate)
    assert linked.run() == 1001
    anybody.publish(OURS)
    assert linked.run() == 2
    anybody.trusting(lambda trust: trust.revoking_key(KEY.id, now=1.0))
    assert linked.run() == 1001


@pytest.mark.parametrize("kind", FORMS)
def test_errors_are_those_of_the_function(anybody: Node, kind: ModuleKind) -> None:
    text = "(defn f [n : int] : int\n  (if (> n 5)\n    (* n 9223372036854775807)\n    n))"
    anybody.publish(text, kind=kind)
    with pytest.raises(errors.IntegerOverflow) as caught:
        anybody.run(OTHER + "(f 9)")
    assert (caught.value.source, caught.value.span and caught.value.span.line) == ("plan.rtfs", 3)


def test_the_newest_version_counts(anybody: Node) -> None:
    anybody.publish(OURS)
    anybody.now += 1
    anybody.publish(OURS.replace("1", "2"))
    assert anybody.run(OTHER + "(f 1)") == 3


# ---------------------------------------------------------------- refused


def hit(node: Node) -> L4CacheHit:
    module = node.store.all()[0]
    return L4CacheHit(module.id, module.signature.hex())


def reason(node: Node, function: FunctionInfo | None = None) -> str:
    """Why the only module is refused by whoever runs it."""
    with pytest.raises(ModuleRefused) as caught:
        node.runner.load(hit(node), function or info(OURS))
    return caught.value.reason


def refuses(node: Node, why: str) -> None:
    """The module is refused for this reason, and the function answers all the same."""
    assert reason(node) == why
    assert node.run(OURS + "(f 1)") == 2
    assert node.run(ANY_BODY + "(f 1)") == 1001


GOOD = FORMS["IrBinary"].backend.compile(slice_of(rtfs.compile(OURS), "f"), None)
CHANGES: list[tuple[str, Callable[[TrustStore], TrustStore]]] = [
    ("unknown-key", lambda trust: TrustStore()),
    ("revoked-key", lambda trust: trust.revoking_key(KEY.id, now=1.0, why="lost")),
    ("expired-key", lambda trust: trust.trusting(KEY.public, "build", now=1.0, not_after=500.0)),
    ("revoked", lambda trust: trust.revoking_module(content_hash(GOOD), now=1.0)),
]


@pytest.mark.parametrize(("why", "change"), CHANGES)
def test_whose_key_is_not_trusted_now(node: Node, why: str, change: Any) -> None:
    put(node, GOOD)
    node.trusting(change)
    refuses(node, why)


def test_a_module_of_a_key_that_nobody_trusts(node: Node) -> None:
    put(node, GOOD, SigningKey.new())
    refuses(node, "unknown-key")


def test_an_expired_module(node: Node) -> None:
    put(node, GOOD, not_after=node.now + 5)
    assert node.run(ANY_BODY + "(f 1)") == 2
    node.now += 6
    refuses(node, "expired")


def test_a_module_of_another_language(node: Node) -> None:
    put(node, GOOD, language_version="1.9")
    refuses(node, "language")


def test_a_valid_signature_over_another_kind(node: Node) -> None:
    for kind in ("WasmBytecode", "CompressedRtfsSource"):
        put(node, GOOD, kind=kind)
        refuses(node, "kind")


def test_a_valid_signature_over_another_function(node: Node) -> None:
    other = FORMS["IrBinary"].backend.compile(slice_of(rtfs.compile(OTHER), "f"), None)
    put(node, other)  # whose manifest says that it was made of `OURS`
    refuses(node, "kind")


def test_a_signed_module_that_asks_a_host(node: Node) -> None:
    asks = rtfs.compile("(defn f [n : int] : int (do (call :demo.steal n) 1))")
    put(node, FORMS["IrBinary"].backend.compile(slice_of(asks, "f"), None))
    refuses(node, "kind")


def test_a_signed_module_whose_definitions_never_end(node: Node) -> None:
    endless = rtfs.compile("(defn spin [x] (spin x)) (def table (spin 1)) (defn f [n : int] : int (+ n table))")
    part = slice_of(endless, "f")
    put(node, FORMS["IrBinary"].backend.compile(part, None), body_hash=part.digest)
    assert reason(node) == "kind"


def test_a_signed_module_whose_source_is_a_bomb(node: Node) -> None:
    from zstandard import ZstdCompressor

    put(node, ZstdCompressor().compress(b"(" * (1 << 26)), kind="CompressedRtfsSource")
    refuses(node, "kind")


def test_a_swapped_manifest(node: Node) -> None:
    module = put(node, GOOD)
    for change in ({"symbol": "g"}, {"version": 9}, {"return_type": "any"}, {"kind": "WasmBytecode"}):
        node.store.remove([each.id for each in node.store.all()])
        manifest: ModuleManifest = replace(module.manifest, **change)  # type: ignore[arg-type]
        node.store.put(manifest, module.signature, GOOD)
        assert reason(node) == "bad-signature"
    assert node.run(ANY_BODY + "(f 1)") == 1001


def test_another_signature_than_was_decided_for(node: Node) -> None:
    module = put(node, GOOD)
    with pytest.raises(ModuleRefused, match="another signature"):
        node.runner.load(L4CacheHit(module.id, "00" * 64), info(OURS))
    with pytest.raises(ModuleRefused, match="missing"):
        node.runner.load(L4CacheHit("ab" * 32, ""), info(OURS))


# ---------------------------------------------------------------- downgrades


def test_an_older_version_does_not_come_back(anybody: Node) -> None:
    first = anybody.publish(OURS).modules[0]
    anybody.now += 1
    second = anybody.publish(OURS.replace("1", "2")).modules[0]
    assert anybody.run(OTHER + "(f 1)") == 3
    anybody.store.remove([second.id])  # by whoever can write to the store
    assert anybody.run(OTHER + "(f 1)") == 1001
    with pytest.raises(ModuleRefused) as caught:
        anybody.runner.load(L4CacheHit(first.id, first.signature.hex()), info(OTHER))
    assert caught.value.reason == "downgrade"
    anybody.trusting(lambda trust: trust.pinning(first.manifest.interface_hash, first.id))
    assert anybody.run(OTHER + "(f 1)") == 2


def test_a_pin_holds_a_version(anybody: Node) -> None:
    first = anybody.publish(OURS).modules[0]
    anybody.now += 1
    anybody.publish(OURS.replace("1", "2"))
    interface = first.manifest.interface_hash
    anybody.trusting(lambda trust: trust.pinning(interface, first.id))
    assert anybody.run(OTHER + "(f 1)") == 2
    anybody.trusting(lambda trust: trust.unpinning(interface))
    assert anybody.run(OTHER + "(f 1)") == 3


# ---------------------------------------------------------------- tampering


@pytest.mark.parametrize("kind", FORMS)
def test_every_byte_of_a_module_matters(node: Node, kind: ModuleKind) -> None:
    module = node.publish(OURS, kind=kind).modules[0]
    blob = node.store.blob(module.manifest.content_hash)
    assert blob is not None
    trust = node.index.trust
    trust.check_blob(module.manifest, blob)
    for at in range(len(blob)):
        flipped = blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]
        with pytest.raises(ModuleRefused, match="damaged"):
            trust.check_blob(module.manifest, flipped)
    for cut in (b"", blob[:-1], blob[: len(blob) // 2]):
        with pytest.raises(ModuleRefused, match="damaged"):
            trust.check_blob(module.manifest, cut)


def test_every_byte_of_a_manifest_and_of_its_signature_matters(node: Node) -> None:
    """Whoever can change the store changes a record, and files it under the new id."""
    module = node.publish(OURS).modules[0]
    record = module.manifest.encode(module.signature)
    trust, refused = node.index.trust, 0
    for at in range(len(record)):
        for bit in (1, 128):
            flipped = record[:at] + bytes([record[at] ^ bit]) + record[at + 1 :]
            with pytest.raises(ModuleRefused):
                trust.check(*decode_manifest(flipped), now=node.now)
            refused += 1
    assert refused == 2 * len(record)


def test_the_call_answers_whatever_became_of_the_bytes(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.publish(OURS)
    real = node.store.blob
    for spoil in (lambda blob: None, lambda blob: b"", lambda blob: blob[:-1], lambda blob: blob + b"\0"):
        node.runner._loaded.clear()
        monkeypatch.setattr(node.store, "blob", lambda hash, spoil=spoil: spoil(real(hash)))
        assert node.run(ANY_BODY + "(f 1)") == 1001
    monkeypatch.undo()
    node.runner._loaded.clear()
    node.trusting(lambda trust: trust.seeing("x", 1))  # the link is made anew
    assert node.run(ANY_BODY + "(f 1)") == 2


def test_a_file_of_trust_that_is_damaged_trusts_nobody(node: Node) -> None:
    node.publish(OURS)
    node.trust_path.write_text("{", "utf-8")
    assert node.run(ANY_BODY + "(f 1)") == 1001


def test_it_runs_in_a_new_process(node: Node) -> None:
    """Nothing of what was published is taken from memory."""
    node.publish(OURS)
    code = f"""
        from pathlib import Path
        from publishing_node import Node
        from actors.caches.l4 import publish
        node = Node.__new__(Node)
        import actors.caches.l4.trust as trust
        kept = trust.TrustStore.read(Path({str(node.trust_path)!r}))
        Node.__init__(node, Path({str(node.trust_path.parent)!r}))
        kept.write(node.trust_path)
        print(node.run({ANY_BODY!r} + "(f 1)"))
    """
    path = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {path!r})\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "2"


# ---------------------------------------------------------------- by meaning


def test_similar_modules_by_their_description(tmp_path: Path) -> None:
    vectors = {
        "Adds one.": b"\0\0\x80\x3f\0\0\0\0",
        "Plus one.": b"\0\0\x80\x3f\0\0\x80\x3d",
        "Else.": b"\0\0\0\0\0\0\x80\x3f",
    }
    policy = "[delegation]\n[delegation.caches.l4]\nsimilar_at_least = 0.9\n"
    node = Node(tmp_path, policy)
    node.index._embed = lambda text: ("e1", vectors[text])
    node.publish('(defn plus-one "Plus one." [n : int] : int (+ n 1))', embed=node.index._embed)
    node.publish('(defn other "Else." [n : int] : int (+ n 5))', embed=node.index._embed)
    assert node.run('(defn incr "Adds one." [n : int] : int 77) (incr 1)') == 2
    assert node.run('(defn incr "Adds one." [n : int] : float 77.5) (incr 1)') == 77.5
    context = CallContext.of(CallFacts(function=info('(defn incr "Adds one." [n : int] : int 77)', "incr")))
    plan = node.delegate.engine.plan(context)
    assert "a meaning 0.998 like its own" in plan.reasoning
    node.close()
