"""`--leave-out`: samples that lists name are gone, for every reader and from every split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn_folder import draw_folder
from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.leave_out import list_text, read_names
from pixelwise.errors import DataError


def listed(path: Path, *names: str) -> Path:
    path.write_text("".join(f"{name}\n" for name in names))
    return path


def test_named_samples_are_gone_and_the_others_keep_their_masks(tmp_path: Path) -> None:
    root = draw_folder(tmp_path / "set", pictures=6)
    whole = open_dataset(root).reader
    path = listed(tmp_path / "out.txt", "scene_01", "", "scene_04", "scene_04", "never_there")
    left = open_dataset(root, DataConfig(leave_out=(path,)))
    assert list(left.reader.entries.names) == ["scene_00", "scene_02", "scene_03", "scene_05"]
    for new, old in enumerate((0, 2, 3, 5)):
        assert np.array_equal(left.reader[new].mask, whole[old].mask)
        assert np.array_equal(left.reader[new].image, whole[old].image)
    whole_split = open_dataset(root).split
    for side, whole_side in ((left.split.train, whole_split.train), (left.split.val, whole_split.val)):
        names = {left.reader.entries.names[index] for index in side}
        assert names == {whole.entries.names[index] for index in whole_side} - {"scene_01", "scene_04"}
    assert f"2 samples left out by {path}; 1 of its names are no samples" in left.notes


def test_labels_that_are_kept_by_index_stay_with_their_picture(tmp_path: Path) -> None:
    """COCO's shapes lie in one file, by the number of the sample."""
    root = tmp_path / "coco"
    (root / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(4):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "height": 8, "width": 8})
        wide = 2 * (number + 1)
        annotations.append(
            {
                "id": number + 1,
                "image_id": number,
                "category_id": 1,
                "segmentation": [[0, 0, wide, 0, wide, 8, 0, 8]],
                "iscrowd": 0,
                "area": 8 * wide,
                "bbox": [0, 0, wide, 8],
            }
        )
    document = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "bar"}],
    }
    (root / "annotations.json").write_text(json.dumps(document))
    whole = open_dataset(root).reader
    names = list(whole.entries.names)
    left = open_dataset(root, DataConfig(leave_out=(listed(tmp_path / "o.txt", names[1]),))).reader
    assert [int(left[i].mask.sum()) for i in range(3)] == [int(whole[i].mask.sum()) for i in (0, 2, 3)]


def test_official_splits_lose_them_too(tmp_path: Path) -> None:
    root = tmp_path / "city"
    for side, count in (("train", 3), ("val", 2)):
        drawn = draw_folder(tmp_path / side, pictures=count)
        (root / side).mkdir(parents=True)
        (drawn / "images").rename(root / side / "images")
        (drawn / "masks").rename(root / side / "masks")
    (root / "classes.txt").write_text("ground\nbox\n")
    path = listed(tmp_path / "out.txt", "train/scene_01", "val/scene_00")
    dataset = open_dataset(root, DataConfig(leave_out=(path,)))
    assert dataset.split.train == (0, 1)
    assert dataset.split.val == (2,)
    assert dataset.indices("val") == (2,)
    assert list(dataset.reader.entries.names) == ["train/scene_00", "train/scene_02", "val/scene_01"]


def test_several_lists_add_up(tmp_path: Path) -> None:
    root = draw_folder(tmp_path / "set", pictures=4)
    lists = (listed(tmp_path / "a.txt", "scene_00"), listed(tmp_path / "b.txt", "scene_00", "scene_03"))
    reader = open_dataset(root, DataConfig(leave_out=lists)).reader
    assert list(reader.entries.names) == ["scene_01", "scene_02"]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("scene_0",), "no sample is called 'scene_0', nor as any other line says; did you mean scene_0"),
        (("scene_00", "scene_01"), "every sample is named"),
    ],
)
def test_a_list_that_cannot_be_meant(tmp_path: Path, names: tuple[str, ...], sentence: str) -> None:
    root = draw_folder(tmp_path / "set", pictures=2)
    with pytest.raises(DataError, match=sentence):
        open_dataset(root, DataConfig(leave_out=(listed(tmp_path / "out.txt", *names),)))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    root = draw_folder(tmp_path / "set", pictures=2)
    with pytest.raises(DataError, match=r"gone\.txt: the list cannot be read"):
        open_dataset(root, DataConfig(leave_out=(tmp_path / "gone.txt",)))


def test_names_with_ends_of_line_stand_in_quotes(tmp_path: Path) -> None:
    names = ["plain", "two\nlines", '"quoted"', "return\r"]
    path = tmp_path / "out.txt"
    path.write_bytes(list_text(names).encode())
    assert path.read_text().count("\n") == 4
    assert read_names(path) == names


def test_an_empty_list_leaves_nothing_out(tmp_path: Path) -> None:
    root = draw_folder(tmp_path / "set", pictures=2)
    path = listed(tmp_path / "out.txt")
    assert len(open_dataset(root, DataConfig(leave_out=(path,))).reader) == 2
