"""Reader `folder`: which mask belongs to which picture, what the classes are, and every way to go wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from stripes import ids

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.codec import UnreadableError
from pixelwise.data.listing import list_pictures
from pixelwise.data.mapping import UnknownValueError
from pixelwise.errors import ConfigError, DataError

NAMED = DataConfig(classes=("ground", "box"))


def colour(height: int = 6, width: int = 8) -> np.ndarray:
    return np.full((height, width, 3), 90, np.uint8)


def names(root: Path, config: DataConfig = NAMED) -> list[str]:
    return [entry.name for entry in open_dataset(root, config).reader.entries]


def test_contract(make_set):
    root = make_set({"b": ids(0, 1), "a": ids(1, 0), "c": ids(0, 1, 255)}, classes="ground\nbox\n")
    dataset = open_dataset(root)
    reader = dataset.reader
    assert (reader.format, len(reader), dataset.classes.names) == ("folder", 3, ("ground", "box"))
    assert [sample.name for sample in reader] == ["a", "b", "c"]
    sample = reader[2]
    assert sample.image.shape == (6, 8, 3)
    assert sample.image.dtype == sample.mask.dtype == np.uint8
    assert sample.mask.tolist() == ids(0, 1, 255).tolist()
    assert dataset.notes[0] == "format folder: 3 pictures in images/ + masks/"
    assert "2 classes from classes.txt" in dataset.notes
    with pytest.raises(IndexError):
        reader[3]


def test_formats_may_be_mixed_and_lie_deeper(save, tmp_path):
    for name, mask in (
        ("a.jpg", "a.png"),
        ("b.PNG", "b.gif"),
        ("in/c.webp", "in/c.tif"),
        ("d.v1.bmp", "d.v1.png"),
    ):
        save(f"set/images/{name}", colour())
        save(f"set/masks/{mask}", ids(0, 1))
    assert names(tmp_path / "set") == ["a", "b", "d.v1", "in/c"]
    for sample in open_dataset(tmp_path / "set", NAMED).reader:
        assert sample.mask.tolist() == ids(0, 1).tolist()


@pytest.mark.parametrize(
    ("images", "labels"),
    [("Images", "Labels"), ("JPEGImages", "SegmentationClass"), ("imgs", "gt"), ("train", "trainannot")],
)
def test_usual_names(make_set, images, labels):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)}, images=images, labels=labels)
    assert len(open_dataset(root, NAMED).reader) == 2


def test_any_two_folders_by_name(make_set):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)}, images="x", labels="deep/y")
    config = DataConfig(images="x", masks="deep/y", classes=("p", "q"))
    assert names(root, config) == ["a", "b"]
    with pytest.raises(DataError, match=r"set/z: there is no such folder; --images and --masks name folders"):
        open_dataset(root, DataConfig(images="z", masks="deep/y"))
    with pytest.raises(DataError, match=r"no data set was recognised.*there is only deep, x; name the two"):
        open_dataset(root)


def test_folders_of_splits(make_set):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        masks = {f"{part}{i}": ids(0, 1) for i in range(count)}
        root = make_set(masks, images=part, labels=f"{part}annot")
    dataset = open_dataset(root, NAMED)
    assert dataset.reader.splits == {"train": (0, 1, 2), "val": (3, 4), "test": (5,)}
    assert (dataset.split.train, dataset.split.val) == ((0, 1, 2), (3, 4))
    assert dataset.indices("test") == (5,)
    assert dataset.indices("all") == tuple(range(6))
    assert dataset.reader.entries[3].name == "val/val0"
    with pytest.raises(ConfigError, match=r"no split 'dev'; there are train, val, test, all"):
        dataset.indices("dev")


@pytest.mark.parametrize("layout", ["{part}/images {part}/masks", "images/{part} masks/{part}"])
def test_splits_within_or_around(make_set, layout):
    for part in ("train", "val"):
        images, labels = layout.format(part=part).split()
        root = make_set({f"{part}0": ids(0, 1), f"{part}1": ids(0, 1)}, images=images, labels=labels)
    dataset = open_dataset(root, NAMED)
    assert [entry.name for entry in dataset.reader.entries] == [
        "train/train0",
        "train/train1",
        "val/val0",
        "val/val1",
    ]
    assert dataset.split.val == (2, 3)


def test_suffixes_are_taken_off_where_all_names_carry_them(save, tmp_path):
    for name in ("a", "b"):
        save(f"set/images/{name}_sat.jpg", colour())
        save(f"set/masks/{name}_mask.png", ids(0, 1))
    dataset = open_dataset(tmp_path / "set", NAMED)
    assert [entry.labels.name for entry in dataset.reader.entries] == ["a_mask.png", "b_mask.png"]
    assert "pictures NAME_sat in images/ are paired with masks NAME_mask in masks/" in dataset.notes
    save("set/masks/c.png", ids(0, 1))
    with pytest.raises(DataError, match="2 of 2 pictures have no mask"):
        open_dataset(tmp_path / "set", NAMED)


def test_dot_files_and_other_files_are_passed_over(make_set):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    for name in ("images/._a.png", "masks/._a.png", "masks/.DS_Store", "images/.hidden/x.png"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(b"no picture")
    for name in ("images/Thumbs.db", "images/read.me"):
        (root / name).write_bytes(b"?")
    dataset = open_dataset(root, NAMED)
    assert len(dataset.reader) == 2
    note = "2 files have no picture's ending and are passed over: images/Thumbs.db, images/read.me"
    assert note in dataset.notes


def test_two_files_of_one_stem(make_set, save):
    root = make_set({"a": ids(0, 1)})
    save("set/images/a.jpg", colour())
    with pytest.raises(
        DataError, match=r"images/a\.jpg and a\.png have the same name up to the ending; remove or"
    ):
        open_dataset(root, NAMED)


def test_lonely_pictures_and_masks(make_set, save):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    extra = save("set/images/c.jpg", colour())
    said = r"set/images: 1 of 3 pictures have no mask \(c\.jpg\); expected .*masks/c\.png .*add the masks"
    with pytest.raises(DataError, match=said):
        open_dataset(root, NAMED)
    extra.unlink()
    for name in "cdef":
        save(f"set/masks/{name}.png", ids(0, 1))
    with pytest.raises(
        DataError, match=r"4 of 6 masks have no picture \(c\.png, d\.png, e\.png, …\); expected"
    ):
        open_dataset(root, NAMED)


def test_missing_and_empty_folders(tmp_path, make_set):
    with pytest.raises(DataError, match=r"gone: there is no such folder; check the path"):
        open_dataset(tmp_path / "gone")
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="a folder of pictures was expected, but this is a file"):
        open_dataset(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: the folder is empty; expected images/ \+ masks/"):
        open_dataset(tmp_path / "empty")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "a.png").write_bytes(b"")
    with pytest.raises(
        DataError, match="it has no subfolders; name the two folders with --images and --masks"
    ):
        open_dataset(tmp_path / "loose")
    for part in ("images", "masks"):
        (tmp_path / "set" / part).mkdir(parents=True)
    with pytest.raises(
        DataError, match=r"set/images: the folder holds no picture; expected files that end in"
    ):
        open_dataset(tmp_path / "set")
    (tmp_path / "set" / "images" / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"holds no picture \(1 other files, e\.g\. notes\.txt\)"):
        open_dataset(tmp_path / "set")


def test_a_folder_that_cannot_be_listed_is_an_error_and_not_empty(make_set, monkeypatch):
    root = make_set({"a": ids(0, 1), "in/b": ids(0, 1)})
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("in"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(
        DataError, match=r"images/in: the folder cannot be read \(Permission denied\); check its"
    ):
        list_pictures(root / "images")


def test_two_candidates_for_one_role(make_set):
    root = make_set({"a": ids(0, 1)})
    (root / "labels").mkdir()
    with pytest.raises(
        DataError, match=r"labels/ and masks/ could each be the masks; say which with --masks labels"
    ):
        open_dataset(root)
    assert names(root, DataConfig(images="images", masks="masks", classes=("x", "y"))) == ["a"]


def test_unknown_format(make_set):
    with pytest.raises(
        ConfigError, match=r"no data format 'vox'; there are auto, ade20k, camvid, .*, folder, .*voc, yolo"
    ):
        open_dataset(make_set({"a": ids(0, 1)}), DataConfig(format="vox"))


def test_sizes_differ(make_set, save):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    save("set/masks/a.png", ids(0, 1, size=(6, 9)))
    reader = open_dataset(root, NAMED).reader
    with pytest.raises(
        DataError, match=r"images/a\.png is 8x6 but its mask .*masks/a\.png is 9x6; a mask must have "
    ):
        reader[0]
    assert reader[1].name == "b"


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_exif_turns_the_picture_but_not_the_mask(make_set, save, ending):
    root = make_set({"b": ids(0, 1)})
    save(f"set/images/a.{ending}", colour(6, 8), orientation=6)
    upright = save("set/masks/a.png", ids(0, 1, size=(8, 6)))
    assert open_dataset(root, NAMED).reader[0].image.shape == (8, 6, 3)
    upright.unlink()
    save("set/masks/a.png", ids(0, 1, size=(6, 8)))
    said = (
        r"is 6x8 but its mask .* is 8x6; .*: the picture's EXIF tag turns it by 90 degrees, but the mask was "
        r"saved without that turn; turn the mask upright, or remove the orientation tag from the picture"
    )
    with pytest.raises(DataError, match=said):
        open_dataset(root, NAMED).reader[0]


def test_both_turned_alike(save, tmp_path):
    array = np.zeros((6, 8, 3), np.uint8)
    array[:3] = 255
    for name in "ab":
        save(f"set/images/{name}.png", array, orientation=8)
        save(f"set/masks/{name}.png", (array[..., 0] > 0).astype(np.uint8), orientation=8)
    sample = open_dataset(tmp_path / "set", NAMED).reader[0]
    assert sample.image.shape == (8, 6, 3)
    assert np.array_equal(sample.mask, sample.image[..., 0] > 0)


def test_classes_from_the_values(make_set):
    dataset = open_dataset(make_set({"a": ids(0, 1), "b": ids(2, 255)}))
    assert dataset.classes.names == ("class_0", "class_1", "class_2")
    assert any("3 classes from the values 0 to 2 and 255, which is ignored" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            (0, 255),
            r"the values 0 \(48 pixels\), 255 \(48 pixels\).*if 255 is the second class, add --map 255=1",
        ),
        ((1, 2, 3), r"if the ids start at 1, add --map 1=0 2=1 3=2"),
        ((0, 85, 170), r"if these are the classes in this order, add --map 85=1 170=2"),
        ((0,), r"the values 0 \(96 pixels\), but .*there is nothing to tell apart; or name the classes"),
    ],
)
def test_values_that_leave_the_classes_open(make_set, values, said):
    root = make_set({"a": ids(*values), "b": ids(*values)})
    with pytest.raises(DataError, match=said):
        open_dataset(root)


def test_0_255_is_never_guessed_even_with_names(make_set):
    root = make_set({"a": ids(0, 255), "b": ids(0, 255)}, classes="ground\nbox\n")
    with pytest.raises(
        DataError, match=r"255 would be ignored; if 255 means box, add --map 255=1, or if it is to be"
    ):
        open_dataset(root)
    reader = open_dataset(root, DataConfig(map=("255=1",))).reader
    assert reader[0].mask.tolist() == ids(0, 1).tolist()
    reader = open_dataset(root, DataConfig(map=("255=ignore",))).reader
    assert reader[0].mask.tolist() == ids(0, 255).tolist()


def test_without_names_a_map_is_enough(make_set):
    root = make_set({"a": ids(0, 255), "b": ids(0, 255)})
    dataset = open_dataset(root, DataConfig(map=("255=1",)))
    assert len(dataset.classes) == 2
    assert dataset.reader[1].mask.tolist() == ids(0, 1).tolist()


def test_colour_masks_with_classes_txt(save, tmp_path):
    mask = np.zeros((4, 4, 3), np.uint8)
    mask[:2] = (128, 64, 0)
    mask[3] = (9, 9, 9)
    for name in "ab":
        save(f"set/images/{name}.png", colour(4, 4))
        save(f"set/masks/{name}.png", mask)
    (tmp_path / "set" / "classes.txt").write_text("sky 0 0 0\nroad 128 64 0\nignore 9 9 9\n")
    dataset = open_dataset(tmp_path / "set")
    assert dataset.reader[0].mask[:, 0].tolist() == [1, 1, 0, 255]
    assert dataset.classes.colours == ((0, 0, 0), (128, 64, 0))
    (tmp_path / "set" / "classes.txt").unlink()
    with pytest.raises(DataError, match=r"the colours .*write each class with its colour into classes\.txt"):
        open_dataset(tmp_path / "set")


def test_unknown_value_names_file_and_remedy(make_set):
    root = make_set({"a": ids(0, 1), "b": ids(0, 7)})
    reader = open_dataset(root, NAMED).reader
    with pytest.raises(
        UnknownValueError, match=r"masks/b\.png holds the value 7 \(24 pixels\), which no class has"
    ):
        reader[1]


def test_an_unmapped_id_is_proposed_back():
    # 255=1 takes the place of 1=1; a mask that holds 1 as well needs both, and is told so.
    from pixelwise.data.mapping import build_table

    with pytest.raises(UnknownValueError, match=r"the value 1 \(24 pixels\).* add --map 1=1$"):
        build_table(2, {255: 1}).apply(ids(0, 1), Path("a.png"))


def test_broken_masks_while_classes_are_found(make_set):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    (root / "masks" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UnreadableError, match=r"masks/a\.png: the picture's header is damaged"):
        open_dataset(root)
    assert len(open_dataset(root, DataConfig(skip_broken=True)).classes) == 2
    (root / "masks" / "b.png").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"masks: none of the 2 masks can be read; name the classes with --classes"
    ):
        open_dataset(root, DataConfig(skip_broken=True))


@pytest.mark.skipif(os.name != "posix", reason="only there may file names be any bytes")
def test_names_that_are_no_utf_8(make_set):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    for part in (b"images", b"masks"):
        folder = os.fsencode(root) + b"/" + part
        try:
            os.rename(folder + b"/a.png", folder + b"/\xff\xfe.png")  # noqa: PTH104 - Path takes no bytes
        except OSError:
            pytest.skip("this file system wants UTF-8 names")
    dataset = open_dataset(root, NAMED)
    assert len(dataset.split.train) == len(dataset.split.val) == 1
    assert [sample.mask.shape for sample in dataset.reader] == [(6, 8), (6, 8)]
