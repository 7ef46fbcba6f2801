"""Publishing: functions of a program are compiled, tried out, signed, and kept as modules.

A function is published if it stands by itself, asks nothing but its arguments, and agrees with its declared
types as far as that can be told beforehand; and if what was compiled gives the same as the reference
interpreter for arguments that its types allow: the same value, or the same error. A compiler's mistake that
these find is not signed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from actors.caches.l4.manifest import ModuleManifest, content_hash
from actors.caches.l4.signing import SigningKey
from actors.caches.l4.store import ModuleStore, StoredModule
from policies.engines.l4 import LANGUAGE_VERSION, interface_hash
from rtfs import errors, ir
from rtfs.backends import FORMS, ModuleKind, NotCompiled, NotLoaded
from rtfs.check.unit import check_unit
from rtfs.delegation import FunctionInfo
from rtfs.emit_python.blame import blamed
from rtfs.errors import Span
from rtfs.printer import pr_str
from rtfs.program import Program, new_run
from rtfs.run import Limits, running
from rtfs.slices import NotSliced, Reach, Slice, impurity_of, slice_in
from rtfs.spell import nearest
from rtfs.types.examples import NoExample, example
from rtfs.values import Value

#: forms in the order in which they are tried
BEST_FIRST: Final[tuple[ModuleKind, ...]] = ("WasmBytecode", "IrBinary", "CompressedRtfsSource")
#: argument lists that a function is tried with
TRIALS: Final = 32
#: trials that may be stopped before no more are made
MOST_STOPPED: Final = 4
#: what one call of a trial may take: it is stopped there on both sides, and tells nothing. WebAssembly is left
#: out of runs that allow less depth than usual
_TRIAL: Final = Limits(deadline_s=0.1, allocation_bytes=64 << 20)

#: gives the version of an embedder and the embedding of a text by it, float32, little-endian
type Embed = Callable[[str], tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotPublished:
    """A function that was not published, why, and where."""

    name: str
    why: str
    span: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published, and what was not."""

    modules: tuple[StoredModule, ...]
    refused: tuple[NotPublished, ...]


def publish(
    program: Program,
    key: SigningKey,
    store: ModuleStore,
    *,
    now: float,
    names: Sequence[str] = (),
    kind: ModuleKind | None = None,
    not_after: float | None = None,
    source: str = "",
    embed: Embed | None = None,
) -> Published:
    """Publish functions that a program defines at its top level, or in modules in its text.

    A module that is there already, of the same function, form and key, is not published again.

    Args:
        now: seconds since the epoch.
        names: symbols of the functions; none: all of them.
        kind: the form; None: WebAssembly where that can be, else IR.
        not_after: until when the modules are good, seconds since the epoch; None: no bound.
        source: where the program is, for people.
        embed: of docstrings, for being found by meaning; None: they are not.

    Raises:
        StoreError: they cannot be kept.
    """
    defined = dict(Reach(program.unit).functions())
    functions = {info.symbol: info for node, info in program.functions(program.unit) if info.symbol in defined}
    modules, refused = list[StoredModule](), list[NotPublished]()
    for name in dict.fromkeys(names or defined):
        info = functions.get(name)
        if info is None:
            near = nearest(name, defined)
            hint = f"; did you mean `{near}`?" if near else ""
            why = f"the program defines no function of this name{hint}"
            refused.append(NotPublished(name=name, why=why))
            continue
        try:
            part = slice_in(program.unit, name)
            impure = impurity_of(part)
            if impure is not None:
                raise impure
            _check_types(part)
            form, blob = _compiled(part, program.text, kind)
            trials = _try_out(part, form, blob)
        except (NotSliced, NotCompiled) as error:
            refused.append(NotPublished(name=name, why=error.reason, span=error.span or defined[name].span))
            continue
        modules.append(_stored(store, key, info, form, blob, trials, now, not_after, source, embed))
    return Published(modules=tuple(modules), refused=tuple(refused))


def _check_types(part: Slice) -> None:
    """Refuse a function of which it is certain, without running it, that it gives or takes what it must not.

    Raises:
        NotCompiled: so it is.
    """
    for problem in check_unit(part.unit):
        if problem.severity == "error":
            raise NotCompiled(part.symbol, problem.message, problem.span)


