"""Colours by the standards' formulas, and display matrices by hand."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from pixelwise.video.picture import picture, sideways, turned

TOLERANCE = 2
"""Of 255: FFmpeg's scaler rounds its tables."""

WEIGHTS = {"601": (0.299, 0.114), "709": (0.2126, 0.0722)}  # of red and blue in luma
ONE = 1 << 16


def _rgb(y: float, u: float, v: float, matrix: str, *, full: bool) -> list[float]:
    """ITU-R BT.601 and BT.709, section 3: luma in 16..235 and chroma in 16..240, or both in 0..255."""
    red, blue = WEIGHTS[matrix]
    luma = y / 255 if full else (y - 16) / 219
    u, v = ((u - 128) / (255 if full else 224), (v - 128) / (255 if full else 224))
    r, b = luma + 2 * (1 - red) * v, luma + 2 * (1 - blue) * u
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return [255 * r, 255 * g, 255 * b]


@pytest.mark.parametrize("size", [(480, 640), (720, 1280), (48, 64), (47, 63)])
@pytest.mark.parametrize(
    ("colorspace", "matrix"), [(1, "709"), (5, "601"), (6, "601"), (2, "unsaid")], ids=str
)
@pytest.mark.parametrize("said_range", [0, 1, 2])
@pytest.mark.parametrize("yuv", [(120, 90, 160), (60, 150, 110), (200, 128, 128)])
def test_colours(
    size: tuple[int, int], colorspace: int, matrix: str, said_range: int, yuv: tuple[int, int, int]
) -> None:
    if matrix == "unsaid":
        matrix = "709" if size[0] > 576 else "601"
    frame = av.VideoFrame(size[1], size[0], "yuv420p")
    for plane, value in zip(frame.planes, yuv, strict=True):
        np.asarray(memoryview(plane))[...] = value
    frame.colorspace, frame.color_range = colorspace, said_range
    found = picture(frame, VideoReformatter())
    assert found.shape == (*size, 3)
    expected = _rgb(*yuv, matrix, full=said_range == 2)
    np.testing.assert_allclose(found[size[0] // 2, size[1] // 2], expected, atol=TOLERANCE)


def test_frames_that_are_rgb_already_keep_their_colours() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(colours, "rgb24").reformat(format="gbrp")
    np.testing.assert_array_equal(picture(frame, VideoReformatter()), colours)


LETTERS = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (None, [[1, 2, 3], [4, 5, 6]]),
        ((ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), [[1, 2, 3], [4, 5, 6]]),
        # a quarter turn clockwise, as phones held upright record: (x, y) -> (-y, x)
        ((0, ONE, 0, -ONE, 0, 0, 0, 0, 1 << 30), [[4, 1], [5, 2], [6, 3]]),
        # a quarter turn counterclockwise: (x, y) -> (y, -x)
        ((0, -ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), [[3, 6], [2, 5], [1, 4]]),
        ((-ONE, 0, 0, 0, -ONE, 0, 0, 0, 1 << 30), [[6, 5, 4], [3, 2, 1]]),  # upside down
        ((-ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30), [[3, 2, 1], [6, 5, 4]]),  # a mirror, as front cameras
        ((0, ONE, 0, ONE, 0, 0, 0, 0, 1 << 30), [[1, 4], [2, 5], [3, 6]]),  # (x, y) -> (y, x)
    ],
)
def test_display_matrices(matrix: tuple[int, ...] | None, expected: list[list[int]]) -> None:
    array = np.repeat(LETTERS[:, :, None], 3, axis=2)
    result = turned(array, matrix)
    assert result[:, :, 0].tolist() == expected
    assert result.flags["C_CONTIGUOUS"]
    assert sideways(matrix) == (len(expected) == 3)
