"""Other classes out of those that a data set has: selected, ignored, merged, one against the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.config import DataConfig
from pixelwise.data import open_dataset
from pixelwise.errors import ConfigError

NAMES = ("sky", "road", "pole", "sign", "car")
MASK = np.array([[0, 1, 2, 3, 4, 255]], np.uint8)


@pytest.fixture
def streets(make_set) -> Path:
    return make_set({"a": MASK, "b": MASK}, classes="\n".join(NAMES))


def opened(folder: Path, **settings: object) -> tuple[tuple[str, ...], list[int], tuple[str, ...]]:
    dataset = open_dataset(folder, DataConfig(**settings))
    return dataset.classes.names, dataset.reader[0].mask[0].tolist(), dataset.notes


def test_nothing_asked_for(streets: Path) -> None:
    names, ids, _ = opened(streets)
    assert (names, ids) == (NAMES, [0, 1, 2, 3, 4, 255])


def test_ignored(streets: Path) -> None:
    names, ids, notes = opened(streets, ignore=("road", "car"))
    assert names == ("sky", "pole", "sign")
    assert ids == [0, 255, 1, 2, 255, 255]
    assert "ignored: road, car" in notes


def test_merged_where_the_first_stood(streets: Path) -> None:
    names, ids, notes = opened(streets, merge=("sign,pole=post", "sky,car = other"))
    assert names == ("other", "road", "post")
    assert ids == [0, 1, 2, 2, 0, 255]
    assert "sign, pole are now post" in notes


def test_merged_into_a_class_that_is_there(streets: Path) -> None:
    names, ids, _ = opened(streets, merge=("sign=pole",))
    assert names == ("sky", "road", "pole", "car")
    assert ids == [0, 1, 2, 2, 3, 255]


def test_one_against_the_rest(streets: Path) -> None:
    names, ids, notes = opened(streets, binary="car", ignore=("sky",))
    assert names == ("background", "car")
    assert ids == [255, 0, 0, 0, 1, 255]
    assert "car against all others, which are background" in notes


def test_merged_then_binary(streets: Path) -> None:
    names, ids, _ = opened(streets, merge=("sign,pole=post",), binary="post")
    assert (names, ids) == (("background", "post"), [0, 0, 1, 1, 0, 255])


def test_colours_stay_with_their_class(streets: Path) -> None:
    colours = open_dataset(streets).classes.colours
    merged = open_dataset(streets, DataConfig(merge=("sign,pole=post",), ignore=("sky",)))
    assert merged.classes.colours == (colours[1], colours[2], colours[4])


def test_a_data_set_that_names_its_classes_is_chosen_from(save, tmp_path: Path) -> None:
    save("pets/images/cat.jpg", np.zeros((1, 3, 3), np.uint8))
    save("pets/annotations/trimaps/cat.png", np.array([[1, 2, 3]], np.uint8))
    names, ids, notes = opened(tmp_path / "pets", classes=("background", "pet"))
    assert (names, ids) == (("background", "pet"), [1, 0, 255])
    assert "2 classes as --classes names them; ignored: border" in notes
    names, ids, _ = opened(tmp_path / "pets", classes=("tier", "wiese", "rand"))
    assert (names, ids) == (("tier", "wiese", "rand"), [0, 1, 2])
    with pytest.raises(ConfigError, match="there is no class 'rand'"):
        opened(tmp_path / "pets", classes=("pet", "rand"))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"ignore": ("rod",)}, "--ignore: there is no class 'rod'; did you mean road"),
        ({"binary": "zebra"}, "--binary: there is no class 'zebra'; there are sky, road, pole, sign, car"),
        ({"merge": ("pole,sign",)}, "--merge takes NAME,NAME=NEW, for example pole,sign=post"),
        ({"merge": ("pole,=post",)}, "--merge takes"),
        ({"merge": ("pole,pole=post",)}, "--merge: a class stands there twice"),
        ({"ignore": NAMES}, "--ignore leaves no class at all"),
        ({"ignore": NAMES[1:], "binary": "sky"}, "no other class to tell it from"),
    ],
)
def test_what_cannot_be(streets: Path, settings: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        opened(streets, **settings)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(NAMES), unique=True, max_size=4), st.sampled_from(NAMES))
def test_a_pixel_keeps_its_name(tmp_path_factory, out: list[str], kept: str) -> None:
    """Whatever is ignored and merged: a pixel's new name is its old one, the merged one, or none."""
    folder = tmp_path_factory.getbasetemp() / "named"
    if not folder.exists():
        from PIL import Image

        for part, array in (("images", np.zeros((1, 6, 3), np.uint8)), ("masks", MASK)):
            (folder / part).mkdir(parents=True)
            Image.fromarray(array).save(folder / part / "a.png")
        (folder / "classes.txt").write_text("\n".join(NAMES))
    out = [name for name in out if name != kept]
    rest = [name for name in NAMES if name not in out]
    merge = (f"{','.join(rest[:2])}=new",) if len(rest) > 2 else ()
    names, ids, _ = opened(folder, ignore=tuple(out), merge=merge)
    for old, new in zip(NAMES, ids, strict=False):
        if old in out:
            assert new == 255
        else:
            assert names[new] == ("new" if merge and old in rest[:2] else old)
