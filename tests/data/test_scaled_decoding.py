"""JPEGs decoded fast and small: the same pixels at full size, the same picture at the network's."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.data.io import read_picture, read_picture_and_at, read_picture_at
from pixelwise.data.jpeg import decode_jpeg, jpeg_size
from pixelwise.data.resize import resize_picture
from pixelwise.errors import DataError

ORIENTATION = 0x0112


def smooth(height: int, width: int) -> np.ndarray:
    """A picture whose colours say where a pixel lies: red runs with x, green with y."""
    y, x = np.mgrid[:height, :width]
    channels = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1), np.full_like(x, 60, float)
    return np.stack(channels, -1).round().astype(np.uint8)


def jpeg(array: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "JPEG", **{"quality": 95, **options})
    return file.getvalue()


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_full_size_is_pillows_to_the_bit(
    rng: np.random.Generator, tmp_path: Path, subsampling: int, progressive: bool
) -> None:
    content = jpeg(
        rng.integers(0, 255, (61, 83, 3), np.uint8), subsampling=subsampling, progressive=progressive
    )
    fast = decode_jpeg(content, (61, 83), None)
    assert fast is not None
    assert np.array_equal(fast.pixels, np.asarray(Image.open(io.BytesIO(content))))
    (tmp_path / "a.jpg").write_bytes(content)
    assert np.array_equal(read_picture(tmp_path / "a.jpg"), fast.pixels)


def test_full_size_of_real_photos(real_data: Path) -> None:
    paths = sorted((real_data / "people" / "images").glob("*.jpg"))[::40]
    paths += sorted((real_data / "formats").glob("**/*.jpg"))
    assert len(paths) > 30
    for path in paths:
        assert np.array_equal(read_picture(path), np.asarray(Image.open(path).convert("RGB"))), path


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(1, 64), st.integers(1, 64), st.integers(1, 8))
def test_small_is_the_same_picture(
    tmp_path_factory, height: int, width: int, low: int, wide: int, orientation: int
) -> None:
    """Decoded small or whole: what lies where stays, to a few grey levels; prediction decodes as training."""
    path = tmp_path_factory.getbasetemp() / "scaled.jpg"
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path.write_bytes(jpeg(smooth(height, width), exif=exif, subsampling=0))
    whole = read_picture(path)
    small, own = read_picture_at(path, (low, wide))
    assert small.shape == (low, wide, 3)
    assert own == whole.shape[:2] == ((width, height) if orientation > 4 else (height, width))
    reference = resize_picture(whole, (low, wide)).astype(int)
    assert np.abs(small - reference).mean() < 3
    again, network = read_picture_and_at(path, (low, wide))
    assert np.array_equal(again, whole)
    assert np.array_equal(network, small)


def test_nothing_shifts_where_eighths_don_t_divide(tmp_path: Path) -> None:
    """125 pixels at 1/8 are 16 with the last one mostly outside: the extent keeps the scale right."""
    array = smooth(125, 125)
    (tmp_path / "a.jpg").write_bytes(jpeg(array, quality=100, subsampling=0))
    small, _ = read_picture_at(tmp_path / "a.jpg", (8, 8))
    expected = resize_picture(array, (8, 8)).astype(int)
    # A pixel of the small picture spans 32 grey levels; were the extent wrong, the last would be off by 6.
    assert np.abs(small - expected).max() <= 3


def test_what_is_no_plain_jpeg_is_left_to_pillow(tmp_path: Path) -> None:
    cmyk, grey = io.BytesIO(), io.BytesIO()
    Image.fromarray(smooth(40, 40)).convert("CMYK").save(cmyk, "JPEG")
    Image.fromarray(smooth(40, 40)).convert("L").save(grey, "JPEG")
    for content in (cmyk.getvalue(), grey.getvalue(), b"", b"\xff\xd8\xff", b"none"):
        assert jpeg_size(content) is None
    (tmp_path / "a.jpg").write_bytes(cmyk.getvalue())
    small, own = read_picture_at(tmp_path / "a.jpg", (10, 10))
    assert (small.shape, own) == ((10, 10, 3), (40, 40))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.data())
def test_damaged_bytes_give_a_sentence_or_a_picture(tmp_path_factory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.jpg"
    content = bytearray(jpeg(smooth(48, 56)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    for read in (read_picture, lambda p: read_picture_at(p, (12, 12))[0]):
        with suppress(DataError):  # anything else fails the test
            assert read(path).ndim == 3
