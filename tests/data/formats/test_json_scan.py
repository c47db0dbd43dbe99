"""Large json read piece by piece: the same elements as a parser gives, at the places where they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.data.formats.json_scan import read_piece, scan
from pixelwise.errors import DataError

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    LEAVES | st.text(max_size=8) | st.sampled_from(["}, {", '"}]', "ä\\", "😀", "\u2028", "\x01"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(
    st.sampled_from(["images", "annotations", "info", "x", "ü"]), VALUES | st.lists(VALUES)
)


def expected(document: dict[str, object]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in document.items():
        found += [(key, element) for element in value] if isinstance(value, list) else [(key, value)]
    return found


@settings(max_examples=300, deadline=None, derandomize=True)
@given(DOCUMENTS, st.integers(1, 40), st.booleans(), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_as_a_parser_reads_it(
    tmp_path_factory, document: dict[str, object], window: int, ascii_only: bool, indent: object, mark: bool
) -> None:
    """Whatever the window, the blanks, the escapes and a byte order mark."""
    path: Path = tmp_path_factory.getbasetemp() / "scanned.json"
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)  # pyright: ignore[reportArgumentType]
    path.write_bytes(text.encode("utf-8-sig" if mark else "utf-8"))
    pieces = list(scan(path, window=window))
    assert [(piece.key, piece.value) for piece in pieces] == expected(document)
    content = path.read_bytes()
    for piece in pieces:
        assert json.loads(content[piece.start : piece.start + piece.length]) == piece.value
        if isinstance(piece.value, dict):
            with path.open("rb") as file:
                assert read_piece(file, path, piece.start, piece.length, "here") == piece.value


@settings(max_examples=300, deadline=None, derandomize=True)
@given(DOCUMENTS, st.data())
def test_damaged_json_gives_a_sentence(
    tmp_path_factory, document: dict[str, object], data: st.DataObject
) -> None:
    """Cut anywhere, or with any byte changed: what a parser refuses is refused here too, in a sentence."""
    path: Path = tmp_path_factory.getbasetemp() / "damaged.json"
    content = bytearray(json.dumps(document).encode())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_constant=lambda _: 1 / 0)
    except (ValueError, ZeroDivisionError):
        value = None
    if isinstance(value, dict):
        assert len(list(scan(path, window=7))) >= 0
    else:
        with pytest.raises(DataError, match="damaged"):
            list(scan(path, window=7))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "a json object was expected, at byte 0"),
        ("[1]", "a json object was expected"),
        ('{"a": NaN}', "NaN is no number of json"),
        ('{"a": [{"b": Infinity}]}', "Infinity is no number of json"),
        ('{"a": [1, 2', "a comma or ] was expected, at byte 11"),
        ('{"a": 1} x', "something follows the end"),
        ('{"a": ' + "[" * 100_000, "nested too deeply"),
        ("{a: 1}", "a name in quotes was expected"),
    ],
)
def test_what_is_said(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=says):
        list(scan(tmp_path / "a.json"))


def test_a_file_that_is_cut_while_it_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"images": [{"id": 1}]}')
    piece = next(scan(path))
    path.write_text('{"images"')
    with path.open("rb") as file, pytest.raises(DataError, match="was cut while it was in use"):
        read_piece(file, path, piece.start, piece.length, "here")
    with pytest.raises(DataError, match="cannot be read"):
        list(scan(tmp_path / "none.json"))
