from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.data.classes_file import parse_classes, read_classes
from pixelwise.errors import DataError

PATH = Path("classes.txt")


def test_names_alone():
    listed = parse_classes(
        "\ufeff".strip("\ufeff") + "# my classes\nground\n\n traffic light \nclass 1 2\n", PATH
    )
    assert listed.classes.names == ("ground", "traffic light", "class 1 2")
    assert listed.colours == {}


def test_names_with_colours():
    listed = parse_classes(
        "road 128 64 128\ntraffic light\t250,170, 30\nignore 0 0 0\nvoid-ish, 1 2 3\n", PATH
    )
    assert listed.classes.names == ("road", "traffic light", "void-ish")
    assert listed.classes.colours == ((128, 64, 128), (250, 170, 30), (1, 2, 3))
    assert listed.colours == {(128, 64, 128): 0, (250, 170, 30): 1, (0, 0, 0): 255, (1, 2, 3): 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "classes.txt: a network needs 1 to 255 classes"),
        ("a\na\n", "names must differ"),
        ("a 1 2 3\nb\n", "b has no colour but other classes do; give all a colour, or none"),
        ("a 1 2 300\n", r"line 1: a colour is three numbers in 0..255, got 1 2 300"),
        ("a 1 2 3\nb 1 2 3\n", "line 2: the colour .* belongs to a class above"),
        ("a\nignore\n", "line 2: ignore is no class"),
        ("\n".join(f"c{i}" for i in range(256)), "1 to 255 classes, got 256"),
    ],
)
def test_mistakes_are_named(text, said):
    with pytest.raises(DataError, match=said):
        parse_classes(text, PATH)


def test_files(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes("\ufeffstraße\r\nhimmel\r\n".encode())
    assert read_classes(path).classes.names == ("straße", "himmel")
    path.write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(DataError, match="not UTF-8 text; save it as UTF-8"):
        read_classes(path)


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    listed = None
    with contextlib.suppress(DataError):  # anything else that escapes fails the test
        listed = parse_classes(text, PATH)
    if listed is not None:
        assert all(0 <= i < len(listed.classes) or i == 255 for i in listed.colours.values())


@given(
    st.dictionaries(
        st.text(st.characters(codec="ascii", categories=("L",)), min_size=1, max_size=8).filter(
            lambda name: name.lower() != "ignore"
        ),
        st.tuples(*[st.integers(0, 255)] * 3),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_is_read(named):
    if len(set(named.values())) < len(named):
        return
    listed = parse_classes("".join(f"{n} {r} {g} {b}\n" for n, (r, g, b) in named.items()), PATH)
    assert listed.classes.names == tuple(named)
    assert listed.classes.colours == tuple(named.values())
