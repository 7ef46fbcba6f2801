"""Compiled modules: what they export, and where in the source their traps come from.

A module describes itself: beside the bytes nothing is needed to run it. What its functions take and give
stands in the custom section `rtfs.functions`, in JSON; the source map in `rtfs.sites`.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rtfs.emit_wasm.binary import Site, custom_section, name, read_unsigned, unsigned
from rtfs.emit_wasm.kinds import Kind
from rtfs.emit_wasm.refusal import Refusal
from rtfs.errors import Span

#: version of the meaning of the two sections, and of how values are handed over
VERSION: Final = 2
#: parameters that an exported function may have
MOST_PARAMETERS: Final = 64
#: bytes that a module may have: compiling one is not bounded otherwise
MOST_BYTES: Final = 4 << 20
#: kinds of parameters, and of results, of exported functions
PARAMETERS: Final = frozenset({Kind.INT, Kind.FLOAT, Kind.BOOL, Kind.INTS, Kind.FLOATS, Kind.STRING})
RESULTS: Final = PARAMETERS | {Kind.NIL, Kind.QUOTIENT}
FUNCTIONS_SECTION: Final = "rtfs.functions"
SITES_SECTION: Final = "rtfs.sites"


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmFunction:
    """A function that a module exports under its name."""

    name: str
    params: tuple[Kind, ...]
    result: Kind
    #: global names that it and the functions it calls rely on being defined
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a trap comes from."""

    source: str
    span: Span | None
    reason: str


class SourceMap:
    """From offsets in a module's bytes to places.

    A compiler may report a trap at the branch that leads to it, so the place is that of the next site. Behind
    the last one stand functions of the library, which have none.
    """

    def __init__(self, source: str, sites: Iterable[Site]) -> None:
        self.source = source
        self._sites = sorted(sites, key=lambda site: site.offset)
        self._offsets = [site.offset for site in self._sites]

    def __len__(self) -> int:
        return len(self._sites)

    def find(self, offset: int) -> Place | None:
        """The place of a trap that was reported at `offset`, None if it is in the library."""
        index = bisect_left(self._offsets, offset)
        if index == len(self._sites):
            return None
        site = self._sites[index]
        return Place(source=self.source, span=site.span, reason=site.reason)

    def encode(self) -> bytes:
        """The content of its section. Offsets count from the site before; a span of zeros is none."""
        reasons = list(dict.fromkeys(site.reason for site in self._sites))
        out = [name(self.source), unsigned(len(reasons)), *map(name, reasons), unsigned(len(self._sites))]
        last = 0
        for site in self._sites:
            numbers = (site.offset - last, reasons.index(site.reason), *(site.span or (0, 0, 0, 0)))
            out += map(unsigned, numbers)
            last = site.offset
        return b"".join(out)

    @classmethod
    def decode(cls, data: bytes) -> SourceMap:
        """What `encode` made. Raises ValueError."""
        try:
            return cls._decoded(data)
        except IndexError:
            raise ValueError("the source map of a module is cut off") from None

    @classmethod
    def _decoded(cls, data: bytes) -> SourceMap:
        source, at = _read_name(data, 0)
        count, at = read_unsigned(data, at)
        reasons = []
        for _ in range(count):
            reason, at = _read_name(data, at)
            reasons.append(reason)
        count, at = read_unsigned(data, at)
        sites, offset = [], 0
        for _ in range(count):
            numbers = []
            for _ in range(6):
                number, at = read_unsigned(data, at)
                numbers.append(number)
            offset += numbers[0]
            sites.append(Site(offset, Span(*numbers[2:]) if numbers[2] else None, reasons[numbers[1]]))
        return cls(source, sites)


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    length, at = read_unsigned(data, at)
    if at + length > len(data):
        raise IndexError
    return data[at : at + length].decode("utf-8", "surrogatepass"), at + length


@dataclass(frozen=True, slots=True, kw_only=True)
class WasmArtifact:
    """A compiled unit."""

    #: the module, None if no function of the unit becomes wasm
    module: bytes | None
    functions: tuple[WasmFunction, ...]
    #: why the others do not, in the order of the program
    refusals: tuple[Refusal, ...]
    source_map: SourceMap
    #: those functions that may copy whole vectors where Python shares them, so that they may be slower; this is
    #: known of what was compiled just now, and does not stand in the module
    copying: frozenset[str] = frozenset()

    @classmethod
    def of_module(cls, module: bytes) -> WasmArtifact:
        """The artifact that the bytes of a module describe; no refusals are kept in it.

        Raises:
            ValueError: the bytes are no module of this compiler, or of another version.
        """
        if len(module) > MOST_BYTES:
            raise ValueError(f"a module may have {MOST_BYTES} bytes, this one has {len(module)}")
        described = custom_section(module, FUNCTIONS_SECTION)
        sites = custom_section(module, SITES_SECTION)
        if described is None or sites is None:
            raise ValueError("these bytes are no WebAssembly module that RTFS compiled")
        return cls(
            module=module,
            functions=_read_functions(described),
            refusals=(),
            source_map=SourceMap.decode(sites),
        )


def functions_section(functions: Iterable[WasmFunction]) -> bytes:
    """The content of the section that describes what a module exports."""
    entries = [
        {
            "name": each.name,
            "params": [kind.name for kind in each.params],
            "result": each.result.name,
            "needs": list(each.needs),
        }
        for each in functions
    ]
    return json.dumps({"version": VERSION, "functions": entries}, separators=(",", ":")).encode()


def _read_functions(data: bytes) -> tuple[WasmFunction, ...]:
    try:
        document = json.loads(data)
        if document["version"] != VERSION:
            raise ValueError(f"the module is of version {document['version']}, expected {VERSION}")
        found = tuple(map(_read_function, document["functions"]))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"the section {FUNCTIONS_SECTION} of a module is malformed: {error}") from None
    if len({each.name for each in found}) < len(found):
        raise ValueError(f"the section {FUNCTIONS_SECTION} of a module describes a function twice")
    return found


def _read_function(entry: Any) -> WasmFunction:
    found = WasmFunction(
        name=entry["name"],
        params=tuple(Kind[kind] for kind in entry["params"]),
        result=Kind[entry["result"]],
        needs=tuple(entry["needs"]),
    )
    for name_ in (found.name, *found.needs):
        if type(name_) is not str:
            raise TypeError(f"a name is a string, not {name_!r:.40}")
    if not PARAMETERS.issuperset(found.params) or found.result not in RESULTS:
        raise TypeError(f"the function `{found.name}` takes or gives what no function can")
    return found
