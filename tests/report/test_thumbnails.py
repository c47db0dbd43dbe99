"""Thumbnails: two panels of one height, small, and what a mask says is seen."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.drawing import IGNORE_COLOUR, default_colours
from pixelwise.report.thumbnails import picture_thumbnail, raw_thumbnail, thumbnail
from pixelwise.types import Classes

CLASSES = Classes(("pet", "ground"), ((200, 0, 0), (0, 200, 0)))
GREY = 100


def opened(content):
    assert content.startswith(b"\xff\xd8\xff")
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def near(pixel, colour, within=8):
    return np.abs(np.asarray(pixel) - colour).max() <= within


def grey(height, width):
    return np.full((height, width, 3), GREY, np.uint8)


def test_picture_beside_its_overlay():
    # 480x320: the scale is 178 / 480, so that each panel is 178 x 119
    mask = np.zeros((320, 480), np.uint8)
    mask[:, 240:] = 1
    panels = opened(thumbnail(grey(320, 480), mask, CLASSES))
    assert panels.shape == (119, 2 * 178 + 4, 3)
    assert near(panels[60, 89], (GREY, GREY, GREY))
    # 45% of the class over 55% of 100
    assert near(panels[60, 182 + 40], (145, 55, 55))
    assert near(panels[60, 182 + 140], (55, 145, 55))


def test_ignored_pixels_are_striped_over_the_picture():
    panel = opened(thumbnail(grey(160, 160), np.full((160, 160), 255, np.uint8), CLASSES))[:, 164:]
    # two of six pixels along a row are stripe, the others the picture
    assert near(panel[::7, ::11].reshape(-1, 3).mean(axis=0), np.array(IGNORE_COLOUR) / 3 + GREY * 2 / 3, 12)


def test_the_picture_alone():
    assert opened(picture_thumbnail(grey(320, 480))).shape == (119, 178, 3)


def test_a_thin_class_leaves_a_trace():
    mask = np.zeros((640, 960), np.uint8)
    mask[:, 480:484] = 1  # 4 of 960 are less than one of 178
    panel = opened(thumbnail(grey(640, 960), mask, CLASSES))[:, 182:]
    middle, side = panel[60, 86:93, 1].max(), panel[60, 20, 1]
    assert middle > side + 30


def test_ids_without_a_class_are_black():
    panel = opened(thumbnail(grey(160, 160), np.full((160, 160), 7, np.uint8), CLASSES))[:, 164:]
    assert near(panel[80, 80], (55, 55, 55))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.sampled_from(["none", "labels", "raw", "raw16", "colours"]),
)
def test_any_size_fits(height, width, kind):
    image, mask = grey(height, width), np.full((height, width), 1, np.uint8)
    content = {
        "none": lambda: picture_thumbnail(image),
        "labels": lambda: thumbnail(image, mask, CLASSES),
        "raw": lambda: raw_thumbnail(mask, image=grey(width, height)),
        "raw16": lambda: raw_thumbnail(mask.astype(np.uint16) * 40_000),
        "colours": lambda: raw_thumbnail(image, image=image),
    }[kind]()
    shape = opened(content).shape
    assert 1 <= shape[0] <= 160
    assert 1 <= shape[1] <= 360


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_few_raw_values_have_a_colour_each(kind):
    raw = np.zeros((160, 160), kind)
    raw[:, 80:] = 3
    raw[80:, :] = 200
    out = opened(raw_thumbnail(raw))
    colours = default_colours(3)  # by the order of the values
    assert near(out[40, 40], colours[0])
    assert near(out[40, 120], colours[1])
    assert near(out[120, 40], colours[2])


def test_a_stray_value_is_not_lost():
    raw = np.ones((1600, 1600), np.uint8)
    raw[801, 803] = 200
    out = opened(raw_thumbnail(raw))
    plain, stray = (np.array(colour) for colour in default_colours(2))
    changed = np.abs(out - plain).max(axis=2) > 60
    assert np.argwhere(changed).mean(axis=0).round().tolist() == [80, 80]
    assert np.abs(out[80, 80] - stray).max() < np.abs(plain - stray).max() / 2


def test_many_raw_values_are_shades_in_their_order():
    raw = np.repeat(np.arange(0, 160, dtype=np.uint16)[None] * 100, 160, axis=0)
    out = opened(raw_thumbnail(raw))[80, :, 0]
    assert out[0] < 10
    assert out[-1] > 245
    assert (np.diff(out) >= -4).all()


def test_dark_colour_masks_are_brightened():
    raw = np.zeros((160, 160, 3), np.uint8)
    raw[:, 80:] = (2, 0, 1)  # ids in a colour picture
    out = opened(raw_thumbnail(raw))
    assert near(out[80, 40], (0, 0, 0))
    assert near(out[80, 120], (255, 0, 127))
    bright = np.full((160, 160, 3), (128, 64, 128), np.uint8)
    assert near(opened(raw_thumbnail(bright))[80, 80], (128, 64, 128))


def test_panels_of_two_sizes_have_one_height():
    out = opened(raw_thumbnail(np.zeros((100, 400), np.uint8), image=grey(400, 400)))
    # the mask is 178 wide and 44 high; the picture, 160 high by itself, comes down to that
    assert out.shape == (44, 44 + 4 + 178, 3)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="but its mask"):
        thumbnail(grey(20, 20), np.zeros((10, 10), np.uint8), CLASSES)


def test_arguments_are_left_alone():
    image, mask = grey(50, 60), np.full((50, 60), 255, np.uint8)
    image.setflags(write=False)
    mask.setflags(write=False)
    thumbnail(image, mask, CLASSES)
    raw_thumbnail(mask, image=image)
