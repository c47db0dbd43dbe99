"""`--skip-unpaired`, and what every format says of pictures without labels and labels without a picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from stripes import ids

from pixelwise.config import DataConfig, changed
from pixelwise.data import Dataset, open_dataset
from pixelwise.data.mendable import MendableError
from pixelwise.drawing import palette_image, voc_colour
from pixelwise.errors import DataError

SKIP = DataConfig(skip_unpaired=True)
PICTURE = np.zeros((6, 8, 3), np.uint8)
CITYSCAPES = Path("../shared/data/formats/cityscapes")


def left_out(dataset: Dataset) -> tuple[list[str], list[str]]:
    """The unpaired pictures and labels, relative to the data set's folder."""
    root, unpaired = dataset.reader.root, dataset.reader.unpaired
    assert len(unpaired) == len(unpaired.pictures) + len(unpaired.labels)
    pictures, labels = (
        [path.relative_to(root).as_posix() for path in paths]
        for paths in (unpaired.pictures, unpaired.labels)
    )
    return pictures, labels


def mend(root: Path, says: str, config: DataConfig | None = None) -> Dataset:
    """Opens a set that is refused, with what the error proposes."""
    with pytest.raises(MendableError, match=says) as caught:
        open_dataset(root, config)
    assert dict(caught.value.changes) == {"skip_unpaired": True}
    assert str(caught.value).endswith("; --skip-unpaired leaves them out")
    return open_dataset(root, changed(config or DataConfig(), caught.value.changes))


def names(dataset: Dataset) -> list[str]:
    return list(dataset.reader.entries.names)


def test_folder(make_set, save):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    save("set/images/c.png", PICTURE)
    save("set/masks/in/d.png", ids(0, 1))
    dataset = mend(root, r"1 of 3 pictures have no mask \(c\.png\)")
    assert names(dataset) == ["a", "b"]
    assert left_out(dataset) == (["images/c.png"], ["masks/in/d.png"])
    assert "1 pictures without a mask are left out: c.png" in dataset.notes
    assert "1 masks without a picture are left out: d.png" in dataset.notes
    assert len(open_dataset(make_set({"a": ids(0, 1)}, root="whole")).reader.unpaired) == 0


def test_nothing_pairs_is_no_matter_of_leaving_out(save, tmp_path):
    save("set/images/a.png", PICTURE)
    save("set/masks/b.png", ids(0, 1))
    for config in (DataConfig(), SKIP):
        with pytest.raises(DataError, match=r"1 of 1 pictures have no mask") as caught:
            open_dataset(tmp_path / "set", config)
        assert not isinstance(caught.value, MendableError)


def test_folder_with_splits_and_suffixes(save, tmp_path):
    for side in ("train", "val"):
        for name in "ab":
            save(f"set/{side}/{name}.png", PICTURE)
            save(f"set/{side}annot/{name}_mask.png", ids(0, 1))
    save("set/val/c.png", PICTURE)
    dataset = mend(tmp_path / "set", r"val: 1 of 3 pictures have no mask")
    assert names(dataset) == ["train/a", "train/b", "val/a", "val/b"]
    assert left_out(dataset) == (["val/c.png"], [])


def test_two_candidates_are_mended_by_the_first(make_set, save):
    root = make_set({"a": ids(0, 1), "b": ids(0, 1)})
    save("set/labels/a.png", ids(0, 1))
    save("set/labels/b.png", ids(1, 0))
    with pytest.raises(MendableError) as caught:
        open_dataset(root)
    assert dict(caught.value.changes) == {"masks": "labels"}
    assert open_dataset(root, changed(DataConfig(), caught.value.changes)).reader[1].mask[0, 0] == 1


