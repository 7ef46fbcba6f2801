"""Which module files a program needs, so that they can travel with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtfs.analyze.environment import ModuleStore
    from rtfs.program import Program


def modules_of(source: str, name: str, store: ModuleStore) -> dict[str, str]:
    """The texts of all modules that a program may load, by name; those that have no file are left out.

    A program or module that is refused needs what was looked for until then: whoever runs it reports the error.

    Args:
        source: the text of the program.
        name: what errors call it.
        store: where module files are.
    """
    import rtfs
    from rtfs.errors import RtfsError

    found = _Found(store)
    try:
        _load_all(rtfs.compile(source, source_name=name, modules=found))
    except RtfsError:
        pass
    return dict(sorted(found.texts.items()))


class _Found:
    """A store of modules that keeps the texts which were found in it."""

    def __init__(self, store: ModuleStore) -> None:
        self._store = store
        self.texts: dict[str, str] = {}

    def find(self, name: str) -> tuple[str, str] | None:
        """As the store."""
        found = self._store.find(name)
        if found is not None:
            self.texts[name] = found[0]
        return found


def _load_all(program: Program) -> None:
    """Have each module that the program or one of its modules may load looked for."""
    from rtfs.errors import RtfsError

    seen: set[str] = set()
    units = [program.unit]
    while units:
        for name in sorted(program.loads(units.pop()) - seen):
            seen.add(name)
            try:
                unit = program.module_unit(name)
            except RtfsError:
                continue
            if unit is not None:
                units.append(unit)
