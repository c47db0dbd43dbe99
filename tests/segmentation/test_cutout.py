"""Soft masks, cutouts and other backgrounds: widths and colours by hand, and what must hold for any mask."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from pixelwise.errors import ConfigError
from pixelwise.segmentation import Segmentation
from pixelwise.segmentation.alpha import soft_mask
from pixelwise.segmentation.extend import extended
from pixelwise.types import Classes

CLASSES = Classes(("background", "cat"))
RED, BLUE = (200, 20, 10), (10, 30, 180)


def halves(width: int = 40, height: int = 8, *, at: int = 20, mixed: bool = False) -> Segmentation:
    """A blue background on the left and a red cat from column `at` on; `mixed`: both at the border."""
    mask = np.zeros((height, width), np.uint8)
    mask[:, at:] = 1
    image = np.where(mask[..., None] == 1, np.uint8(RED), np.uint8(BLUE))
    if mixed:
        image[:, at - 1 : at + 1] = (np.add(RED, BLUE) / 2).astype(np.uint8)
    return Segmentation(mask, CLASSES, image=image)


def with_scores(segmentation: Segmentation, cat: np.ndarray) -> Segmentation:
    row = np.broadcast_to(cat.astype(np.float32), segmentation.labels.shape)
    return Segmentation(
        segmentation.labels,
        CLASSES,
        image=segmentation.image,
        probabilities=np.stack((1 - row, row)),
    )


class TestSoftMask:
    @pytest.mark.parametrize(
        ("edge", "shares"),
        [(1, [0, 0, 0, 1, 1, 1]), (3, [0, 0, 1 / 3, 2 / 3, 1, 1]), (5, [0, 1 / 5, 2 / 5, 3 / 5, 4 / 5, 1])],
    )
    def test_labels_rise_evenly_across_the_edge(self, edge: float, shares: list[float]) -> None:
        alpha = np.asarray(soft_mask(halves(), "cat", "all", edge))
        assert np.abs(alpha[4, 17:23] - 255 * np.array(shares)).max() <= 1
        assert (alpha == alpha[0]).all()
        assert (alpha[:, :17] == 0).all()
        assert (alpha[:, 23:] == 255).all()

    def test_the_width_where_none_is_given(self) -> None:
        # 0.3% of 4000 pixels are 12: 6 on either side.
        wide = np.asarray(soft_mask(halves(4000, 4, at=2000), "cat", "all", None))[0]
        assert wide[1993] == 0 < wide[1994]
        assert wide[2005] < 255 == wide[2006]

    def test_probabilities_decide_near_the_border(self) -> None:
        """Half where both are equal; the cat is sure where it leads by a half: at 0.75 to 0.25."""
        cat = np.concatenate((np.zeros(18), [0.3, 0.45, 0.5, 0.7], np.ones(18)))
        alpha = np.asarray(soft_mask(with_scores(halves(), cat), "cat", "all", 16))[0]
        # 0.5 + (0.3 - 0.7) = 0.1, 0.5 + (0.45 - 0.55) = 0.4, 0.5, 0.5 + (0.7 - 0.3) = 0.9
        assert np.abs(alpha[17:23] - 255 * np.array([0, 0.1, 0.4, 0.5, 0.9, 1])).max() <= 1

    def test_doubts_far_from_the_border_count_for_nothing(self) -> None:
        cat = np.where(np.arange(40) < 20, 0.45, 0.55)  # nowhere sure
        alpha = np.asarray(soft_mask(with_scores(halves(), cat), "cat", "all", 8))[0]
        assert (alpha[:16] == 0).all()
        assert (alpha[24:] == 255).all()
        assert ((alpha[19:21] > 0) & (alpha[19:21] < 255)).all()
        assert (np.diff(alpha.astype(int)) >= 0).all()

    def test_what_is_thinner_than_the_edge_stays(self) -> None:
        mask = np.zeros((20, 40), np.uint8)
        mask[:, 20] = 1
        line = with_scores(Segmentation(mask, CLASSES), np.where(np.arange(40) == 20, 0.9, 0.05))
        assert np.asarray(soft_mask(line, "cat", "all", 16))[:, 20].min() == 255

    def test_the_strongest_rival_counts(self) -> None:
        three = Classes(("background", "cat", "dog"))
        mask = np.repeat([[0, 1]], 10, axis=1).repeat(6, axis=0).astype(np.uint8)
        scores = np.full((3, 6, 20), 1 / 3, np.float32)
        scores[:, :, 9] = np.array([0.35, 0.4, 0.25])[:, None]
        alpha = np.asarray(soft_mask(Segmentation(mask, three, probabilities=scores), "cat", "all", 8))
        assert abs(int(alpha[3, 9]) - 255 * 0.55) <= 1  # 0.5 + (0.4 - 0.35)

    def test_the_largest_piece_alone(self) -> None:
        mask = np.zeros((20, 40), np.uint8)
        mask[5:15, 5:15], mask[8:11, 30:33] = 1, 1
        scores = mask.astype(np.float32)
        for extra in ({}, {"probabilities": np.stack((1 - scores, scores))}):
            segmentation = Segmentation(mask, CLASSES, **extra)
            assert np.asarray(soft_mask(segmentation, "cat", "all", 3))[9, 31] == 255
            assert np.asarray(soft_mask(segmentation, "cat", "largest", 3))[:, 20:].max() == 0

    @pytest.mark.parametrize("edge", [0.5, 41, float("nan")])
    def test_what_is_no_width(self, edge: float) -> None:
        with pytest.raises(ConfigError, match=rf"edge is a width in pixels, 1 \(hard\) to 40, got {edge}"):
            soft_mask(halves(), "cat", "all", edge)


class TestExtended:
    def test_known_pixels_stay_and_others_are_near_them(self) -> None:
        picture = Image.fromarray(halves(37, 11, at=20).image)
        known = Image.fromarray(np.where(np.arange(37) < 15, 255, 0).astype(np.uint8)[None].repeat(11, 0))
        result = np.asarray(extended(picture, known))
        assert (result[:, :15] == BLUE).all()
        assert np.abs(result.astype(int) - BLUE).max() <= 3  # nothing of the red that is not known

    def test_one_known_pixel_fills_the_picture(self) -> None:
        known = np.zeros((5, 9), np.uint8)
        known[4, 8] = 255
        image = np.zeros((5, 9, 3), np.uint8)
        image[4, 8] = (250, 100, 5)
        result = np.asarray(extended(Image.fromarray(image), Image.fromarray(known)))
        assert np.abs(result.astype(int) - (250, 100, 5)).max() <= 8  # each halving rounds

    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(
        st.tuples(st.integers(1, 17), st.integers(1, 17)).flatmap(
            lambda s: st.tuples(arrays(np.uint8, (*s, 3)), arrays(np.bool_, s))
        )
    )
    def test_any_picture(self, drawn: tuple[np.ndarray, np.ndarray]) -> None:
        image, known = drawn
        known[0, 0] = True
        result = np.asarray(
            extended(Image.fromarray(image), Image.fromarray(known.astype(np.uint8) * np.uint8(255)))
        )
        assert np.array_equal(result[known], image[known])
        low, high = image[known].min(axis=0).astype(int), image[known].max(axis=0).astype(int)
        assert (result >= low - 10).all()
        assert (result <= high + 10).all()


class TestCutout:
    def test_no_background_at_the_edge(self) -> None:
        cut = halves(mixed=True).cutout("cat", edge=5)
        assert (cut.mode, cut.size) == ("RGBA", (40, 8))
        pixels = np.asarray(cut)
        assert (pixels[:, 23:] == (*RED, 255)).all()
        assert (pixels[:, :17, 3] == 0).all()
        # In the strip the colours are much nearer to the cat's than the photo's mixture of both.
        visible = pixels[:, 17:23][pixels[:, 17:23, 3] > 0][:, :3].astype(int)
        assert np.abs(visible - RED).max() <= 30
        assert np.abs(np.add(RED, BLUE) / 2 - RED).max() > 80

    def test_on_another_background(self) -> None:
        replaced = np.asarray(halves().replace_background("cat", (0, 255, 0), edge=3))
        assert (replaced[:, :19] == (0, 255, 0)).all()
        assert (replaced[:, 21:] == RED).all()
        assert replaced[..., 2].max() <= 40  # no blue anywhere
        photo = Image.new("RGB", (400, 30), (0, 0, 0))
        photo.paste((255, 255, 0), (125, 0, 275, 30))  # the middle 150x30 has the form of the 40x8 photo
        fitted = np.asarray(halves().replace_background("cat", photo, edge=1))
        assert (fitted[:, 2:20] == (255, 255, 0)).all()  # resizing looks over the cut by a little

    @pytest.mark.parametrize("colour", [(1, 2), (0, 0, 256), (0.5, 0, 0)])
    def test_no_colour(self, colour: tuple[float, ...]) -> None:
        with pytest.raises(ConfigError, match=r"a background is a Pillow picture, or RGB in 0\.\.255, got"):
            halves().replace_background("cat", colour)

    def test_a_class_that_fills_the_picture(self) -> None:
        segmentation = Segmentation(
            np.ones((9, 9), np.uint8), CLASSES, image=np.full((9, 9, 3), 77, np.uint8)
        )
        for result in (segmentation.blur_background("cat"), segmentation.replace_background("cat", RED)):
            assert (np.asarray(result) == 77).all()
        assert segmentation.cutout("cat").getpixel((4, 4)) == (77, 77, 77, 255)

    def test_a_single_pixel(self) -> None:
        mask = np.zeros((9, 9), np.uint8)
        mask[4, 4] = 1
        image = np.where(mask[..., None] == 1, np.uint8(RED), np.uint8(BLUE))
        cut = Segmentation(mask, CLASSES, image=image).cutout("cat", edge=3)
        red, green, blue, alpha = cut.getpixel((4, 4))
        assert alpha == round(255 / 9)  # a window of 3x3 pixels
        # It was taken for a mixture, though it is none: 1/9 * 8/9 of the difference of 180 is added.
        assert np.abs(np.subtract((red, green, blue), RED)).max() <= 20


class TestBlur:
    def test_the_class_stays_and_is_not_smeared(self) -> None:
        segmentation = halves(80, 20, at=40)
        blurred = np.asarray(segmentation.blur_background("cat", radius=8, edge=3))
        assert np.array_equal(blurred[:, 42:], segmentation.image[:, 42:])
        # An ordinary blur is half red at the border; here the background has none at all.
        assert np.abs(blurred[:, :38].astype(int) - BLUE).max() <= 3

    def test_the_background_is_blurred(self) -> None:
        segmentation = halves(80, 20, at=40)
        image = segmentation.image.copy()
        image[:, :30:2] = 255
        striped = Segmentation(segmentation.labels, CLASSES, image=image)
        stays = np.asarray(striped.blur_background("cat", radius=0))
        assert np.array_equal(stays[:, :38], image[:, :38])
        soft = np.asarray(striped.blur_background("cat", radius=6))
        assert np.abs(np.diff(soft[:, 5:25].astype(int), axis=1)).max() < 12 < 60

    @pytest.mark.parametrize("radius", [-1, 1e9, float("nan")])
    def test_what_is_no_radius(self, radius: float) -> None:
        with pytest.raises(ConfigError, match="radius is a number of pixels, 0 to 40, got"):
            halves().blur_background("cat", radius=radius)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    arrays(np.uint8, (13, 17), elements=st.sampled_from([0, 1, 255])),
    st.one_of(st.none(), st.floats(1, 17)),
    st.booleans(),
)
def test_any_mask(mask: np.ndarray, edge: float | None, scored: bool) -> None:
    """Outside of the strip alpha is that of the labels, and the photo is as it was."""
    mask[6, 8] = 1
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (13, 17, 3), dtype=np.uint8)
    cat = rng.random((13, 17), np.float32)
    probabilities = np.stack((1 - cat, cat)) if scored else None
    segmentation = Segmentation(mask, CLASSES, image=image, probabilities=probabilities)
    cut = np.asarray(segmentation.cutout("cat", edge=edge))
    alpha = cut[..., 3]
    assert np.array_equal(cut[alpha == 255][:, :3], image[alpha == 255])
    replaced = np.asarray(segmentation.replace_background("cat", (1, 2, 3), edge=edge))
    assert np.array_equal(replaced[alpha == 255], image[alpha == 255])
    assert (replaced[alpha == 0] == (1, 2, 3)).all()
    if edge == 1:
        assert np.array_equal(alpha == 255, mask == 1)
