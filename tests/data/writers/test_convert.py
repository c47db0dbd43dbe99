"""Data sets written as others: read back, they are the same pictures, classes, masks and splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.dataset import Dataset
from pixelwise.data.writers import WRITERS, convert
from pixelwise.errors import ConfigError, DataError

LAYOUTS = (*WRITERS, "shards")
SIZE = (23, 31)


@pytest.fixture
def masks(rng: np.random.Generator) -> Callable[..., np.ndarray]:
    """Blobs of the given ids, with holes, lines and single pixels."""

    def draw(*ids: int) -> np.ndarray:
        coarse = rng.choice(ids, (6, 8))
        mask = np.kron(coarse, np.ones((4, 4), np.uint8))[: SIZE[0], : SIZE[1]].astype(np.uint8)
        for _ in range(25):
            y, x = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
            mask[y : y + rng.integers(1, 3), x : x + rng.integers(1, 6)] = rng.choice(ids)
        return mask

    return draw


def same(before: Dataset, after: Dataset) -> None:
    """Every sample's pixels and ids; the names may have changed."""
    assert after.classes.names == before.classes.names
    assert len(after.reader) == len(before.reader)
    found = {sample.image.tobytes(): sample for sample in (after.reader[i] for i in range(len(after.reader)))}
    for index in range(len(before.reader)):
        sample = before.reader[index]
        assert np.array_equal(found[sample.image.tobytes()].mask, sample.mask), sample.name


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("names", [("background", "cat", "dog"), ("sky", "road", "tree")])
def test_there_and_back(layout: str, names: tuple[str, ...], make_set, masks, tmp_path: Path) -> None:
    """With and without a class for what nobody drew around; ignored pixels in both."""
    source = make_set({f"p {i}": masks(0, 1, 2, 255) for i in range(4)}, classes="\n".join(names))
    before = open_dataset(source)
    done = convert(before, tmp_path / "out", layout)
    assert (done.pictures, done.notes) == (4, ())
    after = open_dataset(tmp_path / "out")
    assert after.reader.format == layout
    same(before, after)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_class_that_no_pixel_has(layout: str, make_set, masks, tmp_path: Path) -> None:
    source = make_set({"a": masks(0, 2), "b": masks(2)}, classes="background\nrare\nroad\n")
    convert(open_dataset(source), tmp_path / "out", layout)
    same(open_dataset(source), open_dataset(tmp_path / "out"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_splits_stay(layout: str, save, masks, tmp_path: Path) -> None:
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for number in range(count):
            save(f"in/{split}/images/{number}.png", np.full((*SIZE, 3), 40 * number + len(split), np.uint8))
            save(f"in/{split}/masks/{number}.png", masks(0, 1))
    (tmp_path / "in" / "classes.txt").write_text("background\nthing\n")
    before = open_dataset(tmp_path / "in")
    convert(before, tmp_path / "out", layout)
    after = open_dataset(tmp_path / "out")
    assert {name: len(indices) for name, indices in after.reader.splits.items()} == {
        "train": 3,
        "val": 2,
        "test": 1,
    }
    for split in ("train", "val", "test"):
        pictures = [{d.reader[i].image.tobytes() for i in d.indices(split)} for d in (before, after)]
        assert pictures[0] == pictures[1]
    same(before, after)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_remapped_on_the_way(layout: str, make_set, masks, tmp_path: Path) -> None:
    source = make_set({"a": masks(0, 1, 2), "b": masks(0, 1, 2)}, classes="background\ncat\ndog\n")
    before = open_dataset(source, DataConfig(merge=("cat,dog=pet",)))
    convert(before, tmp_path / "out", layout)
    assert open_dataset(tmp_path / "out").classes.names == ("background", "pet")
    same(before, open_dataset(tmp_path / "out"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_opened_from_where_one_stands(
    layout: str, make_set, masks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By relative paths, also one that a folder in the data set has the name of."""
    source = make_set({"a": masks(0, 1), "b": masks(0, 1)}, root="images", classes="background\ncat\n")
    monkeypatch.chdir(tmp_path)
    convert(open_dataset("images"), "out/images", layout)
    same(open_dataset(source), open_dataset("out/images"))
    monkeypatch.chdir("out/images")
    inside = open_dataset(".")
    monkeypatch.chdir("/")
    same(open_dataset(source), inside)


def test_turned_pictures_are_written_upright(save, tmp_path: Path, rng: np.random.Generator) -> None:
    save("in/images/a.png", rng.integers(0, 255, (6, 9, 3), np.uint8), orientation=6)
    save("in/masks/a.png", np.kron([[0, 1]], np.ones((9, 3))).astype(np.uint8))
    (tmp_path / "in" / "classes.txt").write_text("one\ntwo\n")
    before = open_dataset(tmp_path / "in")
    convert(before, tmp_path / "out", "folder")
    assert Image.open(tmp_path / "out" / "images" / "a.png").size == (6, 9)
    same(before, open_dataset(tmp_path / "out"))


def test_pictures_are_copied_byte_by_byte(data_folder: Path, tmp_path: Path) -> None:
    convert(open_dataset(data_folder), tmp_path / "out", "voc")
    first = data_folder / "images" / "scene_00.png"
    assert (tmp_path / "out" / "JPEGImages" / "scene_00.png").read_bytes() == first.read_bytes()
    assert Image.open(tmp_path / "out" / "SegmentationClass" / "scene_00.png").mode == "P"


def test_names_from_two_folders_stay_apart(save, tmp_path: Path) -> None:
    for number, name in enumerate(("a/x", "a_x", "a x")):
        save(f"in/images/{name}.png", np.full((4, 4, 3), number, np.uint8))
        save(f"in/masks/{name}.png", np.array([[0, 1]] * 2, np.uint8).repeat(2, 0).repeat(2, 1))
    (tmp_path / "in" / "classes.txt").write_text("one\ntwo\n")
    convert(open_dataset(tmp_path / "in"), tmp_path / "out", "folder")
    assert sorted(p.name for p in (tmp_path / "out" / "images").iterdir()) == [
        "a_x.png",
        "a_x_2.png",
        "a_x_3.png",
    ]


def test_a_place_that_is_taken(data_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="out is there already; choose a new folder"):
        convert(open_dataset(data_folder), tmp_path / "out", "folder")
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"
    with pytest.raises(ConfigError, match="no layout 'zip' to write; there are folder, voc, coco, labelme"):
        convert(open_dataset(data_folder), tmp_path / "new", "zip")


def test_a_fault_leaves_nothing(data_folder: Path, tmp_path: Path) -> None:
    (data_folder / "masks" / "scene_07.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"scene_07\.png"):
        convert(open_dataset(data_folder), tmp_path / "out", "coco")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_broken_samples_are_left_out_where_that_is_asked_for(
    layout: str, data_folder: Path, tmp_path: Path
) -> None:
    (data_folder / "images" / "scene_07.png").write_bytes(b"no picture")
    done = convert(open_dataset(data_folder, DataConfig(skip_broken=True)), tmp_path / "out", layout)
    assert done.pictures == len(open_dataset(tmp_path / "out").reader) == 11
    assert "1 samples were left out" in done.notes[0]
    assert "scene_07.png" in done.notes[0]
    for path in (data_folder / "images").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of the 12 pictures can be read"):
        convert(open_dataset(data_folder, DataConfig(skip_broken=True)), tmp_path / "none", layout)
    assert not (tmp_path / "none").exists()


def test_names_lose_the_folder_of_their_split(save, tmp_path: Path) -> None:
    for split, name in (("train", "a"), ("val", "b")):
        save(f"in/{split}/images/{name}.png", np.zeros((4, 4, 3), np.uint8))
        save(f"in/{split}/masks/{name}.png", np.array([[0, 1]] * 2, np.uint8).repeat(2, 0).repeat(2, 1))
    (tmp_path / "in" / "classes.txt").write_text("one\ntwo\n")
    convert(open_dataset(tmp_path / "in"), tmp_path / "out", "labelme")
    assert (tmp_path / "out" / "train" / "a.json").is_file()
    assert (tmp_path / "out" / "val" / "b.json").is_file()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_real_pictures(layout: str, real_data: Path, tmp_path: Path) -> None:
    """Hand-drawn masks of 500x375 with void borders: to the pixel, polygons too."""
    before = open_dataset(real_data / "formats" / "voc", DataConfig(format="voc"))
    convert(before, tmp_path / "out", layout)
    same(before, open_dataset(tmp_path / "out"))
