"""Tar headers: what Python's own writer writes is read, and what nobody should write is refused."""

from __future__ import annotations

import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.data.shards.tar import BLOCK, END, TarMember, header_block, header_fault, padding, scan_tar
from pixelwise.errors import DataError


def scan(content: bytes) -> list[TarMember]:
    return list(scan_tar(lambda offset, count: content[offset : offset + count], len(content), "x.tar"))


def packed(members: dict[str, bytes], form: int) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=form) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target.getvalue()


def special(kind: bytes, name: str = "a", size: int = 0, **fields: str) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.USTAR_FORMAT)


NAMES = st.text("abcdeü/_.-", min_size=1, max_size=180).filter(
    lambda name: not name.startswith("/") and not name.endswith("/") and name.strip("./")
)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(NAMES, st.binary(max_size=1200), max_size=5),
    st.sampled_from([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
)
def test_as_pythons_own_reader(members: dict[str, bytes], form: int) -> None:
    content = packed(members, form)
    found = scan(content)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        assert [(m.name, m.offset, m.size) for m in found] == [
            (m.name, m.offset_data, m.size) for m in tar.getmembers()
        ]
    for member in found:
        assert content[member.offset : member.offset + member.size] == members[member.name]
        assert not header_fault(content[member.offset - BLOCK : member.offset], member.name, member.size)


def test_what_is_written_is_read_by_pythons_own_reader() -> None:
    content = header_block("a/b.jpg", 3) + b"abc" + padding(3) + END
    assert len(content) == 2 * BLOCK + len(END)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        (member,) = tar.getmembers()
        file = tar.extractfile(member)
        assert file is not None
        assert (member.name, file.read()) == ("a/b.jpg", b"abc")
    assert scan(content) == [TarMember("a/b.jpg", 512, 3)]


def test_folders_are_passed_over_and_links_are_marked() -> None:
    blocks = (
        special(tarfile.DIRTYPE, "d"),
        special(tarfile.SYMTYPE, "l", linkname="/etc/passwd"),
        special(tarfile.LNKTYPE, "h", linkname="d"),
        special(tarfile.CHRTYPE, "c"),
        special(tarfile.REGTYPE, "f"),
    )
    assert [(m.name, m.plain) for m in scan(b"".join(blocks) + END)] == [
        *(("l", False), ("h", False), ("c", False)),
        ("f", True),
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "before its first member"),
        (b"PK\3\4" + bytes(600), "no octal number|checksum"),
        (special(tarfile.REGTYPE, size=5), "reach beyond the end"),
        (special(tarfile.REGTYPE), "after 'a' without an end mark"),
        (special(tarfile.REGTYPE) + bytes(100), "after 'a' without an end mark"),
        (special(tarfile.GNUTYPE_SPARSE) + END, "sparse"),
        (special(tarfile.XHDTYPE, size=1 << 32) + END, "extension of 4,294,967,296 bytes"),
        (special(tarfile.GNUTYPE_LONGNAME, size=1 << 20) + END, "extension of 1,048,576 bytes"),
        (special(tarfile.XHDTYPE, size=20) + b"99 path=b\n".ljust(512, b"\0") + END, "damaged"),
        (special(tarfile.XHDTYPE, size=20) + b"x path=b\n".ljust(512, b"\0") + END, "damaged"),
        (
            special(tarfile.XHDTYPE, size=13) + b"13 size=-100\n".ljust(512, b"\0") + special(b"0") + END,
            "size is '-100'",
        ),
    ],
)
def test_what_cannot_be(content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        scan(content)


def test_a_size_of_many_bytes() -> None:
    """GNU's numbers of 8 GiB and more; one that is beyond everything is refused."""
    block = bytearray(special(tarfile.REGTYPE, "a"))
    block[124:136] = b"\x80" + (1 << 35).to_bytes(11, "big")
    block[148:156] = b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:])
    blocks = bytes(block)
    members = scan_tar(lambda offset, count: blocks if offset == 0 else bytes(count), 1 << 36, "x.tar")
    assert next(members).size == 1 << 35
    block[124:136] = b"\xff" * 12
    block[148:156] = b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:])
    with pytest.raises(DataError, match="size"):
        scan(bytes(block) + END)


SOUND = packed(
    {"a.jpg": b"x" * 700, "b" * 150: b"y", "ü.png": b"z" * 30, "c/d.mask.png": b""}, tarfile.PAX_FORMAT
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=12),
    st.integers(0, len(SOUND)),
)
def test_damage_is_an_error_or_nothing(changes: list[tuple[int, int]], end: int) -> None:
    """Whatever the bytes are: members inside the archive, or a `DataError`; and never endless."""
    content = bytearray(SOUND)
    for place, value in changes:
        content[place] = value
    for piece in (bytes(content), bytes(content[:end])):
        try:
            members = scan(piece)
        except DataError:
            continue
        assert all(m.offset >= BLOCK and m.offset + m.size <= len(piece) for m in members)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 500), st.booleans())
def test_headers_with_a_right_checksum_and_anything_else(junk: bytes, place: int, second: bool) -> None:
    """Damage that the checksum does not tell."""
    block = bytearray(SOUND[:BLOCK])
    block[place : place + len(junk)] = junk[: BLOCK - place]
    block[148:156] = b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:])
    content = bytes(block) + SOUND[BLOCK:]
    try:
        members = scan(content + content if second else content)
    except DataError:
        return
    assert all(m.offset >= BLOCK and m.offset + m.size <= 2 * len(content) for m in members)
