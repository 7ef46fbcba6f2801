"""`rtfs publish`: functions of a program are signed and kept as modules."""

from __future__ import annotations

import os
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from cluster.cli.cache_text import SHORT, counted, one_line
from cluster.cli.keys_choice import signing_path
from cluster.cli.keys_text import NEVER, moment
from cluster.cli.model_choice import add_policy
from cluster.cli.modules_source import KINDS, add_place, folder_of, trusted, usable
from cluster.cli.modules_text import SHORT_KINDS
from cluster.cli.ticket_text import aligned
from policies.cli import files
from rtfs.cli import options as common
from rtfs.cli.console import Console, Exit, UsageError
from rtfs.cli.sources import read_program

if TYPE_CHECKING:
    from actors.caches.l4.publish import NotPublished, Published
    from actors.caches.l4.signing import SigningKey
    from actors.caches.l4.store import StoredModule
    from rtfs.program import Program

_SUMMARY: Final = (
    "Compile a program's functions, try each out against the interpreter, sign it and keep it as a module, for "
    "runtimes that trust the key. Exit code 1 if no function could be published."
)
_EXAMPLES: Final = (
    ("rtfs publish score.rtfs --key build", "all functions, each in the best form that it has"),
    ("rtfs publish score.rtfs --key build --function mail/score --kind wasm", ""),
    ("rtfs publish score.rtfs --key ~/keys/release.pem --not-after 90d", ""),
    ("rtfs publish score.rtfs --key build --dry-run", "what would be published, and what not and why"),
)
_HEADS: Final = ("FUNCTION", "KIND", "VERSION", "ID", "SIZE")


