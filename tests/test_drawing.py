"""Label maps as pictures, pixel by pixel."""

import io

import numpy as np
import pytest
from PIL import Image

from pixelwise.drawing import (
    IGNORE,
    IGNORE_COLOUR,
    below,
    blend,
    colourise,
    default_colours,
    legend,
    palette_array,
    palette_image,
    voc_colour,
)

RED, GREEN = (200, 0, 0), (0, 100, 0)


def test_default_colours_are_distinct_and_fixed():
    colours = default_colours(255)
    assert len(set(colours)) == 255
    assert IGNORE_COLOUR not in colours
    assert colours[:2] == ((230, 159, 0), (86, 180, 233))
    for count in (0, 1, 8, 9, 254):
        assert default_colours(count) == colours[:count]


def test_voc_palette():
    # The first entries and the last as the VOC development kit gives them.
    expected = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 8: (64, 0, 0)}
    expected |= {15: (192, 128, 128), 20: (0, 64, 128), 255: (224, 224, 192)}
    assert {index: voc_colour(index) for index in expected} == expected
    assert len({voc_colour(index) for index in range(256)}) == 256


def test_palette_png_holds_the_ids():
    labels = np.array([[0, 1, 255], [1, 7, 254]], np.uint8)
    file = io.BytesIO()
    palette_image(labels, (RED, GREEN)).save(file, format="PNG")
    with Image.open(file) as read:
        assert read.mode == "P"
        np.testing.assert_array_equal(np.asarray(read), labels)
        rgb = np.asarray(read.convert("RGB"))
    assert rgb[0].tolist() == [list(RED), list(GREEN), list(IGNORE_COLOUR)]
    assert rgb[1, 1].tolist() == [0, 0, 0]  # an id without a class
    np.testing.assert_array_equal(colourise(labels, (RED, GREEN)), rgb)


def test_palette_of_strided_labels():
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4).T
    np.testing.assert_array_equal(np.asarray(palette_image(labels, default_colours(12))), labels)


def test_palette_with_all_classes_and_with_none():
    assert palette_array(default_colours(255)).shape == (256, 3)
    assert palette_array(())[:255].sum() == 0


def test_blend_by_hand():
    image = np.full((3, 4, 3), 100, np.uint8)
    labels = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [255, 255, 255, 255]], np.uint8)
    out = blend(image, labels, (RED, GREEN), opacity=0.25)
    # 0.75 * 100 + 0.25 * (200, 0, 0) = (125, 75, 75); green: (75, 100, 75)
    assert out[0].tolist() == [[125, 75, 75], list(RED), [75, 100, 75], [75, 100, 75]]  # column 1: a border
    assert out[1].tolist() == [list(RED), list(RED), list(GREEN), list(GREEN)]  # row 1: the border to 255
    assert out[2].tolist() == [[100] * 3] * 4  # ignored pixels keep the picture
    assert image.min() == image.max() == 100


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_blend_at_both_ends(opacity):
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    labels = np.zeros((5, 6), np.uint8)
    expected = image if opacity == 0 else np.broadcast_to(np.array((255, 0, 7), np.uint8), image.shape)
    np.testing.assert_array_equal(blend(image, labels, ((255, 0, 7),), opacity=opacity), expected)


def test_blend_rounds_to_nearest():
    image = np.array([[[1, 2, 255]]], np.uint8)
    # 0.5 * 1 + 0.5 * 0 = 0.5 -> 1; 0.5 * 2 + 0.5 * 1 = 1.5 -> 2; 255 stays
    assert blend(image, np.zeros((1, 1), np.uint8), ((0, 1, 255),), opacity=0.5).tolist() == [[[1, 2, 255]]]


def entries(count):
    return [(f"class {i}", colour) for i, colour in enumerate(default_colours(count))]


def test_legend_wraps():
    one_row = legend(entries(3), width=400)
    assert one_row.size == (400, 21 + 7)  # a row of text 14 and half of that, and a gap below
    wrapped = legend(entries(12), width=200)
    assert wrapped.width == 200
    assert wrapped.height > one_row.height
    found = {colour for _, colour in wrapped.getcolors(1 << 16)}
    assert set(default_colours(12)) <= found


def test_legend_makes_room_for_a_long_name():
    strip = legend([("a very long class name indeed", RED), ("b", GREEN)], width=40)
    assert strip.width > 150
    right_edge = np.asarray(strip)[:, -2:]
    assert (right_edge == 255).all()  # nothing is cut off


def test_legend_without_entries():
    assert legend([], width=50).width == 50


def test_below_takes_the_wider_one():
    sheet = below(Image.new("RGB", (30, 10), RED), Image.new("RGB", (50, 5), GREEN))
    assert sheet.size == (50, 15)
    assert sheet.getpixel((0, 0)) == RED
    assert sheet.getpixel((40, 0)) == (255, 255, 255)
    assert sheet.getpixel((49, 14)) == GREEN


def test_ignore_is_255():
    assert IGNORE == 255