def test_voc(save, tmp_path):
    for place in ("", "flat"):
        for number in (1, 2, 3):
            stem = f"2007_00000{number}"
            at = (
                (f"{place}/{stem}", f"{place}/{stem}")
                if place
                else (f"v/JPEGImages/{stem}", f"v/SegmentationClass/{stem}")
            )
            if number < 3:
                save(f"{at[0]}.jpg", PICTURE)
            mask = palette_image(ids(0, 15), [voc_colour(index) for index in range(256)])
            (tmp_path / at[1]).parent.mkdir(parents=True, exist_ok=True)
            mask.save(tmp_path / f"{at[1]}.png")
    (tmp_path / "v/ImageSets/Segmentation").mkdir(parents=True)
    says = r"1 of 3 masks have no picture \(2007_000003\.png\); unpack"
    dataset = mend(tmp_path / "v", says)
    assert left_out(dataset) == ([], ["SegmentationClass/2007_000003.png"])
    assert dataset.reader.format == "voc"
    assert len(dataset.reader) == 2
    assert left_out(mend(tmp_path / "flat", says)) == ([], ["2007_000003.png"])


def test_pascal_context(save, tmp_path):
    save("ctx/JPEGImages/a.jpg", PICTURE)
    for name in "ab":
        save(f"ctx/SegmentationClassContext/{name}.png", ids(1, 2))
    dataset = mend(tmp_path / "ctx", r"1 of 2 masks have no picture \(b\.png\)")
    assert left_out(dataset) == ([], ["SegmentationClassContext/b.png"])


def test_coco_stuff(save, tmp_path):
    for split in ("train2017", "val2017"):
        save(f"s/{split}/a.jpg", PICTURE)
        save(f"s/stuffthingmaps/{split}/a.png", ids(0, 1))
    save("s/val2017/b.jpg", PICTURE)
    save("s/stuffthingmaps/val2017/c.png", ids(0, 1))
    dataset = mend(tmp_path / "s", r"val2017: 1 of 2 maps have no picture")
    assert left_out(dataset) == (["val2017/b.jpg"], ["stuffthingmaps/val2017/c.png"])
    assert dataset.reader.splits == {"train": (0,), "val": (1,)}


def test_csv(save, tmp_path):
    for name in "ab":
        save(f"t/{name}.jpg", PICTURE)
        save(f"t/{name}.png", ids(0, 1))
    save("t/c.jpg", PICTURE)
    save("t/d.png", ids(0, 1))
    lines = ["image,mask,split", *(f"{n}.jpg,{n}.png,{s}" for n, s in zip("abcde", "xyxyx", strict=True))]
    (tmp_path / "t/list.csv").write_text("\n".join(lines).replace(",x", ",train").replace(",y", ",val"))
    dataset = mend(tmp_path / "t", r"4 files of its 5 rows are not there: c\.png \(line 4\)")
    assert left_out(dataset) == (["c.jpg"], ["d.png", "e.jpg"])
    assert dataset.split.val == (1,)
    assert any(note.startswith("3 rows are left out") for note in dataset.notes)


def test_labelme(save, tmp_path):
    shapes = [{"label": "box", "points": [[1, 1], [5, 4]], "shape_type": "rectangle"}]
    for name in ("a", "b", "gone"):
        if name != "gone":
            save(f"shop/{name}.jpg", PICTURE)
        document = {"version": "5", "shapes": shapes, "imagePath": f"{name}.jpg", "imageData": None}
        (tmp_path / "shop" / f"{name}.json").write_text(json.dumps(document))
    save("shop/new.jpg", PICTURE)
    save("shop/viz/a.jpg", PICTURE)  # no json lies there, so nobody meant to label it
    dataset = mend(tmp_path / "shop", r"gone\.json: there is no picture for it")
    assert names(dataset) == ["a", "b"]
    assert left_out(dataset) == (["new.jpg"], ["gone.json"])
    assert "1 jsons without a picture are left out: gone.json" in dataset.notes


@pytest.fixture
def coco(save, tmp_path: Path) -> Path:
    for split in ("train", "val"):
        images = [{"id": i, "file_name": f"{split}{i}.jpg", "height": 6, "width": 8} for i in range(2)]
        annotations = [
            {"id": i, "image_id": i, "category_id": 1, "segmentation": [[1, 1, 6, 1, 6, 4]]} for i in range(2)
        ]
        document = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "box"}],
        }
        path = tmp_path / "coco" / "annotations" / f"instances_{split}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
        save(f"coco/images/{split}0.jpg", PICTURE)
    save("coco/images/val1.jpg", PICTURE)
    save("coco/images/never.jpg", PICTURE)
    save("coco/plots/never.jpg", PICTURE)
    return tmp_path / "coco"


