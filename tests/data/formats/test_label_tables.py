"""The label tables of public data sets, against facts looked up by hand."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import pixelwise.data.formats
from pixelwise.drawing import voc_colour

TABLES = Path(pixelwise.data.formats.__file__).parent / "tables"
HEADER = ["raw", "name", "red", "green", "blue", "train"]
CLASSES = {
    "cityscapes": 19,
    "ade20k": 150,
    "pascal_context": 59,
    "coco_stuff": 171,
    "coco_things": 80,
    "coco_panoptic": 133,
}
IGNORED = {
    "cityscapes": [0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, -1],
    "ade20k": [0],
    "pascal_context": [0],
    "coco_stuff": [0],
    "coco_things": [],
    "coco_panoptic": [],
}
# The official palettes repeat themselves: a colour alone does not name a class in these.
REPEATED = {"ade20k": 1, "pascal_context": 1, "coco_stuff": 9}
FACTS = {
    "cityscapes": [
        (0, "unlabeled", (0, 0, 0), None),
        (5, "dynamic", (111, 74, 0), None),
        (7, "road", (128, 64, 128), 0),
        (8, "sidewalk", (244, 35, 232), 1),
        (11, "building", (70, 70, 70), 2),
        (17, "pole", (153, 153, 153), 5),
        (18, "polegroup", (153, 153, 153), None),
        (24, "person", (220, 20, 60), 11),
        (26, "car", (0, 0, 142), 13),
        (31, "train", (0, 80, 100), 16),
        (33, "bicycle", (119, 11, 32), 18),
        (-1, "license plate", (0, 0, 142), None),
    ],
    "ade20k": [
        (0, "other", (0, 0, 0), None),
        (1, "wall", (120, 120, 120), 0),
        (3, "sky", (6, 230, 230), 2),
        (8, "bed", (204, 5, 255), 7),
        (13, "person", (150, 5, 61), 12),
        (21, "car", (0, 102, 200), 20),
        (59, "screen door", (0, 173, 255), 58),
        (131, "screen", (0, 204, 255), 130),
        (142, "crt screen", (122, 0, 255), 141),
        (150, "flag", (92, 0, 255), 149),
    ],
    "pascal_context": [
        (0, "background", (120, 120, 120), None),
        (1, "aeroplane", (180, 120, 120), 0),
        (2, "bag", (6, 230, 230), 1),
        (6, "bicycle", (140, 140, 140), 5),
        (23, "dog", (11, 102, 255), 22),
        (37, "person", (102, 8, 255), 36),
        (47, "sky", (0, 163, 255), 46),
        (59, "wood", (31, 0, 255), 58),
    ],
    "coco_stuff": [
        (0, "unlabeled", (0, 0, 0), None),
        (1, "person", (0, 192, 64), 0),
        (11, "fire hydrant", (128, 32, 192), 10),
        (13, "stop sign", (0, 0, 224), 11),
        (90, "toothbrush", (192, 160, 0), 79),
        (92, "banner", (0, 192, 0), 80),
        (124, "grass", (0, 32, 128), 112),
        (182, "wood", (64, 64, 0), 170),
    ],
    "coco_things": [
        (1, "person", (220, 20, 60), 0),
        (2, "bicycle", (119, 11, 32), 1),
        (13, "stop sign", (220, 220, 0), 11),
        (17, "cat", (255, 77, 255), 15),
        (64, "potted plant", (163, 255, 0), 58),
        (82, "refrigerator", (59, 105, 106), 72),
        (90, "toothbrush", (191, 162, 208), 79),
    ],
    "coco_panoptic": [
        (1, "person", (220, 20, 60), 0),
        (90, "toothbrush", (191, 162, 208), 79),
        (92, "banner", (255, 255, 128), 80),
        (93, "blanket", (147, 211, 203), 81),
        (95, "bridge", (150, 100, 100), 82),
        (187, "sky-other-merged", (70, 130, 180), 119),
        (200, "rug-merged", (250, 141, 255), 132),
    ],
}


def rows(name: str) -> list[dict[str, str]]:
    with (TABLES / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def colour(row: dict[str, str]) -> tuple[int, int, int]:
    return int(row["red"]), int(row["green"]), int(row["blue"])


def numbers(name: str, column: str) -> list[int]:
    return [int(row[column]) for row in rows(name)]


def test_every_table_is_plain_csv() -> None:
    for path in sorted(TABLES.glob("*.csv")):
        data = path.read_bytes()
        assert data.endswith(b"\n")
        assert b"\r" not in data
        assert b'"' not in data
        lines = data.decode("utf-8").splitlines()
        assert len({line.count(",") for line in lines}) == 1, path.name


@pytest.mark.parametrize("name", CLASSES)
def test_train_ids_count_up_from_zero_each_once(name: str) -> None:
    table = rows(name)
    assert list(table[0]) == HEADER
    train = [int(row["train"]) for row in table if row["train"] != "ignore"]
    assert sorted(train) == list(range(CLASSES[name]))
    assert [int(row["raw"]) for row in table if row["train"] == "ignore"] == IGNORED[name]


@pytest.mark.parametrize("name", CLASSES)
def test_raw_ids_and_names_are_unique(name: str) -> None:
    table = rows(name)
    assert len({int(row["raw"]) for row in table}) == len(table)
    names = [row["name"] for row in table]
    assert len(set(names)) == len(names)
    assert all(text and text == text.strip().lower() for text in names)


@pytest.mark.parametrize("name", CLASSES)
def test_colours_are_bytes_and_as_distinct_as_the_official_ones(name: str) -> None:
    classes = [colour(row) for row in rows(name) if row["train"] != "ignore"]
    assert all(0 <= value <= 255 for triple in classes for value in triple)
    assert len(classes) - len(set(classes)) == REPEATED.get(name, 0)


@pytest.mark.parametrize("name", CLASSES)
def test_known_classes(name: str) -> None:
    table = {int(row["raw"]): row for row in rows(name)}
    for raw, label, rgb, train in FACTS[name]:
        row = table[raw]
        assert (row["name"], colour(row)) == (label, rgb)
        assert row["train"] == ("ignore" if train is None else str(train))


def test_cityscapes_ids_run_to_33_and_the_plate_comes_last() -> None:
    assert numbers("cityscapes", "raw") == [*range(34), -1]


def test_ade20k_and_pascal_context_ids_are_train_ids_plus_one() -> None:
    for name in ("ade20k", "pascal_context"):
        table = rows(name)
        assert [int(row["raw"]) for row in table] == list(range(CLASSES[name] + 1))
        assert [row["train"] for row in table[1:]] == [str(index) for index in range(CLASSES[name])]


def test_coco_stuff_leaves_the_eleven_removed_things_out() -> None:
    removed = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91}
    assert numbers("coco_stuff", "raw") == [raw for raw in range(183) if raw not in removed]


def test_coco_things_are_the_first_classes_of_stuff_and_panoptic() -> None:
    things = rows("coco_things")
    stuff = {row["raw"]: row for row in rows("coco_stuff")}
    assert rows("coco_panoptic")[:80] == things
    for row in things:
        assert (stuff[row["raw"]]["name"], stuff[row["raw"]]["train"]) == (row["name"], row["train"])


def test_coco_ids_ascend() -> None:
    for name in ("coco_things", "coco_panoptic"):
        raw = numbers(name, "raw")
        assert raw == sorted(raw)


def test_full_ade20k_map_reaches_every_class() -> None:
    full = numbers("ade20k_full", "full")
    raw = numbers("ade20k_full", "raw")
    assert len(full) == len(set(full)) == 153
    assert set(raw) == set(range(1, 151))
    # Three classes of the benchmark take two full classes each: doors, wardrobes and closets, booths.
    assert sorted(value for value in set(raw) if raw.count(value) > 1) == [15, 36, 89]


@pytest.mark.parametrize(
    ("full", "name"),
    [
        (2978, "wall"),
        (312, "building"),
        (2420, "sky"),
        (2855, "tree"),
        (1831, "person"),
        (401, "car"),
        (774, "door"),
        (783, "door"),
        (2985, "wardrobe"),
        (533, "wardrobe"),
        (247, "booth"),
        (64, "ashcan"),
        (2836, "traffic light"),
        (3109, "crt screen"),
    ],
)
def test_full_ade20k_classes(full: int, name: str) -> None:
    raw = {int(row["full"]): row["raw"] for row in rows("ade20k_full")}[full]
    assert {row["raw"]: row["name"] for row in rows("ade20k")}[raw] == name


def test_full_ade20k_indices_follow_the_alphabet() -> None:
    # The full list is alphabetical by first letter up to what was added at its end (above 3100);
    # a closet is half of the wardrobes.
    names = {int(row["raw"]): row["name"] for row in rows("ade20k")}
    pairs = zip(numbers("ade20k_full", "full"), numbers("ade20k_full", "raw"), strict=True)
    order = [names[raw][0] for full, raw in sorted(pairs) if full < 3100 and full != 533]
    assert order == sorted(order)


def test_pascal_context_459_ids() -> None:
    table = rows("pascal_context_459")
    assert list(table[0]) == ["label", "name", "raw"]
    names = {row["raw"]: row["name"] for row in rows("pascal_context")}
    assert [(row["raw"], row["name"]) for row in table] == list(names.items())[1:]
    label = {row["name"]: int(row["label"]) for row in table}
    known = {"aeroplane": 2, "bag": 9, "bicycle": 23, "cloth": 80, "person": 284, "table": 397, "wood": 458}
    assert {name: label[name] for name in known} == known
    # Both lists are alphabetical.
    assert list(label.values()) == sorted(set(label.values()))


def test_pascal_context_colours_are_the_voc_ones_in_the_order_of_the_official_59() -> None:
    names = {row["raw"]: row["name"] for row in rows("pascal_context")}
    colours = {names[row["raw"]]: colour(row) for row in rows("pascal_context_colours")}
    assert len(colours) == len(set(colours.values())) == 60
    assert set(colours.values()) == {tuple(voc_colour(index)) for index in range(60)}
    # 0 background, 3 bird, 6 bus, 15 person, 25 building, 28 cloth, 36 grass, 49 sidewalk, 50 sky, 59 wood
    assert colours["background"] == (0, 0, 0)
    assert colours["bird"] == (128, 128, 0)
    assert colours["bus"] == (0, 128, 128)
    assert colours["person"] == (192, 128, 128)
    assert colours["building"] == (192, 64, 0)
    assert colours["cloth"] == (64, 64, 128)
    assert colours["grass"] == (0, 0, 192)
    assert colours["sidewalk"] == (128, 64, 64)
    assert colours["sky"] == (0, 192, 64)
    assert colours["wood"] == (192, 192, 64)
