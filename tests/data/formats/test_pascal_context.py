"""Reader `pascal_context`: ids, colours and label maps; 59 classes, and 60 with background."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.formats.pascal_context import read_label_map
from pixelwise.drawing import voc_colour
from pixelwise.errors import ConfigError, DataError

matlab = pytest.importorskip("scipy.io")
PICTURE = np.zeros((1, 4, 3), np.uint8)


@pytest.fixture
def context(save, tmp_path: Path) -> Path:
    """Three pictures: ids, colours, and a list of each."""
    for name in ("2008_000001", "2008_000002", "2010_000003"):
        save(f"ctx/JPEGImages/{name}.jpg", PICTURE)
    save("ctx/SegmentationClassContext/2008_000001.png", np.array([[0, 1, 37, 59]], np.uint8))
    # By hand: in the authors' list aeroplane is the 1st, person the 15th and wood the 59th.
    colours = [voc_colour(index) for index in (0, 1, 15, 59)]
    save("ctx/SegmentationClassContext/2008_000002.png", np.array([colours], np.uint8))
    lists = tmp_path / "ctx" / "ImageSets" / "SegmentationContext"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2008_000001\r\n")
    (lists / "val.txt").write_text("2008_000002\r\n")
    return tmp_path / "ctx"


def test_ids_and_colours_agree(context: Path) -> None:
    dataset = open_dataset(context)
    assert dataset.reader.format == "pascal_context"
    assert [dataset.classes.names[i] for i in (0, 36, 58)] == ["aeroplane", "person", "wood"]
    assert dataset.reader[0].mask.tolist() == dataset.reader[1].mask.tolist() == [[255, 0, 36, 58]]
    assert (dataset.split.train, dataset.split.val) == ((0,), (1,))


def test_with_background(context: Path) -> None:
    everything = ("background", *open_dataset(context).classes.names)
    dataset = open_dataset(context, DataConfig(classes=everything))
    assert len(dataset.classes) == 60
    assert dataset.reader[1].mask.tolist() == [[0, 1, 37, 59]]
    two = open_dataset(context, DataConfig(classes=("background", "person")))
    assert two.reader[0].mask.tolist() == [[0, 255, 1, 255]]
    merged = open_dataset(context, DataConfig(merge=("background,wood=rest",), binary="rest"))
    assert merged.reader[0].mask.tolist() == [[1, 0, 0, 1]]


def test_label_maps(context: Path, save) -> None:
    """Of the 459: aeroplane is 2, wood 115, person 326, bag 9; label 1 is none of the 59."""
    for path in (context / "SegmentationClassContext").iterdir():
        path.unlink()
    (context / "SegmentationClassContext").rmdir()
    (context / "trainval").mkdir()
    labels = np.array([[1, 2, 9, 459]], np.uint16)
    matlab.savemat(context / "trainval" / "2010_000003.mat", {"LabelMap": labels}, do_compression=True)
    dataset = open_dataset(context)
    assert dataset.reader[0].mask.tolist() == [[255, 0, 1, 255]]
    matlab.savemat(context / "trainval" / "2010_000003.mat", {"LabelMap": labels.T})
    with pytest.raises(DataError, match="is 1x4 but its picture"):
        dataset.reader[0]


def mat(**variables: object) -> bytes:
    stream = io.BytesIO()
    matlab.savemat(stream, variables)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no MATLAB file"),
        (b"MATLAB 7.3 MAT-file" + bytes(600), "no MATLAB file"),
        (mat(Other=np.ones((2, 2))), "holds no LabelMap"),
        (mat(LabelMap=np.ones((2, 2, 2))), "holds no LabelMap"),
        (mat(LabelMap=np.full((2, 2), 460)), "labels 0 to 459"),
        (mat(LabelMap=np.full((2, 2), 0.5)), "labels 0 to 459"),
        (mat(LabelMap="text"), "holds no LabelMap"),
        (mat(LabelMap=np.array([[1, {"a": 1}]], object)), "holds no LabelMap"),
    ],
)
def test_label_maps_at_fault(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_label_map(tmp_path / "a.mat")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_label_maps_give_a_sentence(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.mat"
    content = bytearray(mat(LabelMap=np.arange(12, dtype=np.uint16).reshape(3, 4)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert read_label_map(path).ndim == 2
    except DataError as error:
        text = str(error)
        assert text.startswith(str(path))


def test_what_does_not_fit(context: Path, save) -> None:
    with pytest.raises(ConfigError, match="choose among them"):
        open_dataset(context, DataConfig(classes=("a", "b")))
    save("ctx/SegmentationClassContext/2008_000002.png", np.full((1, 4, 3), 250, np.uint8))
    with pytest.raises(DataError, match=r"2008_000002\.png holds the colour 250 250 250"):
        open_dataset(context).reader[1]
    (context / "JPEGImages" / "2008_000002.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 2 masks have no picture .*2008_000002\.png"):
        open_dataset(context)


def test_the_real_pictures(real_data: Path) -> None:
    """What stands in the photos: a bird on grass, motorbikes and people, a bus, a dog on a person's lap."""
    dataset = open_dataset(real_data / "formats" / "pascal_context")
    assert dataset.reader.format == "pascal_context"
    seen = [
        {dataset.classes.names[i] for i in np.unique(dataset.reader[n].mask) if i != 255} for n in range(4)
    ]
    assert seen[0] == {"grass", "ground", "bird", "water", "wood"}
    assert seen[1] == {"grass", "sky", "motorbike", "ground", "person"}
    assert {"bus", "tree", "road", "building", "person"} <= seen[2]
    assert seen[3] == {"dog", "wall", "cloth", "floor", "table", "person"}
