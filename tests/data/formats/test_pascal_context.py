"""Reader `pascal_context`: ids, colours and label maps; 59 classes, and 60 with background."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.config import DataConfig
from pixelwise.data import READERS, open_dataset
from pixelwise.data.formats.pascal_context_maps import read_label_map
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
    into = open_dataset(context, DataConfig(merge=("wood, person = background",)))
    assert (len(into.classes), into.reader[0].mask.tolist()) == (58, [[0, 1, 0, 0]])
    without = open_dataset(context, DataConfig(ignore=("background",)))
    assert (len(without.classes), without.reader[0].mask.tolist()) == (59, [[255, 0, 36, 58]])


@pytest.mark.parametrize("place", ["VOCdevkit/VOC2010", "VOC2010"])
def test_below_the_archives_folder(context: Path, tmp_path: Path, place: str) -> None:
    base = tmp_path / "outer" / place
    base.parent.mkdir(parents=True)
    context.rename(base)
    dataset = open_dataset(tmp_path / "outer")
    assert dataset.reader.format == "pascal_context"
    assert dataset.reader[1].mask.tolist() == [[255, 0, 36, 58]]
    assert (dataset.split.train, dataset.split.val) == ((0,), (1,))


def flat(save, *colours: int) -> None:
    mask = np.array([[voc_colour(index) for index in colours]], np.uint8)
    save("flat/2008_000001.jpg", PICTURE[:, : len(colours)])
    save("flat/2008_000001.png", mask)


def test_one_folder_is_known_by_colours_that_only_context_has(save, tmp_path: Path) -> None:
    flat(save, 0, 1, 37)
    assert open_dataset(tmp_path / "flat").reader.format == "pascal_context"
    flat(save, 0, 1, 20)  # might be PASCAL VOC's as well
    assert not READERS["pascal_context"].recognises(tmp_path / "flat")
    assert len(open_dataset(tmp_path / "flat", DataConfig(format="pascal_context")).reader) == 1
    flat(save, 1, 37, 255)  # VOC's void
    assert not READERS["pascal_context"].recognises(tmp_path / "flat")


def test_classes_of_the_users_own(context: Path) -> None:
    (context / "classes.txt").write_text("a\nb\n")
    assert not READERS["pascal_context"].recognises(context)


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
    # Drawn on the picture as it is stored, before a tag turned it to the right.
    save("ctx/JPEGImages/2010_000003.jpg", PICTURE, orientation=6)
    matlab.savemat(context / "trainval" / "2010_000003.mat", {"LabelMap": labels})
    fitted = open_dataset(context, DataConfig(fit_masks=True)).reader[0].mask
    assert fitted.tolist() == [[255], [0], [1], [255]]


def mat(**variables: object) -> bytes:
    stream = io.BytesIO()
    matlab.savemat(stream, variables)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no MATLAB file"),
        (b"MATLAB 7.3 MAT-file" + bytes(600), "no MATLAB file of version 5 to 7"),
        (
            b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400),
            "a MATLAB file of version 7.3, .*save it anew with -v7",
        ),
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


def part(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def claiming(size: tuple[int, int], data: int, *, kind: int = 11) -> bytes:
    """A compressed LabelMap that claims a size, and so many zeros of data."""
    flags, shape = part(6, struct.pack("<II", kind, 0)), part(5, struct.pack("<ii", *size))
    start = flags + shape + part(1, b"LabelMap") + struct.pack("<II", 4, data)
    packer = zlib.compressobj()
    packed = packer.compress(struct.pack("<II", 14, len(start) + data) + start)
    for _ in range(data >> 20):
        packed += packer.compress(bytes(1 << 20))
    packed += packer.compress(bytes(data & ((1 << 20) - 1))) + packer.flush()
    return b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed


def test_small_files_that_unfold_to_much_are_refused_before(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(claiming((2, 3), 12))
    assert read_label_map(path).tolist() == [[0] * 3] * 2
    path.write_bytes(claiming((2, 3), 200 << 20))
    with pytest.raises(DataError, match="unfolds to more than any label map has"):
        read_label_map(path)
    for content in (claiming((1 << 20, 1 << 20), 12), claiming((1 << 14, 1 << 13), 12, kind=1)):
        path.write_bytes(content)  # so large a picture; so large a cell array
        with pytest.raises(DataError, match="holds no LabelMap of a picture's size"):
            read_label_map(path)
    path.write_bytes(mat(LabelMap=np.ones((2, 2)))[:128] + part(0, b"") * 1001)
    with pytest.raises(DataError, match="unfolds to more"):
        read_label_map(path)
    twice = mat(LabelMap=np.ones((2, 2)))
    path.write_bytes(twice + twice[128:])
    with pytest.raises(DataError, match="holds no LabelMap"):
        read_label_map(path)


def test_a_missing_or_huge_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.mat: cannot be read"):
        read_label_map(tmp_path / "b.mat")
    with (tmp_path / "c.mat").open("wb") as file:
        file.truncate(200 << 20)
    with pytest.raises(DataError, match="209,715,200 bytes are more"):
        read_label_map(tmp_path / "c.mat")


def test_without_scipy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"pip install 'pixelwise\[mat\]'"):
        read_label_map(tmp_path / "a.mat")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_label_maps_give_a_sentence(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.mat"
    whole = mat(LabelMap=np.arange(12, dtype=np.uint16).reshape(3, 4))
    content = bytearray(data.draw(st.sampled_from([whole, claiming((3, 4), 24)])))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert read_label_map(path).ndim == 2
    except DataError as error:
        text = str(error)
        assert text.startswith(str(path))


def test_what_does_not_fit(context: Path, save) -> None:
    with pytest.raises(
        ConfigError, match=r"pascal_context has no class 'a' or 'b'; .* background, aeroplane, .* wood, or"
    ):
        open_dataset(context, DataConfig(classes=("a", "b")))
    save("ctx/SegmentationClassContext/2008_000002.png", np.full((1, 4, 3), 250, np.uint8))
    with pytest.raises(DataError, match=r"2008_000002\.png holds the colour 250 250 250"):
        open_dataset(context).reader[1]
    (context / "JPEGImages" / "2008_000002.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 2 masks have no picture .*2008_000002\.png"):
        open_dataset(context)
    matlab.savemat(context / "SegmentationClassContext" / "2008_000001.mat", {"LabelMap": PICTURE[..., 0]})
    with pytest.raises(DataError, match=r"2008_000001\.mat and 2008_000001\.png are of the same picture"):
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
