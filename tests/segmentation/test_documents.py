"""Segmentations saved for labelling tools: opened as data sets they are the same, to the pixel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.data import open_dataset
from pixelwise.errors import ConfigError, DataError
from pixelwise.segmentation import Segmentation, coco_document
from pixelwise.types import Classes

NAMES = [("background", "cat", "dog"), ("wall", "cat", "background"), ("sky", "road", "tree")]
SIZE = (37, 53)


def scene(names: tuple[str, ...], seed: int = 0) -> Segmentation:
    """Blobs with holes, lines, single pixels and ignored ones, on noise as a photo."""
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.choice((0, 1, 2, 255), (8, 9)), np.ones((5, 6)))[: SIZE[0], : SIZE[1]].astype(np.uint8)
    for _ in range(25):
        y, x = rng.integers(0, SIZE[0]), rng.integers(0, SIZE[1])
        mask[y : y + rng.integers(1, 3), x : x + rng.integers(1, 6)] = rng.choice((0, 1, 2, 255))
    return Segmentation(mask, Classes(names), image=rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8))


def check(folder: Path, layout: str, segmentations: list[Segmentation]) -> None:
    reader = open_dataset(folder).reader
    assert reader.format == layout
    assert reader.classes.names == segmentations[0].classes.names
    assert len(reader) == len(segmentations)
    for index, segmentation in enumerate(segmentations):
        sample = reader[index]
        assert np.array_equal(sample.image, segmentation.image)
        assert np.array_equal(sample.mask, segmentation.labels)


@pytest.mark.parametrize("names", NAMES)
def test_labelme_there_and_back(names: tuple[str, ...], tmp_path: Path) -> None:
    all_of_them = [scene(names, seed) for seed in range(2)]
    for number, segmentation in enumerate(all_of_them):
        path = tmp_path / "new" / f"{number}.json"
        assert segmentation.save_labelme(path) == path
    assert sorted(p.name for p in path.parent.iterdir()) == [
        *("0.json", "0.png", "1.json", "1.png", "labels.txt"),
    ]
    check(path.parent, "labelme", all_of_them)


def test_labelme_with_a_photo_elsewhere(tmp_path: Path) -> None:
    segmentation = scene(NAMES[0])
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photos" / "a.png"
    segmentation.photo().save(photo)
    before = photo.read_bytes()
    segmentation.save_labelme(tmp_path / "jsons" / "a.json", picture=str(photo))
    document = json.loads((tmp_path / "jsons" / "a.json").read_text())
    assert document["imagePath"] == "../photos/a.png"
    assert (document["imageHeight"], document["imageWidth"]) == SIZE
    assert photo.read_bytes() == before
    check(tmp_path, "labelme", [segmentation])


def test_labelme_simplified(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:80, :80]
    disc = (np.hypot(rows - 40, columns - 40) < 30).astype(np.uint8)
    segmentation = Segmentation(disc, Classes(("background", "cat")), image=np.zeros((80, 80, 3), np.uint8))
    segmentation.save_labelme(tmp_path / "a.json", tolerance=1)
    (shape,) = json.loads((tmp_path / "a.json").read_text())["shapes"]
    assert (shape["label"], shape["shape_type"]) == ("cat", "polygon")
    assert [p.points.tolist() for p in segmentation.polygons("cat", tolerance=1)] == [shape["points"]]
    assert len(shape["points"]) < 30
    assert 0 < (open_dataset(tmp_path).reader[0].mask != disc).mean() < 0.02
    with pytest.raises(ConfigError, match="tolerance is a distance in pixels, 0 or more, got -2"):
        segmentation.save_labelme(tmp_path / "b.json", tolerance=-2)


def test_the_photo_is_never_written_over_another(tmp_path: Path) -> None:
    segmentation = scene(NAMES[0])
    segmentation.save_labelme(tmp_path / "a.json")
    segmentation.save_labelme(tmp_path / "a.json")  # the same photo may lie there
    (tmp_path / "a.json").unlink()
    Image.new("RGB", SIZE[::-1]).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png is there and another picture: name the photo with picture="):
        segmentation.save_labelme(tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists()


def test_labels_that_are_there_stay(tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("__ignore__\nbackground\nbird\ncat\ndog\n")
    segmentation = scene(NAMES[0])
    segmentation.save_labelme(tmp_path / "a.json")
    assert "bird" in labels.read_text()
    assert open_dataset(tmp_path).reader.classes.names == ("background", "bird", "cat", "dog")
    labels.write_text("background\ncat\n")
    with pytest.raises(ConfigError, match=r"labels\.txt does not name dog: add it there"):
        segmentation.save_labelme(tmp_path / "a.json")


@pytest.mark.parametrize("save", ["save_labelme", "save_coco"])
def test_what_cannot_be(save: str, tmp_path: Path) -> None:
    segmentation = scene(NAMES[0])
    photo = tmp_path / "a.png"
    Image.new("RGB", (10, 20)).save(photo)
    with pytest.raises(DataError, match=r"a\.png is 10x20, but the segmentation 53x37"):
        getattr(segmentation, save)(tmp_path / "a.json", picture=photo)
    with pytest.raises(ConfigError, match=r"labelling tools open \.json only; name the file a\.json"):
        getattr(segmentation, save)(tmp_path / "a.png", picture=photo)
    with pytest.raises(DataError, match=r"none\.png"):
        getattr(segmentation, save)(tmp_path / "a.json", picture=tmp_path / "none.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("names", NAMES)
def test_coco_there_and_back(names: tuple[str, ...], tmp_path: Path) -> None:
    segmentation = scene(names)
    (tmp_path / "images").mkdir()
    segmentation.photo().save(tmp_path / "images" / "a.png")
    path = tmp_path / "annotations" / "instances_default.json"
    assert segmentation.save_coco(path, picture=tmp_path / "images" / "a.png") == path
    check(tmp_path, "coco", [segmentation])


@pytest.mark.parametrize("names", NAMES)
def test_coco_of_many_pictures(names: tuple[str, ...], tmp_path: Path) -> None:
    several = {f"{seed}.png": scene(names, seed) for seed in range(3)}
    (tmp_path / "images").mkdir()
    for name, segmentation in several.items():
        segmentation.photo().save(tmp_path / "images" / name)
    document = coco_document(several)
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    check(tmp_path, "coco", list(several.values()))
    assert len({annotation["id"] for annotation in document["annotations"]}) == len(document["annotations"])


def test_coco_by_hand() -> None:
    mask = np.zeros((3, 4), np.uint8)
    mask[1:, 1:3] = 1
    document = coco_document({"a.jpg": Segmentation(mask, Classes(("background", "cat")))})
    assert document["images"] == [{"id": 1, "file_name": "a.jpg", "height": 3, "width": 4}]
    (annotation,) = document["annotations"]
    assert (annotation["category_id"], annotation["area"], annotation["bbox"]) == (2, 4, [1, 1, 2, 2])
    assert [c["name"] for c in document["categories"]] == ["__ignore__", "background", "cat"]


def test_coco_needs_one_list_of_classes() -> None:
    with pytest.raises(ConfigError, match="at least one segmentation"):
        coco_document({})
    with pytest.raises(ConfigError, match=r"b\.png: its classes are not those of the first picture"):
        coco_document({"a.png": scene(NAMES[0]), "b.png": scene(NAMES[1])})
