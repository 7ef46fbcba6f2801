"""How strings are held, and the ones that stand in a program.

A string is an i32. One of a single character is its code point with the highest bit set, and takes no memory: a
loop over the characters of a text makes nothing. Any other is an address, which is below that: there stands
how many characters it has, an i32, then the address of its code points, 4 bytes each. The empty string is
always the one at `EMPTY`. So strings of less than two characters are equal only if they are the same i32.

Parts of a string share its code points. So does one that begins with another, if nothing is behind that yet:
one string at a time, the *tail*, has room behind it, so that a loop which makes a text longer and longer copies
little.
"""

from __future__ import annotations

from typing import Final

#: the bit that tells a single character from an address, and what is left without it
ALONE: Final = 1 << 31
CODE_POINT: Final = ALONE - 1
#: bytes of length and address, and where in them the address is; mostly the code points are behind it
HEADER: Final = 8
DATA: Final = 4
#: where the empty string is: memory begins with zeros there
EMPTY: Final = 8
#: where a single character is written where a function wants to see it like other strings; two places
SCRATCH: Final = (16, 32)
#: where it stands where the tail's code points end, 0 if there is none; where its room ends; how long it is
TAIL_END, TAIL_ROOM, TAIL_LENGTH = 4, 28, 44
#: characters for which there is room behind the tail, at most
MOST_ROOM: Final = 1 << 20
#: where vectors and strings begin
FIRST_ADDRESS: Final = 48
#: characters of one string
MOST_CHARACTERS: Final = 1 << 28
#: Python's name for how code points are laid out, and for that surrogates are code points as well
ENCODING: Final = ("utf-32-le", "surrogatepass")


def size_of(characters: int) -> int:
    """The bytes that a string of more than one character takes."""
    return HEADER + 8 * ((characters + 1) // 2)


def header(address: int, characters: int) -> int:
    """The 64 bits with which a string begins whose code points are behind them."""
    return characters | (address + HEADER) << 32


def alone(character: str) -> int:
    """A string of one character, as an i32 with a sign."""
    return ord(character) - ALONE


class Texts:
    """The constant strings of a module."""

    def __init__(self) -> None:
        self._addresses: dict[str, int] = {"": EMPTY}
        self._data = bytearray(FIRST_ADDRESS)

    def held(self, text: str) -> int:
        """The i32 that stands for a string."""
        if len(text) == 1:
            return alone(text)
        found = self._addresses.get(text)
        if found is None:
            found = self._addresses[text] = len(self._data)
            self._data += header(found, len(text)).to_bytes(HEADER, "little") + text.encode(*ENCODING)
            self._data += bytes(-len(self._data) % 8)
        return found

    def data(self) -> bytes:
        """What memory begins with: at 0 the address at which free memory begins."""
        start = len(self._data).to_bytes(4, "little")
        return start if len(self._data) == FIRST_ADDRESS else start + bytes(self._data[4:])
