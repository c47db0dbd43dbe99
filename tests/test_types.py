"""Classes, samples, segmentations: checked when made."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelwise.drawing import default_colours
from pixelwise.errors import ConfigError, DataError, PixelwiseError
from pixelwise.types import Classes, Sample, Segmentation, size_text

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


class TestSegmentation:
    def test_area_by_hand(self):
        ids = np.array([[0, 0, 0, 1], [255, 255, 255, 255]], np.uint8)
        # Four pixels count: three pet, one ground.
        assert Segmentation(ids, TWO).area() == {"pet": 0.75, "ground": 0.25}
        assert Segmentation(labels(value=255), TWO).area() == {"pet": 0.0, "ground": 0.0}

    def test_save_and_read_again(self, tmp_path):
        ids = np.random.default_rng(0).integers(0, 2, (61, 83), dtype=np.uint8)
        ids[0, 0] = 255
        path = Segmentation(ids, TWO).save(tmp_path / "mask.png")
        with Image.open(path) as read:
            assert read.mode == "P"
            np.testing.assert_array_equal(np.asarray(read), ids)

    def test_overlay(self):
        segmentation = Segmentation(labels(), TWO, image=picture())
        bare = segmentation.overlay(opacity=0.25, legend=False)
        assert bare.size == (6, 4)
        assert bare.getpixel((0, 0)) == (125, 75, 75)  # 0.75 * 100 + 0.25 * (200, 0, 0)
        with_legend = segmentation.overlay(opacity=0.25)
        assert with_legend.getpixel((0, 0)) == (125, 75, 75)
        assert with_legend.height > 4
        found = {colour for _, colour in with_legend.getcolors(1 << 16)}
        assert (200, 0, 0) in found
        assert (0, 100, 0) not in found  # what does not occur is not in the legend

    def test_overlay_without_the_photo(self):
        with pytest.raises(PixelwiseError, match="needs the photo"):
            Segmentation(labels(), TWO).overlay()

    @pytest.mark.parametrize(
        "extra",
        [
            {"image": picture(6, 4)},
            {"confidence": np.zeros((6, 4), np.float32)},
            {"probabilities": np.zeros((3, 4, 6), np.float32)},
        ],
    )
    def test_parts_must_fit(self, extra):
        with pytest.raises(DataError, match="must have shape"):
            Segmentation(labels(), TWO, **extra)


def test_size_text_is_width_times_height():
    assert size_text((480, 640, 3)) == "640x480"
