"""Tables of public data sets as the readers get them: a few facts by hand, and what holds for each."""

from __future__ import annotations

import pytest

from pixelwise.config import DataConfig
from pixelwise.data.formats.published import Published, published, refuse_other_names, rows
from pixelwise.errors import ConfigError

CLASSES = {
    "cityscapes": 19,
    "ade20k": 150,
    "pascal_context": 59,
    "coco_stuff": 171,
    "coco_things": 80,
    "coco_panoptic": 133,
}


@pytest.mark.parametrize(("name", "count"), CLASSES.items())
def test_every_table(name: str, count: int) -> None:
    table = published(name)
    assert isinstance(table, Published)
    assert len(table.classes) == count
    assert set(table.values.values()) - {255} == set(range(count))
    assert set(table.names.values()) >= set(table.values)
    for class_name, raw in table.names.items():
        train = table.values.get(raw, 255)
        assert train == 255 or table.classes.names[train] == class_name
    for colour, raw in table.colours.items():
        train = table.values[raw]
        assert train == 255 or table.classes.colours[train] == colour


def test_known_rows() -> None:
    table = published("cityscapes")
    assert (table.names["car"], table.values[26], table.classes.names[13]) == (26, 13, "car")
    assert table.colours[128, 64, 128] == 7  # road
    assert table.values[18] == 255  # polegroup
    assert table.names["license plate"] == -1
    assert -1 not in table.values


def test_a_colour_of_several_ids_names_none() -> None:
    """Black is unlabeled, ego vehicle and more; the car's blue is that of the license plate, too."""
    colours = published("cityscapes").colours
    assert (0, 0, 0) not in colours
    assert (0, 0, 142) not in colours


def test_read_once() -> None:
    assert published("ade20k") is published("ade20k")
    assert len(rows("ade20k")) == 151


def test_other_names_are_refused() -> None:
    known = published("cityscapes").classes
    refuse_other_names("cityscapes", DataConfig(), known)
    refuse_other_names("cityscapes", DataConfig(classes=("car", "tram")), known)  # `remap` refuses the tram
    with pytest.raises(
        ConfigError, match="cityscapes has no class 'tram'; name some of its own, which are road"
    ):
        refuse_other_names("cityscapes", DataConfig(classes=("tram",)), known)
