"""Reader `yolo`: data.yaml in its dialects, label files as tools write them, overlaps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.formats.yolo import label_path, recognises
from pixelwise.data.formats.yolo_labels import draw, parse_labels
from pixelwise.errors import ConfigError, DataError

SIZE = (20, 40)
Put = Callable[..., Path]
YAML = "names: [cat, dog]\ntrain: images/train\nval: images/val\n"
LEFT = "0 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5"  # columns 4 to 12, rows 2 to 10


@pytest.fixture
def put(save, tmp_path: Path) -> Put:
    """`put("images/train/a", LEFT)` writes a picture and its labels (none for None) below tmp_path/set."""

    def write(picture: str, labels: str | bytes | None = LEFT) -> Path:
        root = tmp_path / "set"
        save(f"set/{picture}.png", np.zeros((*SIZE, 3), np.uint8))
        if labels is not None:
            path = root / label_path(f"{picture}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(labels if isinstance(labels, bytes) else labels.encode())
        return root

    return write


def masks(root: Path) -> dict[str, np.ndarray]:
    return {sample.name: sample.mask for sample in open_dataset(root).reader}


def box(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """(left, top, right, bottom, value) with the last row and column, one over the other."""
    mask = np.zeros(SIZE, np.uint8)
    for left, top, right, bottom, value in boxes:
        mask[top : bottom + 1, left : right + 1] = value
    return mask


def test_the_layout_of_ultralytics(put: Put) -> None:
    put("images/train/a")
    put("images/train/empty", "")
    put("images/train/none", None)
    root = put("images/val/b", "1 0 0 1 0 1 1 0 1\n")
    (root / "data.yaml").write_text("path: ../datasets/theirs\nnames: {0: cat, 1: dog}\nnc: 2\n" + YAML[18:])
    dataset = open_dataset(root)
    assert dataset.reader.format == "yolo"
    assert dataset.classes.names == ("background", "cat", "dog")
    assert dataset.reader.splits == {"train": (0, 1, 2), "val": (3,)}
    assert np.array_equal(dataset.reader[0].mask, box((4, 2, 12, 10, 1)))
    assert not dataset.reader[1].mask.any()
    assert not dataset.reader[2].mask.any()
    assert (dataset.reader[3].mask == 2).all()
    notes = " | ".join(dataset.notes)
    assert "'../datasets/theirs' in data.yaml is no folder of this data set: its own counts" in notes
    assert "1 of 4 pictures have no label file" in notes
    assert "pixels in no shape are background" in notes


def test_the_layout_of_roboflow(put: Put) -> None:
    for split in ("train", "valid", "test"):
        root = put(f"{split}/images/{split}_1")
    (root / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnc: 1\nnames: ['cat']\n"
        "roboflow:\n  workspace: x\n"
    )
    dataset = open_dataset(root)
    assert [entry.name for entry in dataset.reader.entries] == [
        *("test/images/test_1", "train/images/train_1", "valid/images/valid_1"),
    ]
    assert dataset.reader.splits == {"train": (1,), "val": (2,), "test": (0,)}
    assert dataset.reader[0].mask.any()


def test_lists_of_pictures_and_several_folders(put: Put) -> None:
    put("data/images/a b")
    put("data/images/c")
    put("more/images/d")
    root = put("more/images/sub/e")
    (root / "lists").mkdir()
    (root / "lists" / "train.txt").write_bytes(
        b"./../data/images/a b.png\r\ndata/images/c.png\n\n../../out.png\n"
    )
    (root / "mine.yaml").write_text(
        "names: [cat]\ntrain: [lists/train.txt, more/images]\nval: more/images/sub\n"
    )
    dataset = open_dataset(root)
    assert dataset.reader.splits == {"train": (0, 1, 2, 3), "val": (3,)}
    notes = " | ".join(dataset.notes)
    assert "1 of the 3 pictures in lists/train.txt are not there: ../../out.png" in notes
    assert "1 pictures are in more than one split" in notes


def test_where_labels_lie() -> None:
    assert label_path("images/train/a.b.jpg") == "labels/train/a.b.txt"
    assert label_path("images/images/images.jpg") == "images/labels/images.txt"
    assert label_path("photos/a.jpg") == "photos/a.txt"
    assert label_path("a.jpg") == "a.txt"


def test_smaller_polygons_lie_on_top() -> None:
    large, small = "0 0 0 1 0 1 1 0 1", "1 0.5 0.5 0.75 0.5 0.75 0.75 0.5 0.75"
    for text in (f"{large}\n{small}", f"{small}\n{large}"):
        mask = draw(parse_labels(text.encode(), "a.txt", classes=2), SIZE)
        assert np.array_equal(mask, box((0, 0, 39, 19, 1), (20, 10, 30, 15, 2)))


def test_corners_are_truncated_and_lines_have_a_pixel() -> None:
    # 0.124 * 40 = 4.96 and 0.199 * 20 = 3.98
    mask = draw(parse_labels(b"0 0.124 0.199 0.26 0.199 0.26 0.35 0.124 0.35", "a", classes=1), SIZE)
    assert np.array_equal(mask, box((4, 3, 10, 7, 1)))
    line = draw(parse_labels(b"0 0.1 0.5 0.3 0.5 0.2 0.5", "a", classes=1), SIZE)
    assert np.array_equal(line, box((4, 10, 12, 10, 1)))


def test_label_files_as_tools_write_them() -> None:
    text = "\ufeff0\t0.1 0.1  0.3 0.1 0.3 0.5 0.1 0.5 \r\n\r\n1.000000 -0.0003 0 1.0003 0 1e0 1.01\n"
    found = parse_labels(text.encode(), "a.txt", classes=2)
    assert [p.index for p in found] == [0, 1]
    assert found[1].shares.tolist() == [[0, 0], [1, 0], [1, 1]]
    assert parse_labels(b"", "a.txt", classes=2) == []


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("0 0.5 0.5 0.2 0.2", "box for detection.*export the data set for segmentation"),
        ("0 0.5 0.5 0.2 0.2 0.3", "but 5 numbers follow"),
        ("0 0.5 0.5", "at least 3 corners"),
        ("0", "at least 3 corners"),
        ("2 0 0 1 0 1 1", "no class 2: data.yaml names 0 to 1"),
        ("-1 0 0 1 0 1 1", "no class -1"),
        ("0.5 0 0 1 0 1 1", r"no class 0\.5"),
        ("0 0 0 1 0 1 nan", "number was expected, got 'nan'"),
        ("0 0 0 1 0 1 inf", "number was expected, got 'inf'"),
        ("0 0 0 1 0 1 0_1", "number was expected, got '0_1'"),
        ("cat 0 0 1 0 1 1", "number was expected, got 'cat'"),
        ("0 10 20 400 20 400 300", "shares in 0..1, but they reach from 10 to 400; if they are pixels"),
        ("0 -0.02 0 1 0 1 1", "reach from -0.02 to 1"),
    ],
)
def test_wrong_lines_are_a_sentence(put: Put, line: str, match: str) -> None:
    root = put("images/train/a", f"\n{line}\n")
    (root / "data.yaml").write_text(YAML)
    with pytest.raises(DataError, match=match) as caught:
        open_dataset(root).reader[0]
    assert "labels/train/a.txt, line 2: " in str(caught.value)


def test_label_files_that_cannot_be_read(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put("images/train/a", b"\xff\xfe0 0")
    (root / "data.yaml").write_text(YAML)
    dataset = open_dataset(root)
    with pytest.raises(DataError, match="this is no text"):
        dataset.reader[0]
    monkeypatch.setattr("pixelwise.data.formats.yolo_labels.MAX_BYTES", 3)
    with pytest.raises(DataError, match="5 bytes are more than the 3"):
        dataset.reader[0]
    (root / "labels/train/a.txt").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        dataset.reader[0]


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ("names: [cat, no]", "name of class 1 must be a text, but it is false; put it in quotes"),
        ("names: [cat, null]", "name of class 1 must be a text, but it is null"),
        ("names: [cat, cat]", "cat stands there more than once"),
        ("names: {0: cat, 2: dog}", "numbered 0 to 1, but 1 is missing"),
        ("names: {cat: 0}", "numbered 0, 1, 2 …, but one is 'cat'"),
        ("names: cat", "must list the classes, but it is 'cat'"),
        ("names: []", "there are 0"),
        ("names: [[a]]", "must be a text, but it is a list"),
        ("nc: 3\nnames: [cat]", "nc says 3 classes, but 1 names"),
        ("nc: many\nnames: [cat]", "nc must be a number of classes in 1..255, but it is 'many'"),
        ("a: &x [1]\nnames: *x", "alias"),
        ("names: [cat", "no YAML that can be read"),
        ("names: !!python/object/apply:os.system ['true']", "no YAML that can be read"),
        (f"names: {list(range(300))}", "1 to 255 names"),
        ("path: 7\nnames: [cat]", "path must be a folder, but it is 7"),
        ("val: 7\nnames: [cat]", "val must be a folder of pictures"),
    ],
)
def test_yaml_that_cannot_be(put: Put, names: str, match: str) -> None:
    root = put("images/train/a")
    (root / "data.yaml").write_text(f"{names}\ntrain: images/train\n")
    with pytest.raises(DataError, match=match) as caught:
        open_dataset(root)
    assert "data.yaml" in str(caught.value)


def test_names_that_are_numbers_missing_or_background(put: Put) -> None:
    root = put("images/train/a", LEFT.replace("0 ", "1 ", 1))
    (root / "data.yaml").write_text("names: [7, 8.5]\ntrain: images/train\n")
    assert open_dataset(root).classes.names == ("background", "7", "8.5")
    (root / "data.yaml").write_text("nc: 2\ntrain: images/train\n")
    dataset = open_dataset(root)
    assert dataset.classes.names == ("background", "class_0", "class_1")
    assert "data.yaml has no names, so they are called class_0 …" in dataset.notes
    (root / "data.yaml").write_text("names: [cat, dog, background]\ntrain: images/train\n")
    dataset = open_dataset(root)
    assert dataset.classes.names == ("cat", "dog", "background")
    expected = box((4, 2, 12, 10, 1))
    expected[expected == 0] = 2
    assert np.array_equal(dataset.reader[0].mask, expected)


def test_flags(put: Put) -> None:
    root = put("images/train/a")
    (root / "data.yaml").write_text(YAML)
    with pytest.raises(ConfigError, match="use --merge or --ignore"):
        open_dataset(root, DataConfig(map=("1=0",)))
    with pytest.raises(ConfigError, match="no class 'horse'; there are background, cat, dog"):
        open_dataset(root, DataConfig(classes=("horse",)))
    chosen = open_dataset(root, DataConfig(classes=("background", "cat"), binary="cat"))
    assert chosen.reader[0].mask.max() == 1
    (root / "other.yaml").write_text("names: [bird]\ntrain: images/train\n")
    assert open_dataset(root, DataConfig(annotations="other.yaml")).classes.names == ("background", "bird")
    with pytest.raises(ConfigError, match=r"--annotations \.\./other\.yaml: there is no such file"):
        open_dataset(root, DataConfig(format="yolo", annotations="../other.yaml"))


def test_what_is_not_there(put: Put) -> None:
    root = put("images/train/a", None)
    (root / "data.yaml").write_text(YAML)
    with pytest.raises(
        DataError, match=r"none of the 1 pictures has a label file; expected labels/train/a\.txt"
    ):
        open_dataset(root)
    put("images/train/a")
    assert "val: images/val is not there" in open_dataset(root).notes
    for place in ("/etc", "../..", "images/none", "x" * 5000):
        (root / "data.yaml").write_text(f"names: [cat]\ntrain: {place}\n")
        with pytest.raises(DataError, match="none of the pictures that it names is there"):
            open_dataset(root)
    (root / "data.yaml").write_text("names: [cat]\ntrain: images/train/a.png\n")
    with pytest.raises(DataError, match="a folder or a list of pictures was expected"):
        open_dataset(root)
    (root / "data.yaml").write_text("names: [cat]\n")
    with pytest.raises(DataError, match="names no pictures"):
        open_dataset(root, DataConfig(format="yolo", annotations="data.yaml"))


def test_what_is_recognised(put: Put, make_set) -> None:
    root = put("images/train/a")
    assert not recognises(root)
    (root / "config.yaml").write_text("lr: 0.1\ntrain: {batch: 3}\n")
    assert not recognises(root)
    with pytest.raises(DataError, match=r"needs a data\.yaml, but there is none"):
        open_dataset(root, DataConfig(format="yolo"))
    (root / "data.yaml").write_text(YAML)
    assert recognises(root)
    (root / "data.yaml").unlink()
    (root / "one.yml").write_text(YAML)
    assert recognises(root)
    (root / "two.yml").write_text(YAML)
    with pytest.raises(DataError, match=r"there are one\.yml, two\.yml; name it with --annotations"):
        open_dataset(root)
    masks_in_labels = make_set({"a": np.array([[0, 1]], np.uint8)}, labels="labels", root="plain")
    (masks_in_labels / "data.yaml").write_text(YAML)
    assert open_dataset(masks_in_labels).reader.format == "folder"


FUZZ = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
WORD = st.sampled_from(["0", "1", "7", "0.5", "-0.001", "1.2", "nan", "1e999", "x", "\x00", "0x1", "٣"])


@FUZZ
@given(st.lists(st.lists(WORD, max_size=9), max_size=3) | st.binary(max_size=40))
def test_labels_give_nothing_but_data_errors(lines: list[list[str]] | bytes) -> None:
    content = lines if isinstance(lines, bytes) else "\n".join(map(" ".join, lines)).encode()
    try:
        polygons = parse_labels(content, "a.txt", classes=2)
    except DataError:
        return
    assert draw(polygons, SIZE).max() <= 2


@FUZZ
@given(
    polygons=st.lists(
        st.tuples(st.integers(0, 4), st.lists(st.floats(0, 1), min_size=6, max_size=12)), max_size=4
    )
)
def test_all_polygons_leave_something(polygons: list[tuple[int, list[float]]]) -> None:
    rows = [(index, numbers[: len(numbers) // 2 * 2]) for index, numbers in polygons]
    text = "\n".join(f"{index} {' '.join(map(repr, numbers))}" for index, numbers in rows)
    mask = draw(parse_labels(text.encode(), "a.txt", classes=5), SIZE)
    assert set(np.unique(mask).tolist()) <= {0, *(index + 1 for index, _ in rows)}


VALUE = st.sampled_from(
    [
        "cat",
        "[cat, dog]",
        "{0: a}",
        "~",
        "7",
        "images",
        "!!float x",
        "*a",
        "&a [1]",
        "2001-99-99",
        "[[[",
        "? x",
    ]
)


@FUZZ
@given(
    st.lists(st.tuples(st.sampled_from(["names", "nc", "path", "train", "val", "<<"]), VALUE), max_size=5)
    | st.text(max_size=30)
)
def test_yaml_gives_nothing_but_data_errors(tmp_path: Path, lines: list[tuple[str, str]] | str) -> None:
    text = lines if isinstance(lines, str) else "\n".join(f"{name}: {value}" for name, value in lines)
    (tmp_path / "images").mkdir(exist_ok=True)
    (tmp_path / "data.yaml").write_text(text, encoding="utf-8", errors="replace")
    recognises(tmp_path)
    with pytest.raises(DataError):
        open_dataset(tmp_path, DataConfig(format="yolo", annotations="data.yaml"))
