"""Reader `coco`: polygons, run lengths, crowds, panoptic maps; every layout; every fault a sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.formats.coco_gather import index_coco
from pixelwise.data.formats.published import published
from pixelwise.errors import ConfigError, DataError

SIZE = (6, 8)
PICTURE = np.zeros((*SIZE, 3), np.uint8)
SQUARE = [[1, 1, 5, 1, 5, 4, 1, 4]]  # covers x 1..4, y 1..3


def annotation(number: int, image: int, category: int, segmentation: Any, crowd: int = 0) -> dict[str, Any]:
    return {
        "id": number, "image_id": image, "category_id": category, "segmentation": segmentation,
        "iscrowd": crowd, "area": 1.0, "bbox": [0, 0, 1, 1],
    }  # fmt: skip


def runs(inside: np.ndarray) -> dict[str, Any]:
    """Uncompressed run lengths, the slow and obvious way."""
    counts, last = [0], 0
    for value in inside.T.ravel():
        if value == last:
            counts[-1] += 1
        else:
            counts.append(1)
            last = value
    return {"size": list(inside.shape), "counts": counts}


def document(**changes: Any) -> dict[str, Any]:
    box = np.zeros(SIZE, int)
    box[3:, 4:] = 1
    return {
        "info": {"year": 2026},
        "images": [
            {"id": 7, "file_name": "b.png", "height": 6, "width": 8},
            {"id": 3, "file_name": "a.png", "height": 6, "width": 8},
        ],
        "annotations": [
            annotation(1, 3, 18, SQUARE),
            annotation(2, 3, 90, runs(box)),
            annotation(3, 3, 1, runs(np.ones(SIZE, int)), crowd=1),
        ],
        "categories": [
            {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
            {"id": 1, "name": "person", "supercategory": "person"},
            {"id": 18, "name": "dog", "supercategory": "animal"},
        ],
        **changes,
    }


@pytest.fixture
def folder(save, tmp_path: Path) -> Path:
    save("set/images/a.png", PICTURE)
    save("set/images/b.png", PICTURE)
    write(tmp_path / "set", document())
    return tmp_path / "set"


def write(root: Path, content: object, name: str = "annotations.json") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content), encoding="utf-8")


def test_who_lies_on_top(folder: Path) -> None:
    """The crowd, though last, lies below; the brush, later than the dog, above it; no label is background."""
    dataset = open_dataset(folder)
    assert dataset.reader.format == "coco"
    assert dataset.classes.names == ("background", "person", "dog", "toothbrush")  # by their ids
    expected = np.ones(SIZE, np.uint8)
    expected[1:4, 1:5] = 2
    expected[3:, 4:] = 3
    by_name = {sample.name: sample.mask for sample in dataset.reader}
    assert np.array_equal(by_name["a"], expected)
    assert not by_name["b"].any()
    assert "4 classes; unlabelled pixels are background" in dataset.notes


def test_polygons_as_the_official_library_draws_them(folder: Path, rng: np.random.Generator) -> None:
    """Many random polygons of several parts, over the edge too, painted one after the other."""
    parts = [
        [
            (rng.random((rng.integers(3, 8), 2)) * [10, 8] - 1).round(2).ravel().tolist()
            for _ in range(rng.integers(1, 3))
        ]
        for _ in range(12)
    ]
    annotations = [annotation(i, 3, (1, 18, 90)[i % 3], part) for i, part in enumerate(parts)]
    write(folder, document(annotations=annotations))
    official = COCO(str(folder / "annotations.json"))
    expected = np.zeros(SIZE, np.uint8)
    for item in annotations:
        expected[official.annToMask(item) == 1] = (1, 18, 90).index(item["category_id"]) + 1
    assert np.array_equal(open_dataset(folder).reader[1].mask, expected)


def test_a_background_of_its_own(folder: Path) -> None:
    names = [{"id": 0, "name": "_background_"}, {"id": 18, "name": "dog"}]
    write(folder, document(categories=names, annotations=[annotation(1, 3, 18, SQUARE)]))
    dataset = open_dataset(folder)
    assert dataset.classes.names == ("_background_", "dog")
    assert int(dataset.reader[1].mask.sum()) == 12


def test_a_category_to_ignore(folder: Path) -> None:
    """With one, and without a background, what nobody labelled counts for nothing."""
    names = [{"id": 5, "name": "__ignore__"}, {"id": 18, "name": "dog"}]
    write(
        folder,
        document(
            categories=names,
            annotations=[annotation(1, 3, 18, SQUARE), annotation(2, 3, 5, [[0, 0, 2, 0, 2, 2, 0, 2]])],
        ),
    )
    dataset = open_dataset(folder)
    assert dataset.classes.names == ("dog",)
    assert dataset.reader[1].mask[1].tolist() == [255, 255, 0, 0, 0, 255, 255, 255]


def test_things_have_their_official_colours(folder: Path) -> None:
    things = published("coco_things")
    categories = [{"id": raw, "name": name} for name, raw in things.names.items()]
    write(folder, document(categories=categories, annotations=[annotation(1, 3, 18, SQUARE)]))
    dataset = open_dataset(folder)
    assert len(dataset.classes) == 81
    assert dataset.classes.colours[1:] == things.classes.colours
    assert dataset.classes.names[dataset.reader[1].mask[2, 2]] == "dog"


def test_an_exporters_empty_supercategory_is_no_class(folder: Path) -> None:
    categories = [
        {"id": 0, "name": "cells", "supercategory": "none"},
        {"id": 1, "name": "red", "supercategory": "cells"},
        {"id": 2, "name": "white", "supercategory": "cells"},
    ]
    for split in ("train", "valid"):
        (folder / split).mkdir()
        shutil.copy(folder / "images" / "a.png", folder / split)
        shutil.copy(folder / "images" / "b.png", folder / split)
        write(
            folder / split,
            document(categories=categories, annotations=[annotation(1, 3, 2, SQUARE)]),
            "_annotations.coco.json",
        )
    (folder / "annotations.json").unlink()
    shutil.rmtree(folder / "images")
    dataset = open_dataset(folder)
    assert dataset.classes.names == ("background", "red", "white")
    assert "cells is no class: it is another's supercategory and nothing has it" in dataset.notes
    assert (dataset.split.train, dataset.split.val) == ((0, 1), (2, 3))
    assert [e.name for e in dataset.reader.entries] == ["train/b", "train/a", "val/b", "val/a"]


@pytest.mark.parametrize("pictures", ["{}2017", "images/{}2017"])
def test_the_official_layout(folder: Path, pictures: str) -> None:
    for split in ("train", "val"):
        target = folder / pictures.format(split)
        target.parent.mkdir(exist_ok=True)
        target.mkdir()
        for name in ("a.png", "b.png"):
            shutil.copy(folder / "images" / name, target)
        write(folder, document(), f"annotations/instances_{split}2017.json")
        write(
            folder,
            {"images": [], "annotations": [{"id": 1, "image_id": 3, "caption": "a dog"}]},
            f"annotations/captions_{split}2017.json",
        )
    (folder / "annotations.json").unlink()
    dataset = open_dataset(folder)
    assert {name: len(found) for name, found in dataset.reader.splits.items()} == {"train": 2, "val": 2}
    assert dataset.reader.entries[0].image == folder / pictures.format("train") / "b.png"


def test_missing_pictures_are_left_out_and_counted(folder: Path) -> None:
    (folder / "images" / "b.png").unlink()
    dataset = open_dataset(folder)
    assert [e.name for e in dataset.reader.entries] == ["a"]
    assert "1 pictures of the json are not there and left out" in dataset.notes
    (folder / "images" / "a.png").unlink()
    with pytest.raises(
        DataError, match=r"b\.png is in none of \./, .*images/.* name the picture folder with --images"
    ):
        open_dataset(folder)


def test_pictures_in_a_folder_that_a_flag_names(folder: Path) -> None:
    (folder / "images").rename(folder / "odd")
    assert len(open_dataset(folder, DataConfig(images="odd")).reader) == 2


@pytest.fixture
def panoptic(save, tmp_path: Path) -> Path:
    """Segments 1 (person), 300 (grass) and 70000 (dog), and void at the right edge."""
    ids = np.full(SIZE, 300)
    ids[:2], ids[4:, :3], ids[:, 7] = 1, 70000, 0
    save("pan/val2017/a.jpg", PICTURE)
    save(
        "pan/annotations/panoptic_val2017/a.png",
        np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1).astype(np.uint8),
    )
    segments = [
        {"id": 1, "category_id": 1},
        {"id": 300, "category_id": 193},
        {"id": 70000, "category_id": 18},
    ]
    content = document(
        images=[{"id": 3, "file_name": "a.jpg", "height": 6, "width": 8}],
        annotations=[{"image_id": 3, "file_name": "a.png", "segments_info": segments}],
        categories=[{"id": 193, "name": "grass"}, {"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    )
    write(tmp_path / "pan", content, "annotations/panoptic_val2017.json")
    return tmp_path / "pan"


def test_panoptic_maps(panoptic: Path) -> None:
    dataset = open_dataset(panoptic)
    assert dataset.classes.names == ("person", "dog", "grass")
    expected = np.full(SIZE, 2)
    expected[:2], expected[4:, :3], expected[:, 7] = 0, 1, 255
    assert np.array_equal(dataset.reader[0].mask, expected)
    assert dataset.reader.entries[0].labels.name == "a.png"
    assert [path.name for path in dataset.reader.shared] == ["panoptic_val2017.json"]


def test_a_segment_that_is_not_listed(panoptic: Path, save) -> None:
    save("pan/annotations/panoptic_val2017/a.png", np.full((*SIZE, 3), 5, np.uint8))
    with pytest.raises(
        DataError, match=r"a\.png: 48 pixels belong to segment 328965, which the json does not list"
    ):
        open_dataset(panoptic).reader[0]
    (panoptic / "annotations" / "panoptic_val2017" / "a.png").unlink()
    save("pan/annotations/panoptic_val2017/b.png", PICTURE)
    with pytest.raises(DataError, match="none of the pictures"):
        open_dataset(panoptic)


def test_instances_come_first_and_the_others_are_named(panoptic: Path, save) -> None:
    for name in ("a.png", "b.png"):
        save(f"pan/val2017/{name}", PICTURE)
    write(panoptic, document(), "annotations/instances_val2017.json")
    dataset = open_dataset(panoptic)
    assert len(dataset.classes) == 4
    assert "annotations/panoptic_val2017.json is there too: --annotations NAME reads it" in dataset.notes
    chosen = open_dataset(panoptic, DataConfig(annotations="annotations/panoptic_val2017.json"))
    assert len(chosen.classes) == 3


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"annotations": [annotation(1, 3, 5, SQUARE)]},
            r"there is no category 5; the file has 90 \(toothbrush\), 1 \(person\), 18 \(dog\)",
        ),
        ({"annotations": [annotation(1, 9, 1, SQUARE)]}, "the file lists no picture with its image_id"),
        (
            {"annotations": [{"id": 1, "image_id": 3, "category_id": "1", "segmentation": []}]},
            "'category_id' must be a whole number, but it is a text",
        ),
        (
            {"annotations": [{"id": 1, "category_id": 1, "segmentation": SQUARE}]},
            "'image_id' must be a number or a text, but it is null",
        ),
        (
            {"annotations": [7, annotation(1, 3, 1, SQUARE)]},
            "no data set was recognised|an object was expected",
        ),
        (
            {"images": [{"id": 3, "file_name": "a.png", "height": 6, "width": 8}] * 2},
            "the picture 3 stands there twice",
        ),
        (
            {"images": [{"id": 3, "file_name": "../../etc/passwd", "height": 6, "width": 8}]},
            "leads out of the data set's folder",
        ),
        (
            {"images": [{"id": 3, "file_name": "/etc/passwd", "height": 6, "width": 8}]},
            "leads out of the data set's folder",
        ),
        ({"images": [{"id": 3, "file_name": "a.png", "height": 0, "width": 8}]}, "height must lie in 1"),
        (
            {"images": [{"id": 3, "file_name": None, "height": 6, "width": 8}]},
            "'file_name' must be a text, but it is null",
        ),
        (
            {"categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}]},
            r"category 2 \(x\): 1 \(x\) is there already",
        ),
        ({"categories": [{"id": 1, "name": " "}]}, r"category 1 \(\): it has no name"),
        (
            {"annotations": [annotation(1, 3, 1, []), annotation(2, 3, 1, [])]},
            "boxes only, without segmentation",
        ),
    ],
)
def test_files_at_fault(folder: Path, changes: dict[str, Any], says: str) -> None:
    write(folder, document(**changes))
    with pytest.raises(DataError, match=says):
        open_dataset(folder)


@pytest.mark.parametrize(
    ("segmentation", "says"),
    [
        ([[1, 1, 5, 1]], "annotation 1: it has 2 points, but needs at least 3"),
        ([[1, 1, 5, 1, 5]], "must be a list of x, y"),
        ([[1, 1, 5, 1, 5, "4"]], "a coordinate must be a number"),
        ([[90, 90, 95, 90, 95, 99]], "lies outside its picture of 8x6"),
        ([[1, 1, 900, 1, 5, 4]], "reaches far beyond its picture"),
        ({"size": [8, 6], "counts": [48]}, "for a mask of 6x8, but the picture is 8x6"),
        ({"size": [6, 8], "counts": [47]}, "make 47 pixels"),
        ([], "annotation 1: it has no segmentation, only a box"),
        ("text", "it has no segmentation"),
    ],
)
def test_shapes_at_fault(folder: Path, segmentation: Any, says: str) -> None:
    write(folder, document(annotations=[annotation(1, 3, 1, segmentation), annotation(2, 7, 1, SQUARE)]))
    with pytest.raises(DataError, match=says):
        open_dataset(folder).reader[1]


def test_a_picture_of_another_size(folder: Path, save) -> None:
    save("set/images/a.png", np.zeros((8, 6, 3), np.uint8))
    with pytest.raises(DataError, match="is 8x6, but it is 6x8 turned by its EXIF tag, perhaps"):
        open_dataset(folder).reader[1]


def test_flags_that_do_not_fit(folder: Path) -> None:
    with pytest.raises(ConfigError, match="use --merge and --ignore, not --map"):
        open_dataset(folder, DataConfig(map=("1=0",)))
    with pytest.raises(ConfigError, match="choose among them"):
        open_dataset(folder, DataConfig(classes=("cat", "horse")))
    with pytest.raises(DataError, match="there is no such file; --annotations names a json"):
        open_dataset(folder, DataConfig(annotations="gone.json"))
    write(folder, document(), "second.json")
    with pytest.raises(DataError, match=r"annotations\.json, second\.json could each be the annotations"):
        open_dataset(folder)
    assert (
        len(open_dataset(folder, DataConfig(annotations="second.json", classes=("dog", "person"))).classes)
        == 2
    )


def test_categories_that_disagree(folder: Path) -> None:
    (folder / "annotations.json").rename(folder / "train.json")
    write(
        folder,
        document(categories=document()["categories"][:1], annotations=[annotation(1, 3, 90, SQUARE)]),
        "val.json",
    )
    with pytest.raises(DataError, match="have different categories"):
        open_dataset(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "image_id", "category_id", "segmentation", "counts", "size", "name"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.sampled_from(["images", "annotations", "categories", "info"]), st.lists(JSON) | JSON)
)
def test_any_json_is_indexed_or_gives_a_sentence(tmp_path_factory, content: dict[str, Any]) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "fuzzed.json"
    path.write_text(json.dumps(content))
    try:
        assert index_coco(path).starts[0] == 0
    except DataError as error:
        text = str(error)
        assert str(path) in text


@settings(max_examples=200, deadline=None, derandomize=True)
@given(JSON)
def test_any_segmentation_is_drawn_or_gives_a_sentence(tmp_path_factory, segmentation: Any) -> None:
    root: Path = tmp_path_factory.getbasetemp() / "fuzzed"
    if not root.exists():
        (root / "images").mkdir(parents=True)
        for name in ("a.png", "b.png"):
            Image.fromarray(PICTURE).save(root / "images" / name)
    write(root, document(annotations=[annotation(1, 3, 1, SQUARE), annotation(2, 3, 18, segmentation)]))
    try:
        assert set(np.unique(open_dataset(root).reader[1].mask)) <= {0, 1, 2}
    except DataError as error:
        text = str(error)
        assert str(root) in text


def test_the_real_instances(real_data: Path) -> None:
    """Labelled with LabelMe and exported: LabelMe's own masks differ along the outlines only."""
    dataset = open_dataset(real_data / "formats" / "coco_instances")
    assert len(dataset.classes) == 21
    for sample in dataset.reader:
        path = (
            real_data
            / "formats"
            / "labelme"
            / "expected_voc"
            / "SegmentationClass"
            / f"{sample.name.rpartition('/')[2]}.png"
        )
        expected = np.asarray(Image.open(path))
        known = expected != 255
        assert (sample.mask == expected)[known].mean() > 0.99


def test_the_real_panoptic_maps(real_data: Path) -> None:
    """The second channel format of the same pictures has the category in red."""
    folder = real_data / "formats" / "coco_panoptic" / "sample_data"
    dataset = open_dataset(folder, DataConfig(annotations="panoptic_examples.json"))
    assert len(dataset.classes) == 133
    by_id = published("coco_panoptic").values
    for sample in dataset.reader:
        red = np.asarray(Image.open(folder / "panoptic_examples_2ch_format" / f"{sample.name}.png"))[..., 0]
        expected = np.array([by_id.get(int(v), 255) for v in range(256)])[red]
        assert np.array_equal(sample.mask, expected)
    things = open_dataset(folder)
    assert len(things.classes) == 134
    for whole, drawn in zip(dataset.reader, things.reader, strict=True):
        same = whole.mask + 1 == drawn.mask
        assert (
            same[whole.mask != 255].mean() > 0.999
        )  # segments do not overlap, so drawing them gives the map