def _compiled(part: Slice, text: str, kind: ModuleKind | None) -> tuple[ModuleKind, bytes]:
    """The best form that the function has, or the one that is wanted. Raises NotCompiled."""
    last: NotCompiled | None = None
    for each in BEST_FIRST if kind is None else (kind,):
        try:
            return each, FORMS[each].backend.compile(part, text)
        except NotCompiled as error:
            last = error
    assert last is not None
    raise last


def _stored(
    store: ModuleStore,
    key: SigningKey,
    info: FunctionInfo,
    kind: ModuleKind,
    blob: bytes,
    trials: int,
    now: float,
    not_after: float | None,
    source: str,
    embed: Embed | None,
) -> StoredModule:
    interface = interface_hash(info)
    known = store.of_interface(interface)
    content = content_hash(blob)
    for each in known:
        same = (each.manifest.content_hash, each.manifest.key_id, each.manifest.not_after)
        if same == (content, key.id, not_after) and each.manifest.kind == kind:
            return each
    embedder, embedding = ("", b"") if embed is None or not info.doc else embed(info.doc)
    manifest = ModuleManifest(
        symbol=info.symbol,
        interface_hash=interface,
        body_hash=info.body_hash,
        parameter_types=info.parameter_types,
        return_type=info.return_type,
        language_version=LANGUAGE_VERSION,
        kind=kind,
        content_hash=content,
        version=1 + max((each.manifest.version for each in known), default=0),
        created_at=now,
        not_after=not_after,
        description=info.doc or "",
        source=source,
        embedder=embedder,
        embedding=embedding,
        trials=trials,
        key_id=key.id,
    )
    return store.put(manifest, key.sign(manifest), blob)


# ---------------------------------------------------------------- trying out


def _try_out(part: Slice, kind: ModuleKind, blob: bytes) -> int:
    """Compare what was compiled with the interpreter; for how many argument lists that was done.

    Raises:
        NotCompiled: they differ.
    """
    try:
        compiled = FORMS[kind].executor.load(blob, part.symbol).function
        reference = part.function(backend="interpreter")
    except (NotLoaded, errors.RtfsError) as error:
        raise NotCompiled(part.symbol, f"it does not load: {error}", part.lambda_.span) from error
    stopped = compared = 0
    for args in _argument_lists(part):
        expected = _outcome(reference, args)
        found = None if expected is None else _outcome(compiled, args)
        if found is None:
            stopped += 1
            if stopped == MOST_STOPPED:
                break
        elif expected != found:
            shown = " ".join(map(pr_str, args))
            raise NotCompiled(
                part.symbol,
                f"it gives {found} for ({shown}) as {kind}, the interpreter {expected}; this is a bug of RTFS",
                part.lambda_.span,
            )
        else:
            compared += 1
    return compared


def _argument_lists(part: Slice) -> Iterator[tuple[Value, ...]]:
    arity = part.lambda_.arities[0]
    aliases = {each.name: each.type for each in _type_names(part.unit)}
    seed = hashlib.sha256(part.digest.encode()).digest()
    random = Random(seed)  # the same arguments for the same function
    for _ in range(TRIALS):
        try:
            yield tuple(example(each.type, random, aliases) for each in arity.params)
        except NoExample:
            return


def _type_names(unit: ir.Unit) -> Iterator[ir.DefType]:
    for form in unit.forms:
        for each in form.items if isinstance(form, ir.Do) else (form,):
            if isinstance(each, ir.DefType):
                yield each
            elif isinstance(each, ir.ModuleForm):
                yield from (inner for inner in each.body if isinstance(inner, ir.DefType))


def _outcome(function: Callable[..., Value], args: tuple[Value, ...]) -> str | None:
    """What a call gives, as text; None: it was stopped."""
    with running(new_run(None, None, _TRIAL, None)):
        try:
            return pr_str(function(*args))
        except Exception as exc:
            error = blamed(exc)
            return None if isinstance(error, errors.LimitError) else f"the error {error.category}"