def test_coco(coco):
    dataset = open_dataset(coco)
    assert left_out(dataset) == (["images/never.jpg"], ["images/train1.jpg"])
    assert "1 pictures of the json are not there and left out" in dataset.notes
    assert "1 pictures beside them are in no json and left out" in dataset.notes
    assert len(dataset.reader) == 3
    chosen = open_dataset(coco, DataConfig(annotations="annotations/instances_val.json"))
    assert left_out(chosen) == ([], [])


def test_yolo(save, tmp_path):
    line = "0 0.1 0.1 0.9 0.1 0.9 0.9\n"
    root = tmp_path / "y"
    for name in ("a", "b", "unlisted"):
        save(f"y/images/{name}.png", PICTURE)
    (root / "labels").mkdir()
    for name, text in {"a": line, "gone": line, "void": "", "unlisted": line, "classes": "box\n"}.items():
        (root / "labels" / f"{name}.txt").write_text(text)
    (root / "train.txt").write_text("images/a.png\nimages/b.png\n")
    (root / "data.yaml").write_text("names: [box]\ntrain: train.txt\n")
    dataset = open_dataset(root)
    assert left_out(dataset) == ([], ["labels/gone.txt", "labels/void.txt"])
    assert "2 label files without a picture are left out: labels/gone.txt, labels/void.txt" in dataset.notes


def test_yolo_with_labels_beside_the_pictures(save, tmp_path):
    root = tmp_path / "y"
    save("y/train/a.png", PICTURE)
    for name, text in {
        "a": "0 0 0 1 0 1 1\n",
        "gone": "0 0 0 1 0 1 1\n",
        "readme": "0 shot day\n",
        "no": "",
    }.items():
        (root / "train" / f"{name}.txt").write_text(text)
    (root / "data.yaml").write_text("names: [box]\ntrain: train\n")
    assert left_out(open_dataset(root)) == ([], ["train/gone.txt"])


def test_cityscapes_leaves_both_out_and_names_them(save, tmp_path):
    for side, number in (("train", 1), ("train", 2), ("val", 3), ("train_extra", 4)):
        save(f"city/leftImg8bit/{side}/ulm/ulm_{number}_leftImg8bit.png", PICTURE)
    for side, number in (("train", 1), ("val", 3), ("val", 5)):
        save(f"city/gtFine/{side}/ulm/ulm_{number}_gtFine_labelIds.png", ids(7, 26))
    # train_extra has no fine labels by design, so its pictures lack nothing.
    assert left_out(open_dataset(tmp_path / "city")) == (
        ["leftImg8bit/train/ulm/ulm_2_leftImg8bit.png"],
        ["gtFine/val/ulm/ulm_5_gtFine_labelIds.png"],
    )


@pytest.mark.skipif(not CITYSCAPES.is_dir(), reason="no shared data: ../shared/data/formats/cityscapes")
def test_the_real_cityscapes_sample_has_15_id_maps_without_pictures():
    pictures, labels = left_out(open_dataset(CITYSCAPES))
    assert pictures == []
    assert len(labels) == 15
    assert all(path.startswith("gtFine/val/") and path.endswith("_labelIds.png") for path in labels)


def test_ade20k_in_full(save, tmp_path):
    folder = "ade/images/ADE/training/home/attic"
    for name in ("ADE_train_1", "ADE_train_2"):
        save(f"{folder}/{name}.jpg", PICTURE)
    for name in ("ADE_train_1", "ADE_train_3"):
        save(f"{folder}/{name}_seg.png", PICTURE)
    assert left_out(open_dataset(tmp_path / "ade")) == (
        ["images/ADE/training/home/attic/ADE_train_2.jpg"],
        ["images/ADE/training/home/attic/ADE_train_3_seg.png"],
    )
