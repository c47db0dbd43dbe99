"""Which folders are recognised, how files pair, and what is refused with which words."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import ConfigError, DataError


def test_pairs_by_name_and_says_what_it_saw(make_set):
    root = make_set({"b": ids(0, 1), "a": ids(1, 0), "sub/c": ids(0)}, classes="ground\nbox\n")
    dataset = open_dataset(root)
    assert [entry.name for entry in dataset.reader.entries] == ["a", "b", "sub/c"]
    assert dataset.classes.names == ("ground", "box")
    assert dataset.reader.format == "folder"
    assert any("format folder: 3 pictures in images/ + masks/" in note for note in dataset.notes)
    sample = dataset.reader[1]
    assert sample.name == "b"
    assert sample.image.shape == (6, 8, 3)
    assert np.array_equal(sample.mask, ids(0, 1))


def test_any_mix_of_formats_and_a_common_suffix(make_set, save):
    root = make_set({"a": ids(0, 1)}, classes="ground\nbox\n")
    shutil.rmtree(root / "images")
    shutil.rmtree(root / "masks")
    picture = np.zeros((6, 8, 3), np.uint8)
    for name, ending in (("a", "jpg"), ("b", "webp"), ("c", "tif"), ("d", "bmp")):
        save(f"set/images/{name}.{ending}", picture)
        save(f"set/masks/{name}_mask.png", ids(0, 1))
    (root / "images" / "._a.jpg").write_bytes(b"what macOS leaves behind")
    dataset = open_dataset(root)
    assert [entry.name for entry in dataset.reader.entries] == ["a", "b", "c", "d"]
    assert any("_mask" in note for note in dataset.notes)
    assert all(np.array_equal(dataset.reader[i].mask, ids(0, 1)) for i in range(4))


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ((("train", "trainannot"), ("val", "valannot")), {"train", "val"}),
        ((("train/images", "train/masks"), ("val/images", "val/masks")), {"train", "val"}),
        ((("images/train", "masks/train"), ("images/val", "masks/val")), {"train", "val"}),
        ((("images", "labels"),), set()),
        ((("JPEGImages", "SegmentationClass"),), set()),
    ],
)
def test_layouts(tmp_path, save, folders, expected):
    for number, (pictures, masks) in enumerate(folders):
        for name in ("x", "y"):
            save(f"set/{pictures}/{name}{number}.png", np.zeros((4, 4, 3), np.uint8))
            save(f"set/{masks}/{name}{number}.png", ids(0, 1, size=(4, 4)))
    dataset = open_dataset(tmp_path / "set")
    assert set(dataset.reader.splits) == expected
    assert len(dataset.reader) == 2 * len(folders)
    if expected:
        sides = [
            [dataset.reader.entries[i].image.stem[1:] for i in dataset.indices(s)] for s in ("train", "val")
        ]
        assert sides == [["0", "0"], ["1", "1"]]


def test_named_folders(tmp_path, save):
    save("set/scans/a.png", np.zeros((4, 4, 3), np.uint8))
    save("set/scans/b.png", np.zeros((4, 4, 3), np.uint8))
    save("set/truth/a.png", ids(0, 1, size=(4, 4)))
    save("set/truth/b.png", ids(0, 1, size=(4, 4)))
    with pytest.raises(DataError, match="images"):
        open_dataset(tmp_path / "set")
    assert len(open_dataset(tmp_path / "set", DataConfig(images="scans", masks="truth")).reader) == 2


def test_classes_are_named_found_or_refused(make_set):
    root = make_set({"a": ids(0, 2), "b": ids(1, 255)})
    assert open_dataset(root).classes.names == ("class_0", "class_1", "class_2")
    given = open_dataset(root, DataConfig(classes=("sky", "road", "car")))
    assert given.classes.names == ("sky", "road", "car")
    gap = make_set({"a": ids(0, 7), "b": ids(0)}, root="gap")
    with pytest.raises(DataError, match="--map 7=1"):
        open_dataset(gap)
    binary = make_set({"a": ids(0, 255), "b": ids(0)}, root="binary")
    with pytest.raises(DataError, match="--map 255=1"):
        open_dataset(binary, DataConfig(classes=("background", "person")))
    mapped = open_dataset(binary, DataConfig(classes=("background", "person"), map=("255=1",)))
    assert np.array_equal(mapped.reader[0].mask, ids(0, 1))


def test_lonely_files_and_doubled_names_are_refused(make_set, save):
    root = make_set({"a": ids(0), "b": ids(0)}, classes="ground\n")
    (root / "masks" / "b.png").unlink()
    with pytest.raises(DataError, match=r"b\.png"):
        open_dataset(root)
    (root / "masks" / "c.png").write_bytes((root / "masks" / "a.png").read_bytes())
    (root / "images" / "b.png").unlink()
    with pytest.raises(DataError, match=r"c\.png"):
        open_dataset(root)
    (root / "masks" / "c.png").unlink()
    save("set/images/a.jpg", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"a\.jpg|a\.png"):
        open_dataset(root)


def test_sizes_that_differ_tell_a_turn_from_a_scale(make_set, save):
    root = make_set({"a": ids(0), "b": ids(0)}, classes="ground\n")
    save("set/images/a.jpg", np.zeros((8, 6, 3), np.uint8), orientation=6)  # lies 6x8 in the file, stands 8x6
    (root / "images" / "a.png").unlink()
    reader = open_dataset(root).reader
    assert reader[0].image.shape[:2] == (6, 8)  # turned upright it fits its mask
    save("set/images/b.jpg", np.zeros((6, 8, 3), np.uint8), orientation=6)
    (root / "images" / "b.png").unlink()
    with pytest.raises(DataError, match=r"6x8 but its mask .* is 8x6.*EXIF tag turns it by 90 degrees"):
        open_dataset(root).reader[1]
    save("set/masks/b.png", ids(0, size=(7, 8)))
    with pytest.raises(DataError, match="without smoothing"):
        open_dataset(root).reader[1]


def test_folders_that_are_none(tmp_path):
    with pytest.raises(DataError, match="there is no such folder"):
        open_dataset(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="the folder is empty"):
        open_dataset(tmp_path / "empty")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="this is a file"):
        open_dataset(tmp_path / "file", DataConfig(format="folder"))
    (tmp_path / "no" / "images").mkdir(parents=True)
    (tmp_path / "no" / "masks").mkdir()
    with pytest.raises(DataError, match="holds no picture"):
        open_dataset(tmp_path / "no")
    with pytest.raises(
        ConfigError, match="there is no data format 'cocoa'; there are auto, folder, oxford_pets"
    ):
        open_dataset(tmp_path / "no", DataConfig(format="cocoa"))


@pytest.fixture
def pets(tmp_path: Path, save) -> Path:
    """The official layout, with what the official archive has: files that are not what their ending says."""
    picture = np.zeros((6, 8, 3), np.uint8)
    trimap = ids(1, 2, 3, 2)
    for name in ("Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2", "pug_1"):
        save(f"pets/images/{name}.jpg", picture)
        save(f"pets/annotations/trimaps/{name}.png", trimap)
    images = tmp_path / "pets" / "images"
    Image.fromarray(picture).save(images / "Abyssinian_2.jpg", format="PNG")
    Image.fromarray(picture).convert("P").save(images / "beagle_1.jpg", format="GIF")
    Image.fromarray(picture).convert("CMYK").save(images / "beagle_2.jpg", format="JPEG")
    (images / "Abyssinian_1.mat").write_bytes(b"matlab")
    (tmp_path / "pets" / "annotations" / "trimaps" / "._Abyssinian_1.png").write_bytes(b"macOS")
    return tmp_path / "pets"


def test_oxford_pets(pets):
    dataset = open_dataset(pets, DataConfig(val_last=2))
    assert dataset.reader.format == "oxford_pets"
    assert dataset.classes.names == ("pet", "background", "border")
    assert [e.name for e in dataset.reader.entries] == [
        *("Abyssinian_1", "Abyssinian_2", "beagle_1", "beagle_2", "pug_1"),
    ]
    assert dataset.split.val == (3, 4)
    for i in range(5):
        sample = dataset.reader[i]
        assert sample.image.shape == (6, 8, 3)
        assert np.array_equal(sample.mask, ids(0, 1, 2, 1))


def test_oxford_pets_official_lists(pets):
    lists = pets / "annotations"
    lists.joinpath("trainval.txt").write_text("Abyssinian_1 1 1 1\nbeagle_1 2 2 1\npug_1 3 2 2\n")
    lists.joinpath("test.txt").write_text("# a comment\r\nAbyssinian_2 1 1 1\r\n")
    dataset = open_dataset(pets)
    assert dataset.split.train == (0, 2, 4)
    assert dataset.split.val == (1,)
    assert "own split" in dataset.split.rule
    assert dataset.indices("test") == (1,)


def test_oxford_pets_values_beyond_the_trimap(pets, save):
    save("pets/annotations/trimaps/pug_1.png", ids(0, 1, 2))
    with pytest.raises(DataError, match=r"pug_1\.png holds the value 0"):
        open_dataset(pets).reader[4]
