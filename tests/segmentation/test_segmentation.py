"""A segmentation: checked when made, its areas, pictures of it, and parts cut out of it."""

import numpy as np
import pytest
from PIL import Image

import pixelwise
from pixelwise.errors import ConfigError, DataError, PixelwiseError
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes

TWO = Classes(("pet", "ground"), ((200, 0, 0), (0, 100, 0)))


def picture(height=4, width=6, value=100):
    return np.full((height, width, 3), value, np.uint8)


def labels(height=4, width=6, value=0):
    return np.full((height, width), value, np.uint8)


def test_it_is_public():
    assert pixelwise.Segmentation is Segmentation


def test_area_by_hand():
    ids = np.array([[0, 0, 0, 1], [255, 255, 255, 255]], np.uint8)
    # Four pixels count: three pet, one ground.
    assert Segmentation(ids, TWO).area() == {"pet": 0.75, "ground": 0.25}
    assert Segmentation(ids, TWO).counted() == 4
    assert Segmentation(labels(value=255), TWO).area() == {"pet": 0.0, "ground": 0.0}


def test_save_and_read_again(tmp_path):
    ids = np.random.default_rng(0).integers(0, 2, (61, 83), dtype=np.uint8)
    ids[0, 0] = 255
    path = Segmentation(ids, TWO).save(tmp_path / "mask.png")
    with Image.open(path) as read:
        assert read.mode == "P"
        np.testing.assert_array_equal(np.asarray(read), ids)


def test_overlay():
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


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda s: s.overlay(), "an overlay"),
        (lambda s: s.photo(), "this"),
        (lambda s: s.cutout("pet"), "a cutout"),
        (lambda s: s.blur_background("pet"), "a blurred background"),
        (lambda s: s.replace_background("pet", (0, 0, 0)), "another background"),
        (lambda s: s.save_labelme("x.json"), "a LabelMe json without picture="),
    ],
)
def test_without_the_photo(ask, what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PixelwiseError, match=f"^{what} needs the photo, but this segmentation was made with"):
        ask(Segmentation(labels(), TWO))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "ask",
    [
        lambda s, name: s.components(name),
        lambda s, name: s.boxes(name),
        lambda s, name: s.polygons(name),
        lambda s, name: s.crop(name),
        lambda s, name: s.cutout(name),
        lambda s, name: s.blur_background(name),
        lambda s, name: s.replace_background(name, (0, 0, 0)),
    ],
)
def test_a_class_that_there_is_not(ask):
    with pytest.raises(ConfigError, match=r"^there is no class 'pets': did you mean 'pet'\? There are pet"):
        ask(Segmentation(labels(), TWO, image=picture()), "pets")


@pytest.mark.parametrize("ask", ["crop", "cutout", "blur_background"])
def test_a_class_that_no_pixel_has(ask):
    segmentation = Segmentation(labels(), TWO, image=picture())
    assert segmentation.components("ground") == segmentation.boxes("ground") == []
    assert segmentation.polygons("ground") == []
    with pytest.raises(DataError, match=r"^no pixel of the picture is 'ground': it shows pet$"):
        getattr(segmentation, ask)("ground")
    nothing = Segmentation(labels(value=255), TWO, image=picture())
    with pytest.raises(DataError, match="it shows no class at all"):
        getattr(nothing, ask)("pet")


@pytest.mark.parametrize(
    "extra",
    [
        {"image": picture(6, 4)},
        {"confidence": np.zeros((6, 4), np.float32)},
        {"probabilities": np.zeros((3, 4, 6), np.float32)},
    ],
)
def test_parts_must_fit(extra):
    with pytest.raises(DataError, match="must have shape"):
        Segmentation(labels(), TWO, **extra)


def test_ids_must_have_a_class():
    ids = labels()
    ids[1, 2] = 255
    Segmentation(ids, TWO)
    ids[3, 3] = 2
    with pytest.raises(
        DataError, match="into 2 classes must be below 2, or 255 for ignored pixels, but 2 is"
    ):
        Segmentation(ids, TWO)


class TestCrop:
    ids = np.array(
        [
            [1, 1, 1, 1, 1, 1, 1, 1],
            [1, 0, 0, 0, 0, 1, 1, 1],
            [1, 0, 0, 0, 0, 1, 1, 0],
            [1, 1, 1, 1, 1, 1, 1, 1],
        ],
        np.uint8,
    )
    whole = Segmentation(
        ids,
        TWO,
        image=np.arange(96, dtype=np.uint8).reshape(4, 8, 3),
        confidence=np.arange(32, dtype=np.float32).reshape(4, 8) / 32,
        probabilities=np.arange(64, dtype=np.float32).reshape(2, 4, 8) / 64,
    )

    def same(self, part, rows, columns):
        np.testing.assert_array_equal(part.labels, self.ids[rows, columns])
        np.testing.assert_array_equal(part.image, self.whole.image[rows, columns])
        np.testing.assert_array_equal(np.asarray(part.photo()), self.whole.image[rows, columns])
        np.testing.assert_array_equal(part.confidence, self.whole.confidence[rows, columns])
        np.testing.assert_array_equal(part.probabilities, self.whole.probabilities[:, rows, columns])

    def test_the_largest_piece_or_all(self):
        self.same(self.whole.crop("pet"), slice(1, 3), slice(1, 5))
        self.same(self.whole.crop("pet", pieces="all"), slice(1, 3), slice(1, 8))

    def test_a_margin_as_far_as_the_picture_reaches(self):
        # The longer side has 4 pixels: half of that is 2, and above and below there is 1 row only.
        self.same(self.whole.crop("pet", margin=0.5), slice(0, 4), slice(0, 7))
        self.same(self.whole.crop("pet", margin=1e9), slice(0, 4), slice(0, 8))

    def test_it_stands_by_itself(self):
        part = self.whole.crop("pet")
        assert not np.shares_memory(part.labels, self.ids)
        assert not np.shares_memory(part.image, self.whole.image)
        bare = Segmentation(self.ids, TWO).crop("pet")
        assert bare.image is bare.confidence is bare.probabilities is None

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"margin": -0.1}, "margin is a share of the box's longer side, 0 or more, got -0.1"),
            ({"margin": float("nan")}, "got nan"),
            ({"pieces": "some"}, "pieces is 'largest' or 'all', got 'some'"),
        ],
    )
    def test_what_cannot_be(self, arguments, message):
        with pytest.raises(ConfigError, match=message):
            self.whole.crop("pet", **arguments)
