"""Reader `camvid`: SegNet's layout with its foreign lists, and the original's 32 colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.formats.camvid import CLASSES, MERGED
from pixelwise.errors import DataError

NAMES = ("0001TP_006690", "0006R0_f00930", "Seq05VD_f00000")


@pytest.fixture
def segnet(save, tmp_path: Path) -> Path:
    for side, names in (("train", NAMES[:2]), ("val", NAMES[2:])):
        for name in names:
            save(f"camvid/{side}/{name}.png", np.zeros((6, 8, 3), np.uint8))
            save(f"camvid/{side}annot/{name}.png", ids(0, 3, 10, 11))
        lines = [f"/SegNet/CamVid/{side}/{n}.png /SegNet/CamVid/{side}annot/{n}.png\r\n" for n in names]
        (tmp_path / "camvid" / f"{side}.txt").write_text("".join(lines))
    return tmp_path / "camvid"


def test_segnets_layout(segnet: Path) -> None:
    dataset = open_dataset(segnet)
    assert dataset.reader.format == "camvid"
    assert dataset.classes == CLASSES
    assert dataset.classes.names[8] == "car"
    assert dataset.classes.colours[8] == (64, 0, 128)
    assert [e.name for e in dataset.reader.entries] == [
        *("train/0001TP_006690", "train/0006R0_f00930", "val/Seq05VD_f00000"),
    ]
    assert (dataset.split.train, dataset.split.val) == ((0, 1), (2,))
    assert np.array_equal(dataset.reader[0].mask, ids(0, 3, 10, 255))


def test_lists_decide_where_they_are(segnet: Path) -> None:
    (segnet / "train.txt").write_text(
        "/SegNet/CamVid/train/0001TP_006690.png x\n/SegNet/CamVid/train/gone.png x\n"
    )
    dataset = open_dataset(segnet)
    assert dataset.split.train == (0,)
    assert any("1 of the 2 pictures in train.txt are not there" in note for note in dataset.notes)
    (segnet / "train.txt").unlink()
    assert open_dataset(segnet).split.train == (0, 1)


def test_other_frames_are_another_data_set(save, tmp_path: Path) -> None:
    save("set/train/a.png", np.zeros((6, 8, 3), np.uint8))
    save("set/trainannot/a.png", ids(0, 1))
    assert open_dataset(tmp_path / "set").reader.format == "folder"


def test_relabelled_frames_are_another_data_set(segnet: Path) -> None:
    (segnet / "classes.txt").write_text("\n".join(f"mine {i}" for i in range(12)))
    dataset = open_dataset(segnet)
    assert dataset.reader.format == "folder"
    assert dataset.classes.names[0] == "mine 0"


def test_a_value_beyond_void(segnet: Path, save) -> None:
    save("camvid/train" + "annot/0001TP_006690.png", ids(0, 12))
    with pytest.raises(DataError, match=r"0001TP_006690\.png holds the value 12"):
        open_dataset(segnet).reader[0]


def test_the_original_is_merged(save, tmp_path: Path) -> None:
    colours = [colour for parts in MERGED.values() for _, colour in parts]
    assert len(colours) == len(set(colours)) == 31  # the 32nd is void
    assert tuple(MERGED) == CLASSES.names
    mask = np.array([*colours, (0, 0, 0)], np.uint8)[None]
    save("camvid/701_StillsRaw_full/0001TP_006690.png", np.zeros((1, 32, 3), np.uint8))
    save("camvid/LabeledApproved_full/0001TP_006690_L.png", mask)
    dataset = open_dataset(tmp_path / "camvid")
    assert dataset.reader.format == "camvid"
    expected = [index for index, parts in enumerate(MERGED.values()) for _ in parts]
    assert dataset.reader[0].mask[0].tolist() == [*expected, 255]
    # By hand: an archway is a building (1), a child a pedestrian (9), a motorcycle with the bicyclists (10).
    for colour, index in (((192, 0, 128), 1), ((192, 128, 64), 9), ((192, 0, 192), 10)):
        assert expected[colours.index(colour)] == index


def test_a_layout_that_is_none(save, tmp_path: Path) -> None:
    save("set/images/a.png", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(DataError, match=r"format camvid needs train/ \+ trainannot/"):
        open_dataset(tmp_path / "set", DataConfig(format="camvid"))
