"""`pixelwise convert` from the command line, and what it says of every kind of broken data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.cli import main
from pixelwise.data import open_dataset

PICTURE = np.zeros((6, 8, 3), np.uint8)


def test_there_and_back(shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(shared_data_folder), str(tmp_path / "coco"), "--to", "coco"]) == 0
    assert "12 pictures, 2 classes, layout coco" in capsys.readouterr().out
    again = ["convert", str(tmp_path / "coco"), str(tmp_path / "folder"), "--to", "folder", "--binary", "box"]
    assert main(again) == 0
    before, after = open_dataset(shared_data_folder), open_dataset(tmp_path / "folder")
    assert after.classes.names == ("background", "box")
    for one, other in zip(list(before.reader), list(after.reader), strict=True):
        assert np.array_equal(one.mask, other.mask)


def coco(root: Path, **changes: object) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1, 5, 4]]}],
        "categories": [{"id": 1, "name": "dog"}],
        **changes,
    }
    (root / "annotations.json").write_text(json.dumps(document))


def labelme(root: Path, text: str) -> None:
    (root / "a.json").write_text(text)


def shape(**changes: object) -> str:
    one = {"label": "dog", "points": [[1, 1], [5, 1], [5, 4]], "shape_type": "polygon", **changes}
    document = {"version": "5.0.1", "flags": {}, "shapes": [one], "imagePath": "a.png", "imageData": None}
    return json.dumps({**document, "imageHeight": 6, "imageWidth": 8})


def yolo(root: Path, rows: str) -> None:
    (root / "images").mkdir()
    (root / "labels").mkdir()
    (root / "a.png").rename(root / "images" / "a.png")
    (root / "data.yaml").write_text("train: images\nval: images\nnames: [dog]\n")
    (root / "labels" / "a.txt").write_text(rows)


FAULTS = {
    "coco: no such category": (lambda r: coco(r, categories=[{"id": 2, "name": "cat"}]), "no category 1"),
    "coco: two points": (
        lambda r: coco(
            r, annotations=[{"id": 1, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 5, 1]]}]
        ),
        "2 points, but needs at least 3",
    ),
    "coco: run lengths of another size": (
        lambda r: coco(
            r,
            annotations=[
                {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [6, 9], "counts": [54]}}
            ],
        ),
        "for a mask of 9x6, but the picture is 8x6",
    ),
    "coco: cut": (
        lambda r: (coco(r), (r / "annotations.json").write_text((r / "annotations.json").read_text()[:-3])),
        "no whole json",
    ),
    "coco: cut before the annotations": (
        lambda r: (coco(r), (r / "annotations.json").write_text((r / "annotations.json").read_text()[:40])),
        "no whole json",
    ),
    "labelme: outside": (
        lambda r: labelme(r, shape(points=[[90, 90], [95, 90], [95, 99]])),
        "lies outside its picture",
    ),
    "labelme: cut": (lambda r: labelme(r, shape()[:-9]), "no whole json"),
    "labelme: misspelt": (
        lambda r: (labelme(r, shape(label="dgo")), (r / "labels.txt").write_text("__ignore__\ndog\n")),
        "the nearest is 'dog'",
    ),
    "yolo: a detection box": (lambda r: yolo(r, "0 0.5 0.5 0.2 0.2\n"), "detection"),
    "yolo: pixels": (lambda r: yolo(r, "0 10 10 40 10 40 30\r\n"), "a.txt"),
    "csv: gone": (lambda r: (r / "t.csv").write_text("image,mask\r\na.png,gone.png\r\n"), "gone.png"),
    "a link to nowhere": (
        lambda r: (
            (r / "images").mkdir(),
            (r / "masks").mkdir(),
            (r / "classes.txt").write_text("one\ntwo\n"),
            (r / "images" / "b.png").symlink_to("nowhere.png"),
            Image.fromarray(PICTURE[..., 0]).save(r / "masks" / "b.png"),
        ),
        "leads nowhere",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_data_sets_are_one_sentence(
    fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    Image.fromarray(PICTURE).save(root / "a.png")
    make, says = FAULTS[fault]
    make(root)
    assert main(["convert", str(root), str(tmp_path / "out"), "--to", "folder"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("pixelwise: ")
    assert says in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
