"""Classes and samples: checked when made."""

import json

import numpy as np
import pytest

from pixelwise.drawing import default_colours
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes, Sample, size_text

TWO = Classes(("pet", "ground"), ((200, 0, 0), (0, 100, 0)))


def picture(height=4, width=6, value=100):
    return np.full((height, width, 3), value, np.uint8)


def labels(height=4, width=6, value=0):
    return np.full((height, width), value, np.uint8)


class TestClasses:
    def test_colours_are_drawn_where_not_given(self):
        assert Classes(("a", "b", "c")).colours == default_colours(3)
        assert len(Classes(tuple(str(i) for i in range(255)))) == 255

    @pytest.mark.parametrize(
        ("names", "colours", "message"),
        [
            ((), (), "1 to 255 classes, got 0"),
            (tuple(str(i) for i in range(256)), (), "got 256"),
            (("a", " "), (), "empty"),
            (("a", "b", "a"), (), "must differ, but a"),
            (("a", "b"), ((0, 0, 0),), "2 classes need as many colours, got 1"),
            (("a",), ((0, 0, 256),), "0..255"),
            (("a",), ((0, 0),), "three numbers"),
        ],
    )
    def test_what_cannot_be(self, names, colours, message):
        with pytest.raises(ConfigError, match=message):
            Classes(names, colours)

    def test_json_round_trip(self):
        assert Classes.from_json(json.loads(json.dumps(TWO.to_json()))) == TWO
        assert Classes.from_json({"names": ["a"]}) == Classes(("a",))

    @pytest.mark.parametrize(
        "value",
        [None, [], {}, {"names": 3}, {"names": ["a"], "colours": [[1, 2]]}, {"names": ["a"], "colours": 5}],
    )
    def test_other_json(self, value):
        with pytest.raises(ConfigError):
            Classes.from_json(value)

    def test_ids_by_name(self):
        assert [TWO.id_of(name) for name in TWO.names] == [0, 1]
        with pytest.raises(
            ConfigError, match=r"^there is no class 'grond': did you mean 'ground'\? There are pet"
        ):
            TWO.id_of("grond")
        many = Classes(tuple(f"class {i}" for i in range(40)))
        with pytest.raises(ConfigError, match=r"^there is no class 'x': There are class 0, .*class 11, …$"):
            many.id_of("x")

    def test_numpy_colours_become_plain(self):
        classes = Classes(("a",), tuple(map(tuple, np.array([[1, 2, 3]], np.uint8))))
        json.dumps(classes.to_json())
        assert classes.colours == ((1, 2, 3),)


class TestSample:
    def test_a_good_one(self):
        sample = Sample("cat", picture(), labels())
        assert sample.mask.shape == (4, 6)

    @pytest.mark.parametrize(
        ("image", "mask", "message"),
        [
            (picture(4, 6), labels(6, 4), "cat: the picture is 6x4 but its mask 4x6"),
            (picture().astype(np.float32), labels(), r"cat: a picture must be \(H, W, 3\) uint8"),
            (picture()[..., 0], labels(), "a picture must be"),
            (np.zeros((4, 6, 4), np.uint8), labels(), "a picture must be"),
            (np.zeros((0, 6, 3), np.uint8), labels(), "a picture must be"),
            (picture(), labels().astype(np.int64), r"cat: labels must be \(H, W\) uint8"),
            (picture(), labels()[..., None], "labels must be"),
        ],
    )
    def test_what_does_not_fit(self, image, mask, message):
        with pytest.raises(DataError, match=message):
            Sample("cat", image, mask)


def test_size_text_is_width_times_height():
    assert size_text((480, 640, 3)) == "640x480"