def parse(argv: Sequence[str]) -> Namespace:
    """The options of `rtfs publish`."""
    parser = common.Parser("publish", _SUMMARY, _EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the program; `-` is stdin")
    add = parser.add_argument
    add(
        "--key",
        required=True,
        metavar="NAME_OR_PATH",
        help="that signs: by name, id or file (`rtfs keys list`)",
    )
    add(
        "--function",
        action="append",
        default=[],
        metavar="SYMBOL",
        help="publish this one; may be repeated (default: all that can be)",
    )
    add(
        "--kind",
        **common.one_of(tuple(KINDS)),
        default=None,
        help="in which form (default: wasm where that can be, else ir)",
    )
    add("--not-after", type=moment, metavar="DATE_OR_TIME", help="use it no later: 2030-01-31, 30d, or never")
    add("--dry-run", action="store_true", help="keep nothing, show what would be published")
    common.add_path(parser)
    add_policy(parser)
    add_place(parser)
    return parser.options(argv)


def execute(options: Namespace, console: Console) -> Exit:
    """Publish functions, and say which were not and why."""
    import rtfs
    from policies.errors import PolicyFileError
    from rtfs.errors import RtfsError

    now = time.time()
    source = read_program(options.file)
    with usable():
        key, state = _key(options, now)
        try:
            program = rtfs.compile(source.text, source_name=source.name, modules=common.modules(options))
            done = _published(options, program, key, source.name, now)
        except PolicyFileError as error:
            return files.refuse(error.problems, console)
        except RtfsError as error:
            return console.fail(error, source)
    if not console.json:
        _tell(options, done, now, source.name, console)
        if state != "trusted":
            console.note(f"the key {key.id} is {state} here: nothing that it signed is used")
    fields: dict[str, Any] = {
        "folder": str(folder_of(options)),
        "dry_run": options.dry_run,
        "key": key.id,
        "key_state": state,
        "published": [_described(each, now) for each in done.modules],
        "refused": [_refusal(each) for each in done.refused],
    }
    return console.finish(Exit.VALUE if done.modules else Exit.PROGRAM_ERROR, fields)


def _key(options: Namespace, now: float) -> tuple[SigningKey, str]:
    """The key that signs, and what is thought of it here. Raises UsageError, KeyFileError."""
    from actors.caches.l4.signing import SigningKey
    from actors.caches.l4.trust_file import keys_folder
    from cluster.cli.keys_choice import KnownKey

    key = SigningKey.read(signing_path(options.key, keys_folder(os.environ), os.environ))
    known = KnownKey(id=key.id, public=key.public.hex(), name="", trusted=trusted().keys.get(key.id))
    state = known.state(now)
    if state == "revoked":
        raise UsageError(
            f"the key {key.id} was revoked: nobody would use what it signs", hint="rtfs keys new NAME"
        )
    return key, state


def _published(options: Namespace, program: Program, key: SigningKey, source: str, now: float) -> Published:
    from actors.caches.l4.meaning import Meaning
    from actors.caches.l4.publish import publish
    from actors.caches.l4.store import ModuleStore

    folder = folder_of(options)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is no folder")
    policy = files.policy_in_force(options.policy)
    meaning = None if policy.settings.caches.l4.similar_at_least is None else Meaning(lambda: policy)
    with _rehearsal(options) if options.dry_run else ModuleStore(folder) as store:
        return publish(
            program,
            key,
            store,
            names=tuple(options.function),
            kind=None if options.kind is None else KINDS[options.kind],
            not_after=None if options.not_after == NEVER else options.not_after,
            now=now,
            source=source,
            embed=meaning,
        )


def _rehearsal(options: Namespace) -> Any:
    """The store, in which nothing is kept."""
    from actors.caches.l4.manifest import ModuleManifest, module_id
    from actors.caches.l4.store import ModuleStore, StoredModule

    class Rehearsal(ModuleStore):
        """Gives what it would keep."""

        def put(self, manifest: ModuleManifest, signature: bytes, blob: bytes) -> StoredModule:
            id = module_id(manifest, signature)
            return StoredModule(id=id, manifest=manifest, signature=signature, size=len(blob), used_at=None)

    return Rehearsal(folder_of(options))


# ---------------------------------------------------------------- what came of it


def _tell(options: Namespace, done: Published, now: float, source: str, console: Console) -> None:
    for line in aligned([_HEADS, *map(_row, done.modules)]) if done.modules else ():
        console.show_text(line)
    for line in _lines(done.refused, source):
        console.note(line)
    verb = "would be published" if options.dry_run else "published"
    before = sum(not _is_new(each, now) for each in done.modules)
    known = f", {before} of them before" if before else ""
    number = len(done.modules) + len(done.refused)
    console.note(f"{len(done.modules)} of {counted(number, 'function')} {verb}{known}")


def _is_new(module: StoredModule, now: float) -> bool:
    """Whether it was not there yet: what is there is not published again."""
    return module.manifest.created_at == now


def _row(module: StoredModule) -> tuple[str, ...]:
    from actors.models.generation.memory import text_of

    manifest = module.manifest
    kind = SHORT_KINDS[manifest.kind]
    return one_line(manifest.symbol), kind, str(manifest.version), module.id[:SHORT], text_of(module.size)


def _lines(refused: Sequence[NotPublished], source: str) -> Iterator[str]:
    for each in refused:
        at = "" if each.span is None else f":{each.span.line}:{each.span.column}"
        yield one_line(f"{source}{at}: {each.name} is not published: {each.why}")


def _described(module: StoredModule, now: float) -> dict[str, Any]:
    manifest = module.manifest
    return {
        "id": module.id,
        "new": _is_new(module, now),
        "function": manifest.symbol,
        "kind": manifest.kind,
        "version": manifest.version,
        "size": module.size,
        "content_hash": manifest.content_hash,
        "interface_hash": manifest.interface_hash,
        "body_hash": manifest.body_hash,
        "not_after": manifest.not_after,
    }


def _refusal(each: NotPublished) -> dict[str, Any]:
    from rtfs.error_json import place

    return {"name": each.name, "why": each.why, **place(each.span)}
