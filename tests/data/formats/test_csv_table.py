"""Reader `csv`: dialects, columns by name, paths, splits, and rows that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.formats.csv_table import recognises
from pixelwise.errors import ConfigError, DataError

Make = Callable[[str], Path]


@pytest.fixture
def make(save, tmp_path: Path) -> Make:
    """Writes photos/a, b, c.jpg, masks/a, b, c.png and table.csv with the text below tmp_path/set."""
    for name in "abc":
        save(f"set/photos/{name}.jpg", np.zeros((6, 8, 3), np.uint8))
        save(f"set/masks/{name}.png", ids(0, 1, 2))

    def write(text: str) -> Path:
        (tmp_path / "set" / "table.csv").write_bytes(text.encode())
        return tmp_path / "set"

    return write


ROWS = "photos/a.jpg,masks/a.png\nphotos/b.jpg,masks/b.png\n"


def test_a_plain_table(make: Make) -> None:
    dataset = open_dataset(make("image,mask\n" + ROWS))
    assert dataset.reader.format == "csv"
    assert [entry.name for entry in dataset.reader.entries] == ["photos/a", "photos/b"]
    assert np.array_equal(dataset.reader[1].mask, ids(0, 1, 2))
    assert dataset.classes.names == ("class_0", "class_1", "class_2")
    assert "format csv: 2 pictures in the columns image, mask of table.csv" in dataset.notes
    assert dataset.reader.splits == {}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffID;Mask_Path;Picture;Set\r\n1;masks/a.png;photos/a.jpg;Train\r\n\r\n2;masks\\b.png;photos\\b.jpg;VAL\r\n",
        'n\tsplit\tfilename\tlabel\n1\ttrain\tphotos/a.jpg\tmasks/a.png\n2\tval\t"photos/b.jpg"\t./masks/b.png\n',
        '\n"image" , "segmentation","fold"\nphotos/a.jpg , masks/a.png, train\n,,\n'
        "photos/b.jpg,masks/b.png,val,x\n",
    ],
)
def test_dialects(make: Make, text: str) -> None:
    dataset = open_dataset(make(text))
    assert dataset.reader.splits == {"train": (0,), "val": (1,)}
    assert (dataset.split.train, dataset.split.val) == ((0,), (1,))
    assert dataset.reader[1].name == "photos/b"


def test_rows_are_sorted_by_picture_and_splits_may_be_empty(make: Make) -> None:
    table = "mask,image,split\nmasks/c.png,photos/c.jpg,Fold 1\nmasks/a.png,photos/a.jpg,\n"
    dataset = open_dataset(make(table))
    assert list(dataset.reader.entries.names) == ["photos/a", "photos/c"]
    assert dataset.reader.splits == {"Fold 1": (1,)}
    assert "1 rows name no split" in dataset.notes


def test_classes_and_values_as_for_folders(make: Make) -> None:
    root = make("image,mask\n" + ROWS)
    (root / "classes.txt").write_text("sky\nsea\nship\n")
    assert open_dataset(root).classes.names == ("sky", "sea", "ship")
    swapped = open_dataset(root, DataConfig(classes=("one", "two"), map=("1=0", "0=1", "2=ignore")))
    assert np.array_equal(swapped.reader[0].mask, ids(1, 0, 255))


def test_absolute_paths_inside_the_folder(make: Make) -> None:
    root = make("")
    make(f"image,mask\n{root}/photos/a.jpg,{root}/photos/../masks/a.png\n")
    dataset = open_dataset(root)
    assert dataset.reader.entries[0].labels == root / "masks" / "a.png"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("image,mask\n/etc/passwd,masks/a.png\n", r"line 2: the picture '/etc/passwd' does not lie in"),
        ("image,mask\nphotos/a.jpg,../../a.png\n", r"line 2: the mask '\.\./\.\./a\.png' does not lie in"),
        ("image,mask\nC:\\a.jpg,masks/a.png\n", "does not lie in"),
        ("image,mask\nphotos/a.jpg,\n", "line 2: the mask is empty"),
        ("image,mask\nphotos/a.jpg\n", "line 2: a picture and a mask were expected, but there are 1 cells"),
        ("image,mask\n", "no row below the header"),
        (
            "image,mask\n" + ROWS + "\nphotos/a.jpg,masks/b.png\n",
            "line 5: the picture photos/a.jpg .* line 2",
        ),
        ('image,mask\n"' + "x" * 200_000 + '",b\n', "line 2: the row cannot be read .*field larger"),
        ("image,mask\n" + "x" * (1 << 20), "a line is longer than 1,048,576"),
        (
            "name,colour\na,b\n",
            "must name a picture and a mask column, such as image,mask, but it is 'name,c",
        ),
        ("", "must name a picture and a mask column"),
        (
            "image,mask\n" + ROWS + "".join(f"x/{i}.jpg,x/{i}.png\n" for i in range(2)),
            r"4 files of its 4 rows are not there: x/0\.jpg \(line 4\), x/0\.png \(line 4\), x/1.*, …",
        ),
    ],
)
def test_wrong_tables_are_a_sentence(make: Make, text: str, match: str) -> None:
    root = make(text)
    with pytest.raises(DataError, match=match) as caught:
        open_dataset(root, DataConfig(format="csv", annotations="table.csv"))
    assert "table.csv" in str(caught.value)


def test_tables_that_are_no_text(make: Make) -> None:
    root = make("")
    for content in (b"\xff\xfei\x00m\x00", b"image,mask\nphotos/\xff.jpg,masks/a.png\n"):
        (root / "table.csv").write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            open_dataset(root, DataConfig(format="csv", annotations="table.csv"))


def test_which_table(make: Make) -> None:
    root = make("image,mask\n" + ROWS)
    (root / "objectInfo150.csv").write_text("Idx,Ratio,Train,Val,Stuff,Name\n1,0.1,1,1,1,wall\n")
    (root / "labels.csv").write_text("image,label\nphotos/a.jpg,3\n")  # of a classification
    assert len(open_dataset(root).reader) == 2
    (root / "lists").mkdir()
    (root / "lists" / "more.csv").write_text("image,mask\n../photos/c.jpg,../masks/c.png\n")
    chosen = open_dataset(root, DataConfig(format="csv", annotations="lists/more.csv"))
    assert chosen.reader[0].name == "photos/c"
    (root / "second.csv").write_text("image,mask\n" + ROWS)
    with pytest.raises(DataError, match=r"second\.csv, table\.csv could each be the table; say which with"):
        open_dataset(root)
    with pytest.raises(ConfigError, match=r"--annotations none\.csv: there is no such file"):
        open_dataset(root, DataConfig(format="csv", annotations="none.csv"))


def test_what_is_recognised(make: Make, make_set) -> None:
    root = make("image,label\nphotos/a.jpg,cat\n")
    assert not recognises(root)
    (root / "table.csv").unlink()
    with pytest.raises(DataError, match="needs a table whose first line names columns image and mask"):
        open_dataset(root, DataConfig(format="csv"))
    plain = make_set({"a": ids(0, 1)}, root="plain")
    (plain / "people.csv").write_text("image,label\na.png,person\n")
    assert open_dataset(plain).reader.format == "folder"


CELL = st.sampled_from(
    [
        "image",
        "mask",
        "split",
        "photos/a.jpg",
        "masks/a.png",
        '"',
        "\x00",
        "..",
        "/",
        "\r",
        "é" * 9,
        "y" * 300,
        "",
    ]
)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    head=st.sampled_from([b"", b"image,mask,split\n", b"mask;image\n"]),
    body=st.lists(st.lists(CELL, max_size=4), max_size=4) | st.binary(max_size=30),
)
def test_nothing_but_data_errors(make: Make, head: bytes, body: list[list[str]] | bytes) -> None:
    root = make("")
    text = body if isinstance(body, bytes) else "\n".join(map(",".join, body)).encode()
    (root / "table.csv").write_bytes(head + text)
    recognises(root)
    try:
        sample = open_dataset(root, DataConfig(format="csv", annotations="table.csv")).reader[0]
    except DataError:
        return
    assert sample.name == "photos/a"
