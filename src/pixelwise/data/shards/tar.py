"""The headers of a tar file, read without trust, and written: POSIX ustar, with pax and GNU's long names.

Knows one archive's bytes; nothing is unpacked, and what the members hold is not looked at. Python's own
reader takes a header's word for how much memory its extension needs; here every length has a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pixelwise.errors import DataError

BLOCK = 512
LARGEST = 1 << 30
"""Bytes of a member that is read: more than any picture or mask has."""

END = bytes(2 * BLOCK)
"""What a tar ends with."""

_LONGEST_NAME = 100
_MOST_EXTENSION = 1 << 16
_FILES = (b"0", b"\0", b"7")
_LINKS_AND_DEVICES = (b"1", b"2", b"3", b"4", b"6")

Read = Callable[[int, int], bytes]
"""`read(offset, count)`: the bytes there, fewer only where the archive ends."""


@dataclass(frozen=True)
class TarMember:
    """A member, as its headers describe it.

    Attributes:
        name: Its path in the archive, as it was written.
        offset: Where its content begins.
        size: Bytes of its content.
        plain: Whether it is a file, and no link or device.
    """

    name: str
    offset: int
    size: int
    plain: bool = True


class _HeaderError(Exception):
    """What is wrong with a header, in words."""


def scan_tar(read: Read, size: int, where: str) -> Iterator[TarMember]:
    """The members of an archive in their order, without its folders; links and devices are not `plain`.

    Args:
        read: Gives the archive's bytes.
        size: Bytes of the archive.
        where: What it is called, for messages.

    Raises:
        DataError: It is truncated, damaged or no tar, or has a sparse member or one that reaches beyond it.
    """
    place, last = 0, ""
    extended: dict[str, str] = {}
    while True:
        block = read(place, BLOCK)
        if len(block) < BLOCK:
            after = f"after {last!r}" if last else "before its first member"
            raise DataError(
                f"{where}: the tar ends {after} without an end mark, so it is truncated; copy it again"
            )
        if not any(block):
            return
        try:
            member, kind = _parse(block, place + BLOCK, extended)
            if kind in (b"x", b"g", b"L", b"K"):
                found = _extension(read, member, kind)
                extended = extended | found if kind in (b"x", b"L") else extended
            else:
                extended = {}
                if member.offset + member.size > size:
                    raise _HeaderError(f"its {member.size:,} bytes reach beyond the end of the tar")
                if kind != b"5":
                    last = member.name
                    yield member
        except _HeaderError as error:
            said = f"the member {_text(block[:_LONGEST_NAME])[:80]!r} at byte {place:,} cannot be: {error}"
            raise DataError(f"{where}: {said}; copy it again, or write it again") from None
        place = member.offset + -(-member.size // BLOCK) * BLOCK


def header_block(name: str, size: int) -> bytes:
    """The header of a plain file, the same for the same arguments: no owner, and the time is 0.

    Args:
        name: Up to 100 bytes of ASCII.
        size: Bytes of its content, less than 8 GiB.
    """
    fields = (
        name.encode("ascii").ljust(_LONGEST_NAME, b"\0"),
        *(b"0000644\0", b"0000000\0", b"0000000\0", b"%011o\0" % size, b"00000000000\0"),
        *(b" " * 8, b"0", bytes(100), b"ustar\0", b"00", bytes(64), b"0000000\0", b"0000000\0", bytes(167)),
    )
    block = b"".join(fields)
    return block.replace(b" " * 8, b"%06o\0 " % sum(block), 1)


def padding(size: int) -> bytes:
    """What follows a content of so many bytes, up to the next header."""
    return bytes(-size % BLOCK)


def header_fault(block: bytes, name: str, size: int) -> str:
    """Why a block is not the header of a member that should begin behind it, in words; empty where it is.

    A name that an extension had to hold (a long one, or one with letters beyond ASCII) is not compared.
    """
    try:
        member, kind = _parse(block, 0, {})
    except _HeaderError as error:
        return f"there is no header before it ({error})"
    if kind not in _FILES:
        return "there is something else than a file"
    if name.isascii() and len(name) <= _LONGEST_NAME and member.name not in (name, f"./{name}"):
        return f"there is {member.name[:80]!r} in its place"
    return "" if member.size == size else f"it has {member.size:,} bytes there, and not {size:,}"


def _parse(block: bytes, content: int, extended: dict[str, str]) -> tuple[TarMember, bytes]:
    """A header's member and its kind."""
    if len(block) < BLOCK:
        raise _HeaderError("the tar ends in it")
    body = block[:148] + b" " * 8 + block[156:]
    stated = _number(block[148:156], "checksum")
    if stated not in (sum(body), sum(byte - 256 if byte > 127 else byte for byte in body)):
        raise _HeaderError("its checksum is wrong")
    kind = block[156:157]
    if kind == b"S" or any(key.startswith("GNU.sparse") for key in extended):
        raise _HeaderError("it is a sparse file, whose bytes are not those in the tar")
    name = _text(block[:_LONGEST_NAME])
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    name = extended.get("path", f"{prefix}/{name}" if prefix else name)
    linked = kind in _LINKS_AND_DEVICES
    size = 0 if linked or kind == b"5" else _number(block[124:136], "size")
    if "size" in extended and not linked:
        if not extended["size"].isascii() or not extended["size"].isdigit() or len(extended["size"]) > 18:
            raise _HeaderError(f"its size is {extended['size'][:40]!r}")
        size = int(extended["size"])
    return TarMember(name, content, size, kind in _FILES and not name.endswith("/")), kind


def _number(field: bytes, what: str) -> int:
    """A number in octal digits, or, as GNU has it, in the bytes themselves behind a first of 128."""
    if field[0] == 128:
        value = int.from_bytes(field[1:], "big")
        if value >= 1 << 60:
            raise _HeaderError(f"its {what} is {value:,}")
        return value
    digits = field.strip(b" \0")
    if not all(byte in b"01234567" for byte in digits):
        raise _HeaderError(f"its {what} is {digits[:16]!r}, which is no octal number")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _extension(read: Read, member: TarMember, kind: bytes) -> dict[str, str]:
    """What a pax or GNU extension says of the member behind it."""
    if member.size > _MOST_EXTENSION:
        raise _HeaderError(f"it is an extension of {member.size:,} bytes, and may have {_MOST_EXTENSION:,}")
    content = read(member.offset, member.size)
    if len(content) < member.size:
        raise _HeaderError("the tar ends in it")
    if kind == b"L":
        return {"path": _text(content)}
    return _records(content) if kind == b"x" else {}


def _records(content: bytes) -> dict[str, str]:
    """pax: `LENGTH KEY=VALUE` and a line's end, LENGTH counting all of it."""
    found: dict[str, str] = {}
    while content.strip(b"\0"):
        digits, _, _ = content[:20].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record = content[len(digits) + 1 : length]
        if not len(digits) + 3 <= length <= len(content) or not record.endswith(b"\n") or b"=" not in record:
            raise _HeaderError("it is an extension that is damaged")
        key, _, value = record[:-1].partition(b"=")
        found[key.decode("utf-8", "surrogateescape")] = value.decode("utf-8", "surrogateescape")
        content = content[length:]
    return found
