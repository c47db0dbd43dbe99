"""Reader `ade20k`: the benchmark's masks, and the full data set's colours brought to its classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from PIL import Image

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import ConfigError, DataError

PICTURE = np.zeros((2, 3, 3), np.uint8)


@pytest.fixture
def benchmark(save, tmp_path: Path) -> Path:
    for folder, split in (("training", "train"), ("validation", "val")):
        for number in (1, 2):
            name = f"{folder}/ADE_{split}_0000000{number}"
            save(f"ade/images/{name}.jpg", PICTURE)
            save(f"ade/annotations/{name}.png", np.array([[0, 1, 2], [3, 149, 150]], np.uint8))
    (tmp_path / "ade" / "objectInfo150.txt").write_text("Idx\tRatio\n")
    return tmp_path / "ade"


def test_the_benchmark(benchmark: Path) -> None:
    dataset = open_dataset(benchmark)
    assert dataset.reader.format == "ade20k"
    assert dataset.classes.names[:3] == ("wall", "building", "sky")
    assert (len(dataset.classes), dataset.classes.names[12]) == (150, "person")
    assert dataset.reader[0].mask.tolist() == [[255, 0, 1], [2, 148, 149]]
    assert (dataset.split.train, dataset.split.val) == ((0, 1), (2, 3))


def test_below_the_archives_folder(benchmark: Path, tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    benchmark.rename(tmp_path / "outer" / "ADEChallengeData2016")
    assert len(open_dataset(tmp_path / "outer").reader) == 4


def seg(*indices: int) -> np.ndarray:
    """As the full data set stores class indices: red is ten times the upper byte, green the lower one."""
    return np.array([[(i // 256 * 10, i % 256, 77) for i in indices]], np.uint8)


@pytest.mark.parametrize(
    "layout", ["ADE20K_2016_07_26/images/training/a/abbey", "images/ADE/training/urban/street"]
)
def test_the_full_data_set(save, tmp_path: Path, layout: str) -> None:
    """Known indices: wall 2978, sky 2420, person 1831, car 401, and door, which has two: 774 and 783."""
    save(f"full/{layout}/ADE_train_00000007.jpg", np.zeros((1, 7, 3), np.uint8))
    save(f"full/{layout}/ADE_train_00000007_seg.png", seg(2978, 2420, 1831, 401, 774, 783, 5))
    save(f"full/{layout}/ADE_train_00000007_parts_1.png", seg(0, 0, 0, 0, 0, 0, 0))
    save(f"full/{layout}/ADE_train_00000008.jpg", PICTURE)
    dataset = open_dataset(tmp_path / "full")
    assert dataset.reader.format == "ade20k"
    assert dataset.reader[0].mask.tolist() == [[0, 2, 12, 20, 14, 14, 255]]
    assert [dataset.classes.names[i] for i in (0, 2, 12, 20, 14)] == ["wall", "sky", "person", "car", "door"]
    assert "1 pictures without X_seg.png are left out" in dataset.notes
    assert dataset.reader.splits["train"] == (0,)


def test_other_pictures_are_another_data_set(save, benchmark: Path, tmp_path: Path) -> None:
    save("set/images/a.png", PICTURE)
    save("set/annotations/a.png", np.zeros((2, 3), np.uint8))
    save("set/annotations/b.png", np.ones((2, 3), np.uint8))
    save("set/images/b.png", PICTURE)
    assert open_dataset(tmp_path / "set").reader.format == "folder"
    (benchmark / "classes.txt").write_text("\n".join(f"mine {i}" for i in range(151)))
    assert open_dataset(benchmark).reader.format == "folder"


def test_masks_of_the_users_own_beside_ade20ks_pictures(save, benchmark: Path, tmp_path: Path) -> None:
    """The names alone don't make the data set: the masks stand elsewhere, and mean something else."""
    (benchmark / "annotations").rename(benchmark / "masks")
    for path in (benchmark / "masks").rglob("*.png"):
        save(f"ade/masks/{path.parent.name}/{path.name}", np.array([[0, 1, 0], [1, 0, 1]], np.uint8))
    dataset = open_dataset(benchmark)
    assert (dataset.reader.format, len(dataset.classes)) == ("folder", 2)


def test_the_folders_of_single_objects_are_not_entered(save, tmp_path: Path) -> None:
    scene = "full/images/ADE/training/urban/street"
    save(f"{scene}/ADE_train_00000007.jpg", np.zeros((1, 1, 3), np.uint8))
    save(f"{scene}/ADE_train_00000007_seg.png", seg(2978))
    save(f"{scene}/ADE_train_00000007/instance_000_ADE_train_00000007.png", np.zeros((1, 1), np.uint8))
    save(f"{scene}/ADE_train_00000007/crop.jpg", PICTURE)
    save(f"{scene}/ADE_train_00000008_seg.png", seg(5))
    dataset = open_dataset(tmp_path / "full")
    assert [entry.name for entry in dataset.reader.entries] == [
        "ADE/training/urban/street/ADE_train_00000007"
    ]
    assert not any("pictures without" in note for note in dataset.notes)
    assert "1 X_seg.png without a picture are left out" in dataset.notes


@settings(max_examples=200, deadline=None, derandomize=True)
@given(arrays(np.uint8, (2, 3, 3)))
def test_every_colour_has_an_index_or_is_ignored(tmp_path_factory, colours: np.ndarray) -> None:
    """By hand: red // 10 * 256 + green, whatever blue is."""
    root = tmp_path_factory.getbasetemp() / "any_colour"
    scene = root / "images" / "training"
    scene.mkdir(parents=True, exist_ok=True)
    Image.fromarray(PICTURE).save(scene / "ADE_train_00000001.jpg")
    Image.fromarray(colours).save(scene / "ADE_train_00000001_seg.png")
    reader = open_dataset(root).reader
    for (red, green, _), found in zip(colours.reshape(-1, 3), reader[0].mask.ravel(), strict=True):
        assert found == reader.table.values[int(red) // 10 * 256 + int(green)]


def test_what_does_not_fit(benchmark: Path, save, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"ade20k has no class 'a' or 'b'; .* wall, building, .* and 90 more"
    ):
        open_dataset(benchmark, DataConfig(classes=("a", "b")))
    with pytest.raises(DataError, match="format ade20k needs images/ with ADE_train"):
        open_dataset(benchmark / "images", DataConfig(format="ade20k"))
    save("ade/annotations/training/ADE_train_00000001.png", np.full((2, 3), 151, np.uint8))
    with pytest.raises(DataError, match=r"ADE_train_00000001\.png holds the value 151"):
        open_dataset(benchmark).reader[0]
    save("full/images/training/a/abbey/ADE_train_1.jpg", PICTURE)
    save("full/images/training/a/abbey/ADE_train_1_seg.png", np.zeros((2, 3), np.uint8))
    with pytest.raises(
        DataError, match="class indices in red and green, but this is a picture of one channel"
    ):
        open_dataset(tmp_path / "full").reader[0]


def test_the_real_pictures(real_data: Path) -> None:
    dataset = open_dataset(real_data / "formats" / "ade20k_sceneparsing")
    assert len(dataset.reader) == 3
    first = dataset.reader[0].mask
    assert first.shape == (512, 683)
    assert set(np.unique(first)) == {
        0,
        1,
        2,
        4,
        6,
        9,
        17,
        255,
    }  # wall, building, sky, tree, road, grass, plant
