"""Reader `labelme`: each kind of shape by hand, pictures in and beside the json, and the three real ones."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.config import DataConfig
from pixelwise.data import READERS, open_dataset
from pixelwise.data.formats.labelme import recognises
from pixelwise.data.formats.labelme_shapes import draw, parse_shapes
from pixelwise.errors import ConfigError, DataError

SIZE = (24, 32)
Write = Callable[..., Path]


def encoded(array: np.ndarray) -> str:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()


def shape(label: str, *points: tuple[float, float], kind: str | None = "polygon", **members: object) -> dict:
    return {"label": label, "points": [list(p) for p in points], "shape_type": kind, **members}


@pytest.fixture
def write(save, tmp_path: Path) -> Write:
    """Writes NAME.png (unless `picture` is false) and NAME.json below tmp_path/set; returns that folder."""

    def put(name: str, *shapes: dict, picture: bool = True, **members: object) -> Path:
        path = tmp_path / "set" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        if picture:
            save(f"set/{name}.png", np.full((*SIZE, 3), 7, np.uint8))
        document = {"version": "5.5.0", "flags": {}, "shapes": list(shapes), "imagePath": f"{path.stem}.png"}
        document |= {"imageData": None, "imageHeight": SIZE[0], "imageWidth": SIZE[1]}
        path.write_text(json.dumps(document | members))
        return tmp_path / "set"

    return put


def drawn(*shapes: dict) -> np.ndarray:
    """The mask of shapes with the labels 1, 2 …"""
    parsed = parse_shapes({"shapes": list(shapes)}, Path("a.json"))
    return draw(parsed, [int(s.label) for s in parsed], SIZE, unlabelled=0)


def box(left: int, top: int, right: int, bottom: int, value: int = 1) -> np.ndarray:
    """A mask with one box, its last row and column included."""
    mask = np.zeros(SIZE, np.uint8)
    mask[top : bottom + 1, left : right + 1] = value
    return mask


def test_boxes_and_polygons_hold_their_borders() -> None:
    corners = ((3, 2), (9, 2), (9, 6), (3, 6))
    expected = box(3, 2, 9, 6)
    assert np.array_equal(drawn(shape("1", *corners)), expected)
    assert np.array_equal(drawn(shape("1", *corners, kind=None)), expected)
    assert np.array_equal(drawn(shape("1", *corners, kind="oriented_rectangle")), expected)
    for one, other in (((3, 2), (9, 6)), ((9, 6), (3, 2)), ((3, 6), (9, 2))):
        assert np.array_equal(drawn(shape("1", one, other, kind="rectangle")), expected)
    unsaid = shape("1", *corners)
    del unsaid["shape_type"]
    assert np.array_equal(drawn(unsaid), expected)


def test_circles_and_points_are_discs() -> None:
    point = drawn(shape("1", (12, 10), kind="point"))
    rows, columns = np.nonzero(point)
    # Radius 5 round (12, 10): 11 pixels each way.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 15, 7, 17)
    assert np.array_equal(point[5:16, 7:18], np.flip(point[5:16, 7:18], (0, 1)))
    # The rim point (15, 14) is 3 and 4 away, so the radius is 5, too.
    assert np.array_equal(drawn(shape("1", (12, 10), (15, 14), kind="circle")), point)


def test_lines_are_ten_pixels_wide() -> None:
    line = drawn(shape("1", (4, 12), (27, 12), kind="line"))
    assert line[:, 15].sum() == 10
    assert line[12, 3] == 0
    assert np.array_equal(drawn(shape("1", (4, 12), (15, 12), (27, 12), kind="linestrip")), line)


def test_a_mask_fills_its_box_whose_points_are_truncated() -> None:
    inside = np.array([[255, 0, 0], [0, 255, 255]], np.uint8)
    expected = np.zeros(SIZE, np.uint8)
    expected[4, 3] = expected[5, 4] = expected[5, 5] = 1
    for stored in (encoded(inside), encoded(inside // 255), encoded(inside > 0)):
        assert np.array_equal(drawn(shape("1", (3.9, 4.2), (5.9, 5.0), kind="mask", mask=stored)), expected)


def test_later_shapes_lie_over_earlier_ones_and_are_cut_at_the_edge() -> None:
    both = drawn(shape("1", (0, 0), (9, 9), kind="rectangle"), shape("2", (5, 5), (60, 12), kind="rectangle"))
    expected = box(0, 0, 9, 9)
    expected[5:13, 5:] = 2
    assert np.array_equal(both, expected)


def test_labels_txt_names_the_classes(write: Write) -> None:
    root = write(
        "a",
        shape("dog", (0, 0), (7, 7), kind="rectangle"),
        shape("__ignore__", (2, 2), (3, 3), kind="rectangle"),
        shape("_background_", (5, 5), (6, 6), kind="rectangle"),
    )
    (root / "labels.txt").write_text("\ufeff__ignore__\r\n_background_\r\npotted plant\r\ndog\r\n", "utf-8")
    dataset = open_dataset(root)
    assert dataset.reader.format == "labelme"
    assert dataset.classes.names == ("_background_", "potted plant", "dog")
    expected = box(0, 0, 7, 7, 2)
    expected[2:4, 2:4] = 255
    expected[5:7, 5:7] = 0
    assert np.array_equal(dataset.reader[0].mask, expected)
    assert dataset.reader.shared == (root / "labels.txt",)
    assert "pixels in no shape are _background_" in dataset.notes
    chosen = open_dataset(root, DataConfig(classes=("dog", "_background_")))
    assert chosen.classes.names == ("dog", "_background_")
    assert chosen.reader[0].mask[0, 0] == 0


def test_labels_txt_without_the_first_two(write: Write) -> None:
    root = write("a", shape("cat", (0, 0), (7, 7), kind="rectangle"))
    (root / "labels.txt").write_text("dog\ncat\n")
    dataset = open_dataset(root)
    assert dataset.classes.names == ("background", "dog", "cat")
    assert np.array_equal(dataset.reader[0].mask, box(0, 0, 7, 7, 2))
    (root / "labels.txt").write_text("__ignore__\ndog\ncat\n")  # nothing is background, so it is unknown
    dataset = open_dataset(root)
    assert dataset.classes.names == ("dog", "cat")
    assert dataset.reader[0].mask[23, 31] == 255
    assert any("pixels in no shape are ignored" in note for note in dataset.notes)


def test_classes_found_in_the_jsons(write: Write) -> None:
    write("train/a", shape("dog", (0, 0), (7, 7), kind="rectangle"))
    root = write(
        "val/b", shape(" cat ", (0, 0), (3, 3), kind="rectangle"), shape("__ignore__", *[(9, 9)] * 3)
    )
    dataset = open_dataset(root)
    assert dataset.classes.names == ("background", "cat", "dog")
    assert [np.unique(s.mask).tolist() for s in dataset.reader] == [[0, 2], [0, 1, 255]]
    assert dataset.reader.splits == {"train": (0,), "val": (1,)}
    assert any("each of which was read for it" in note for note in dataset.notes)
    more = open_dataset(root, DataConfig(classes=("background", "bird", "dog", "cat")))
    assert more.classes.names == ("background", "bird", "dog", "cat")
    assert "no shape is labelled bird, as --classes has it" in more.notes
    assert more.reader[0].mask[0, 0] == 2


def test_flags_that_cannot_be(write: Write) -> None:
    root = write("a", shape("dog", (0, 0), (7, 7), kind="rectangle"))
    with pytest.raises(ConfigError, match="no shape is labelled horse; there are dog"):
        open_dataset(root, DataConfig(classes=("horse",)))
    with pytest.raises(ConfigError, match="use --merge or --ignore"):
        open_dataset(root, DataConfig(map=("1=0",)))
    (root / "labels.txt").write_text("dog\n")
    with pytest.raises(ConfigError, match=r"no class 'horse'; there are background, dog"):
        open_dataset(root, DataConfig(classes=("horse",)))


def test_an_unknown_label_is_named_with_the_nearest(write: Write) -> None:
    root = write("a", shape("dgo", (0, 0), (7, 7), kind="rectangle"))
    (root / "labels.txt").write_text("cat\ndog\n")
    with pytest.raises(
        DataError, match=r"a\.json, shape 1 \('dgo'\): .* nearest is 'dog'\); correct it, or add"
    ):
        open_dataset(root).reader[0]


def test_with_labels_txt_no_json_is_read_at_opening(write: Write) -> None:
    root = write("a", shape("dog", (0, 0), (7, 7), kind="rectangle"))
    (root / "labels.txt").write_text("dog\n")
    (root / "a.json").write_text('{"shapes": [')
    dataset = open_dataset(root, DataConfig(format="labelme"))
    with pytest.raises(DataError, match="no whole json"):
        dataset.reader[0]
    (root / "a.json").write_text("{}")
    with pytest.raises(DataError, match="none of LabelMe's"):
        dataset.reader[0]


def test_a_picture_inside_the_json_goes_first(write: Write) -> None:
    inside = np.full((*SIZE, 3), 200, np.uint8)
    root = write("a", imageData=encoded(inside))
    write("b", picture=False, imageData=encoded(inside), imagePath="C:\\lost\\b.png")
    dataset = open_dataset(root)
    assert [s.image[0, 0, 0] for s in dataset.reader] == [200, 200]
    assert not any(s.mask.any() for s in dataset.reader)  # no shapes: background only
    image, mask = dataset.reader.at(1, (6, 8))
    assert (image.shape, mask.shape) == ((6, 8, 3), (6, 8))
    assert dataset.reader.entries[1].image == root / "b.json"


def test_pictures_elsewhere(write: Write, save) -> None:
    save("set/photos/one.png", np.full((*SIZE, 3), 9, np.uint8))
    root = write("jsons/a", picture=False, imagePath="..\\photos\\one.png")
    assert open_dataset(root).reader[0].image[0, 0, 0] == 9
    # A path of another machine, or out of the folder: the picture beside the json.
    for path in ("/home/them/one.png", "C:\\data\\one.png", "../../../one.png", "gone.png", None):
        write("jsons/b", imagePath=path)
        assert open_dataset(root).reader[1].image[0, 0, 0] == 7
    save("one.png", np.zeros((*SIZE, 3), np.uint8))
    write("jsons/c", picture=False, imagePath="../../one.png")
    with pytest.raises(DataError, match=r"c\.json: there is no picture for it: .* leads to no file"):
        open_dataset(root)


def test_two_pictures_that_may_be_meant(write: Write, save) -> None:
    root = write("a", imagePath="other.png")
    save("set/other.png", np.zeros((*SIZE, 3), np.uint8))
    with pytest.raises(DataError, match=r"imagePath means .*other\.png, but a\.png lies beside it"):
        open_dataset(root).reader[0]
    save("set/b.jpg", np.zeros((*SIZE, 3), np.uint8))
    write("b", imagePath="b.jpg")
    (root / "a.json").unlink()
    assert open_dataset(root).reader.entries[0].image == root / "b.jpg"
    write("b", imagePath="gone.png")
    with pytest.raises(DataError, match=r"b\.jpg and b\.png may each be its picture"):
        open_dataset(root)


def test_sizes_that_differ(write: Write, save) -> None:
    root = write("a", imageHeight=99)
    with pytest.raises(
        DataError, match="drawn on a picture of 32x99, but it is 32x24; was the picture resized"
    ):
        open_dataset(root).reader[0]
    write("a")
    save("set/a.png", np.zeros((*SIZE, 3), np.uint8), orientation=6)
    with pytest.raises(DataError, match="EXIF tag turns it"):
        open_dataset(root).reader[0]
    save("set/a.png", np.zeros((*SIZE, 3), np.uint8))
    write("a", picture=False, imageHeight=None, imageWidth=32.0)
    assert open_dataset(root).reader[0].mask.shape == SIZE


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (shape("dog", (0, 0), (5, 5)), "2 points, but needs at least 3"),
        (shape("dog", (0, 0), (5, 5), (9, 9), kind="rectangle"), "a rectangle has 2 points, but it has 3"),
        (shape("dog", (90, 90), (95, 90), (95, 95)), "lies outside its picture of 32x24"),
        (shape("dog", (0, 0), kind="star"), "no shape type 'star'"),
        (shape("dog", (0, 0), (1, 1), kind="mask"), "'mask' must be a text"),
        (shape("dog", (0, 0), (1, 1), kind="mask", mask="?!"), "cannot|empty|no base64"),
        (
            shape("dog", (0, 0), (1, 1), kind="mask", mask=encoded(np.ones((3, 2), np.uint8))),
            "its mask is 2x3, but its box is 2x2",
        ),
        (
            shape("dog", (30, 20), (40, 23), kind="mask", mask=encoded(np.ones((4, 11), np.uint8))),
            "does not lie in its picture",
        ),
        (shape("", (0, 0), (5, 0), (5, 5)), "label '' is no name"),
        ({"points": []}, "'label' must be a text, but it is missing"),
        ([], "must be an object"),
        (shape("dog", (0, 0), (5, 0), ("x", 5)), "coordinate must be a number"),
    ],
)
def test_wrong_shapes_are_a_sentence(write: Write, wrong: dict, match: str) -> None:
    root = write("a", wrong)
    (root / "labels.txt").write_text("dog\n")
    with pytest.raises(DataError, match=match) as caught:
        open_dataset(root).reader[0]
    assert "a.json" in str(caught.value)


def test_other_jsons_and_pictures_are_said(write: Write, save) -> None:
    root = write("a", shape("dog", (0, 0), (7, 7), kind="rectangle"))
    (root / "package.json").write_text('{"name": "x"}')
    save("set/unlabelled.png", np.zeros((*SIZE, 3), np.uint8))
    notes = open_dataset(root).notes
    assert any("1 pictures without a json" in note for note in notes)
    assert any(
        "1 json files are none of LabelMe's and are passed over: package.json" in note for note in notes
    )


def test_lists_of_labels_that_cannot_be(write: Write) -> None:
    write("one/a")
    root = write("two/b")
    (root / "one" / "labels.txt").write_text("cat\n")
    assert open_dataset(root).classes.names == ("background", "cat")
    (root / "two" / "labels.txt").write_text("dog\n")
    with pytest.raises(DataError, match=r"differ; put one labels\.txt for all into"):
        open_dataset(root)
    for content, match in (
        (b"cat\ncat\n", "cat stands there more than once"),
        (b"\n\n", "is empty"),
        (b"\xff\xfe\x00", "cannot be read"),
        ("\n".join(f"c{i}" for i in range(300)).encode(), "1 to 255 classes"),
    ):
        (root / "labels.txt").write_bytes(content)
        with pytest.raises(DataError, match=match):
            open_dataset(root)


def test_what_is_recognised(write: Write, tmp_path: Path) -> None:
    root = write("a")
    assert recognises(root)
    big = {"imageData": "A" * 400_000, "imagePath": "a.png", "shapes": []}  # LabelMe 3 sorts nothing
    (root / "a.json").write_text(json.dumps(big))
    assert recognises(root)
    others = (
        {"images": [], "annotations": [], "shapes": []},
        {"type": "FeatureCollection", "features": [{"shapes": [], "imageData": 1}]},
        {"info": {"version": "1", "flags": {}}},
    )
    for other in others:
        (root / "a.json").write_text(json.dumps(other))
        assert not recognises(root)
    (root / "a.json").write_bytes(b'\x00"\\')
    assert not recognises(root)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="needs jsons beside the pictures"):
        READERS["labelme"].open(tmp_path / "empty", DataConfig())


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NUMBER = st.integers(-40, 80) | st.floats(-50, 90) | st.sampled_from([1e308, 10**400, "3"])
SHAPE = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from(["dog", "cat", "__ignore__", "\ud800", ""]) | JSON,
        "points": st.lists(st.lists(NUMBER, min_size=2, max_size=2), max_size=5) | JSON,
        "shape_type": st.sampled_from(["polygon", "circle", "mask", "point", "line", "rectangle", None])
        | JSON,
        "mask": st.sampled_from([encoded(np.ones((1, 1), np.uint8)), "data:,", "é"]) | JSON,
    },
)
DOCUMENT = st.fixed_dictionaries(
    {"shapes": st.lists(SHAPE | JSON, max_size=3) | JSON},
    optional={
        "imagePath": st.sampled_from(["a.png", "../a.png", "\0", "x" * 5000, "\ud800.png"]) | JSON,
        "imageData": st.sampled_from([None, "", "AAAA", "é"]) | JSON,
        "imageHeight": st.sampled_from([SIZE[0], 1e999]) | JSON,
        "imageWidth": JSON,
    },
)


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(document=DOCUMENT, listed=st.booleans(), beside=st.booleans())
def test_nothing_but_data_errors(tmp_path: Path, document: dict, listed: bool, beside: bool) -> None:
    root = tmp_path / "fuzz"
    root.mkdir(exist_ok=True)
    for path in root.iterdir():
        path.unlink()
    if beside:
        Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(root / "a.png")
    if listed:
        (root / "labels.txt").write_text("cat\ndog\n")
    (root / "a.json").write_text(json.dumps(document))
    try:
        recognises(root)
        sample = open_dataset(root, DataConfig(format="labelme")).reader[0]
    except DataError:
        return
    assert sample.mask.shape == sample.image.shape[:2]


def test_the_real_pictures_equal_labelmes_own_conversion(real_data: Path) -> None:
    root = real_data / "formats" / "labelme"
    dataset = open_dataset(root)
    assert dataset.reader.format == "labelme"
    names = (root / "expected_voc" / "class_names.txt").read_text().splitlines()
    assert dataset.classes.names == tuple(names)
    assert len(dataset.reader) == 3
    for sample in dataset.reader:
        stem = Path(sample.name).name
        expected = np.asarray(Image.open(root / "expected_voc" / "SegmentationClass" / f"{stem}.png"))
        numbers = np.load(root / "expected_voc" / "SegmentationClassNpy" / f"{stem}.npy")
        assert np.array_equal(expected, np.where(numbers == -1, 255, numbers))
        # They were drawn by a Pillow of 2020. Pillow 13 fills one pixel of one polygon otherwise, and so
        # does LabelMe's own code with it.
        assert int((sample.mask != expected).sum()) <= 1


def test_the_real_pictures_without_a_list(real_data: Path) -> None:
    dataset = open_dataset(real_data / "formats" / "labelme" / "data_annotated")
    assert dataset.classes.names == ("background", "bottle", "bus", "car", "chair", "person", "sofa")
    assert {int(v) for s in dataset.reader for v in np.unique(s.mask)} == {0, 1, 2, 3, 4, 5, 6, 255}
