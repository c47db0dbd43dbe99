"""Sheets: what stands where, and that any size of picture fits."""

import numpy as np
import pytest

from pixelwise.drawing import IGNORE_COLOUR
from pixelwise.errors import DataError
from pixelwise.report.sheet import SheetRow, errors_picture, sheet
from pixelwise.types import Classes, Sample

CLASSES = Classes(("pet", "ground"), ((200, 0, 0), (0, 200, 0)))


def row(height=64, width=64, *, name="cat", truth=0, label=1, miou=0.25):
    image = np.full((height, width, 3), 100, np.uint8)
    mask = np.full((height, width), truth, np.uint8)
    return SheetRow(sample=Sample(name, image, mask), labels=np.full_like(mask, label), miou=miou)


def colours(picture):
    return {colour for _, colour in picture.getcolors(1 << 24)}


def test_errors_picture():
    image = np.full((1, 4, 3), 100, np.uint8)
    truth = np.array([[0, 0, 1, 255]], np.uint8)
    labels = np.array([[0, 1, 1, 0]], np.uint8)
    # Right: grey 110 + 100 / 2 = 160 (159 if the grey is 99.99); wrong: red; truth 255: the ignore colour.
    out = errors_picture(image, truth, labels)
    assert out[0, 0].tolist() in ([159] * 3, [160] * 3)
    assert out[0, 1].tolist() == [220, 38, 38]
    assert out[0, 2].tolist() == out[0, 0].tolist()
    assert tuple(out[0, 3]) == IGNORE_COLOUR


def test_the_four_panels():
    page = sheet([row()], CLASSES, panel=64)
    assert page.width == 4 * (64 + 8) + 8
    middle = 36 + 28 + 32  # headings, caption, half a panel
    # 60% of the class colour over 40% of the picture's 100
    picture, truth, prediction, errors = (page.getpixel((8 + i * 72 + 32, middle)) for i in range(4))
    assert picture == (100, 100, 100)
    assert truth == (160, 40, 40)
    assert prediction == (40, 160, 40)
    assert errors == (220, 38, 38)


def test_the_legend_names_what_occurs():
    assert (0, 200, 0) not in colours(sheet([row(label=0)], CLASSES))
    assert (0, 200, 0) in colours(sheet([row(label=0), row()], CLASSES))
    assert IGNORE_COLOUR in colours(sheet([row(truth=255, miou=None)], CLASSES))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 900), (900, 1), (61, 83), (700, 400)])
def test_any_size(height, width):
    page = sheet([row(height, width, name="a/very/long/name" * 20), row()], CLASSES, panel=100)
    assert page.width == 440
    assert page.height < 500


def test_rows_keep_their_order():
    one, two = row(truth=0, label=0), row(truth=1, label=1)
    assert sheet([one, two], CLASSES).tobytes() != sheet([two, one], CLASSES).tobytes()


def test_what_does_not_fit_is_refused():
    sample = row().sample
    with pytest.raises(DataError, match="cat: the picture is 64x64 but its prediction 32x64"):
        SheetRow(sample=sample, labels=np.zeros((64, 32), np.uint8), miou=None)
    with pytest.raises(ValueError, match="one row"):
        sheet([], CLASSES)
