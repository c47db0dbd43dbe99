"""Reader `cityscapes`: ids, train ids and polygons give the same masks; halves are left out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.data.formats.cityscapes_labels import CityscapesLabels
from pixelwise.data.formats.published import published
from pixelwise.errors import ConfigError, DataError

SIZE = (8, 12)
# A road (7) with a car (26) on it, sky (23) above, and an ego vehicle (1) below; by hand.
IDS = np.zeros(SIZE, np.uint8)
IDS[:3], IDS[3:7], IDS[7:] = 23, 7, 1
IDS[4:6, 2:5] = 26
TRAIN = np.select([IDS == 23, IDS == 7, IDS == 26], [10, 0, 13], 255).astype(np.uint8)
# Corners are pixel centres, and a filled polygon covers those on its edge.
POLYGONS = {
    "imgHeight": 8,
    "imgWidth": 12,
    "objects": [
        {"label": "sky", "polygon": [[0, 0], [11, 0], [11, 2], [0, 2]]},
        {"label": "road", "polygon": [[0, 3], [11, 3], [11, 6], [0, 6]]},
        {"label": "cargroup", "polygon": [[2, 4], [4, 4], [4, 5], [2, 5]]},
        {"label": "person", "polygon": [[0, 0], [9, 0], [9, 7]], "deleted": 1},
        {"label": "license plate", "polygon": [[2, 4], [3, 4], [3, 5]]},
        {"label": "ego vehicle", "polygon": [[0, 7], [11, 7], [11, 7], [0, 7]]},
    ],
}


@pytest.fixture
def city(save, tmp_path: Path) -> Path:
    """Frame 1 has ids, 2 train ids, 3 polygons; 4 has no labels, 5 no picture."""
    picture = np.zeros((*SIZE, 3), np.uint8)
    for number in (1, 2, 3, 4):
        side = "val" if number == 3 else "train"
        save(f"city/leftImg8bit/{side}/ulm/ulm_00000{number}_leftImg8bit.png", picture)
    save("city/gtFine/train/ulm/ulm_000001_gtFine_labelIds.png", IDS)
    save("city/gtFine/train/ulm/ulm_000001_gtFine_instanceIds.png", IDS.astype(np.uint16) * 1000)
    save("city/gtFine/train/ulm/ulm_000001_gtFine_color.png", picture)
    save("city/gtFine/train/ulm/ulm_000002_gtFine_labelTrainIds.png", TRAIN)
    save("city/gtFine/train/ulm/ulm_000005_gtFine_labelIds.png", IDS)
    folder = tmp_path / "city" / "gtFine" / "val" / "ulm"
    folder.mkdir(parents=True)
    (folder / "ulm_000003_gtFine_polygons.json").write_text(json.dumps(POLYGONS))
    return tmp_path / "city"


def test_the_three_kinds_of_labels_agree(city: Path) -> None:
    dataset = open_dataset(city)
    assert dataset.reader.format == "cityscapes"
    assert [e.name for e in dataset.reader.entries] == [
        f"{s}/ulm/ulm_00000{n}" for s, n in (("train", 1), ("train", 2), ("val", 3))
    ]
    for sample in dataset.reader:
        assert np.array_equal(sample.mask, TRAIN), sample.name
    assert (dataset.split.train, dataset.split.val) == ((0, 1), (2,))
    assert dataset.classes.names[13] == "car"
    assert dataset.classes.colours[13] == (0, 0, 142)


def test_halves_are_left_out_and_counted(city: Path) -> None:
    notes = open_dataset(city).notes
    assert "1 pictures without labels are left out" in notes
    assert "1 labels without a picture are left out" in notes


def test_id_maps_come_before_polygons(city: Path, save) -> None:
    save("city/gtFine/val/ulm/ulm_000003_gtFine_labelIds.png", np.full(SIZE, 24, np.uint8))
    assert set(open_dataset(city).reader[2].mask.ravel()) == {11}


def test_coarse_labels(city: Path, save) -> None:
    save("city/gtCoarse/train/ulm/ulm_000004_gtCoarse_labelIds.png", IDS)
    assert "gtCoarse/ is there too: --masks gtCoarse reads it" in open_dataset(city).notes
    coarse = open_dataset(city, DataConfig(masks="gtCoarse", format="cityscapes"))
    assert [e.name for e in coarse.reader.entries] == ["train/ulm/ulm_000004"]
    assert open_dataset(city, DataConfig(masks="gtCoarse")).reader.format == "cityscapes"


def test_chosen_and_merged(city: Path) -> None:
    dataset = open_dataset(city, DataConfig(classes=("road", "car"), binary="car"))
    assert dataset.classes.names == ("background", "car")
    assert dataset.reader[0].mask[4].tolist() == [0, 0, 1, 1, 1, *[0] * 7]
    with pytest.raises(
        ConfigError, match=r"cityscapes has no class 'street' or 'auto'; .* road, sidewalk, .* bicycle, or"
    ):
        open_dataset(city, DataConfig(classes=("street", "auto")))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"imgWidth": 13}, "is for a picture of 13x8, but that has 12x8"),
        ({"imgHeight": "8"}, "'imgHeight' must be a whole number, but it is a text"),
        ({"objects": None}, "'objects' must be a list, but it is null"),
        ({"objects": [7]}, r"objects\[0\] must be an object"),
        (
            {"objects": [{"label": "tram", "polygon": [[0, 0], [1, 1], [1, 0]]}]},
            "object 0: Cityscapes has no label 'tram'",
        ),
        (
            {"objects": [{"label": "car", "polygon": [[0, 0]]}]},
            "it has 1 point, but needs at least 2",
        ),
        (
            {"objects": [{"label": "car", "polygon": [[90, 90], [91, 91], [95, 90]]}]},
            "lies outside its picture",
        ),
    ],
)
def test_polygons_at_fault(city: Path, change: dict[str, object], says: str) -> None:
    path = city / "gtFine" / "val" / "ulm" / "ulm_000003_gtFine_polygons.json"
    path.write_text(json.dumps({**POLYGONS, **change}))
    with pytest.raises(DataError, match=says):
        open_dataset(city).reader[2]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["label", "polygon", "deleted", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.fixed_dictionaries({"imgHeight": st.just(8) | JSON, "imgWidth": st.just(12) | JSON, "objects": JSON})
    | JSON
)
def test_any_json_gives_a_map_or_a_sentence(tmp_path_factory, document: object) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed_gtFine_polygons.json"
    path.write_text(json.dumps(document))
    try:
        assert CityscapesLabels(published("cityscapes")).draw(path, SIZE).shape == SIZE
    except DataError as error:
        text = str(error)
        assert text.startswith(str(path))


def test_a_train_id_that_is_none(city: Path, save) -> None:
    """--map speaks of ids, so it is no remedy here."""
    name = "city/gtFine/train/ulm/ulm_000002_gtFine_labelTrainIds.png"
    save(name, np.full(SIZE, 19, np.uint8))
    with pytest.raises(DataError, match="train ids are 0 to 18, and 255, but it holds 19; make it anew"):
        open_dataset(city).reader[1]
    save(name, np.full((*SIZE, 3), 10, np.uint8))
    assert set(open_dataset(city).reader[1].mask.ravel()) == {10}
    save(name, np.full((*SIZE, 3), (70, 130, 180), np.uint8))
    with pytest.raises(DataError, match="train ids were expected"):
        open_dataset(city).reader[1]
    save(name, np.full(SIZE, 300, np.uint16))
    with pytest.raises(DataError, match="train ids were expected"):
        open_dataset(city).reader[1]


def test_the_official_test_labels_hold_no_class(city: Path, save) -> None:
    """They show the ego vehicle and the border only; a test split with classes in it is kept."""
    save("city/leftImg8bit/test/bonn/bonn_000001_leftImg8bit.png", np.zeros((*SIZE, 3), np.uint8))
    save("city/gtFine/test/bonn/bonn_000001_gtFine_labelIds.png", np.where(IDS == 1, 1, 3).astype(np.uint8))
    dataset = open_dataset(city)
    assert [e.name[:5] for e in dataset.reader.entries] == ["train", "train", "val/u"]
    assert "1 pictures in test/ are left out: their labels hold no class" in dataset.notes
    assert dict(dataset.reader.splits) == {"train": (0, 1), "val": (2,)}
    save("city/gtFine/test/bonn/bonn_000001_gtFine_labelIds.png", IDS)
    assert dict(open_dataset(city).reader.splits) == {"test": (0,), "train": (1, 2), "val": (3,)}


def test_polygons_that_hold_no_class(city: Path) -> None:
    (city / "leftImg8bit" / "val").rename(city / "leftImg8bit" / "test")
    (city / "gtFine" / "val").rename(city / "gtFine" / "test")
    path = city / "gtFine" / "test" / "ulm" / "ulm_000003_gtFine_polygons.json"
    path.write_text(json.dumps({**POLYGONS, "objects": POLYGONS["objects"][-1:]}))
    assert len(open_dataset(city).reader) == 2
    path.write_text("{")  # damaged ones are kept, and say so when they are read
    with pytest.raises(DataError, match="no whole json"):
        open_dataset(city).reader[0]


def test_below_the_folders_of_the_archives(city: Path, tmp_path: Path) -> None:
    (tmp_path / "outer").mkdir()
    city.rename(tmp_path / "outer" / "cityscapes")
    assert len(open_dataset(tmp_path / "outer").reader) == 3
    for name, archive in (("gtFine", "gtFine_trainvaltest"), ("leftImg8bit", "leftImg8bit_trainvaltest")):
        (tmp_path / "zips" / archive).mkdir(parents=True)
        (tmp_path / "outer" / "cityscapes" / name).rename(tmp_path / "zips" / archive / name)
    dataset = open_dataset(tmp_path / "zips")
    assert dataset.reader.format == "cityscapes"
    for sample in dataset.reader:
        assert np.array_equal(sample.mask, TRAIN), sample.name


def test_pictures_of_another_folder(city: Path) -> None:
    with pytest.raises(ConfigError, match="--images says rightImg8bit; leave --images away"):
        open_dataset(city, DataConfig(images="rightImg8bit"))


def test_a_polygon_of_two_corners_is_a_line(city: Path) -> None:
    path = city / "gtFine" / "val" / "ulm" / "ulm_000003_gtFine_polygons.json"
    path.write_text(json.dumps({**POLYGONS, "objects": [{"label": "car", "polygon": [[1, 1], [3, 1]]}]}))
    assert np.argwhere(open_dataset(city).reader[2].mask == 13).tolist() == [[1, 1], [1, 2], [1, 3]]


def test_nothing_to_read(city: Path) -> None:
    with pytest.raises(DataError, match="there is no gtCoarse/; there is gtFine"):
        open_dataset(city, DataConfig(format="cityscapes", masks="gtCoarse"))
    for path in (city / "gtFine").rglob("*.*"):
        path.unlink()
    with pytest.raises(
        DataError, match="none of the pictures in leftImg8bit/ has labels of classes in gtFine/"
    ):
        open_dataset(city)


def test_the_real_pictures(real_data: Path) -> None:
    dataset = open_dataset(real_data / "formats" / "cityscapes")
    assert len(dataset.reader) == 8
    assert "15 labels without a picture are left out" in dataset.notes
    sample = dataset.reader[0]
    assert sample.image.shape == (1024, 2048, 3)
    shares = np.bincount(sample.mask.ravel(), minlength=256) / sample.mask.size
    assert shares[0] > 0.2  # road
    assert set(np.flatnonzero(shares)) <= {*range(19), 255}
