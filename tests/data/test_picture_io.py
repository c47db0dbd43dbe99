"""Every way in which a picture or mask may be saved comes out as the same plain arrays."""

from __future__ import annotations

import io
import shutil
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from conftest import ORIENTATION
from pixelwise.data.codec import UnreadableError
from pixelwise.data.io import picture_size, read_header, read_mask_values, read_picture
from pixelwise.errors import DataError


@pytest.fixture
def colours(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def grey_png(rows: list[bytes], width: int, *, depth: int) -> bytes:
    """A grey PNG of 1 to 16 bits, which Pillow cannot write in every depth."""
    head = struct.pack(">IIBBBBB", width, len(rows), depth, 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        png_chunk(kind, data) for kind, data in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    )


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp", "ppm", "gif", "jp2"])
def test_rgb_comes_out_as_it_was_saved(save, ending, rng):
    array = np.repeat(np.repeat(rng.integers(0, 2, (4, 4, 3), dtype=np.uint8) * 255, 8, 0), 8, 1)
    options = {"webp": {"lossless": True}, "jp2": {"irreversible": False}}.get(ending, {})
    path = save(f"a.{ending}", array, **options)
    assert np.array_equal(read_picture(path), array)
    assert picture_size(path) == (32, 32)


def test_modes_become_rgb(save, colours):
    grey = colours[..., 0]
    assert np.array_equal(read_picture(save("grey.png", grey)), np.repeat(grey[..., None], 3, 2))
    bits = colours[..., 0] > 127
    assert np.array_equal(
        read_picture(save("bits.png", bits)), np.repeat(bits[..., None], 3, 2) * np.uint8(255)
    )
    deep = colours[..., 0].astype(np.uint16) * 256 + colours[..., 1]
    assert np.array_equal(read_picture(save("deep.png", deep))[..., 1], grey)
    assert np.array_equal(read_picture(save("deep.tif", deep))[..., 1], grey)
    assert np.array_equal(read_picture(save("long.tif", deep.astype(np.int32)))[..., 2], grey)
    alpha = np.dstack([colours, colours[..., 0]])
    assert np.array_equal(read_picture(save("alpha.png", alpha)), colours)
    both = np.dstack([grey, colours[..., 1]])
    path = save("la.png", both)
    assert np.array_equal(read_picture(path)[..., 0], grey)
    assert np.array_equal(read_mask_values(path), grey)


def test_palette_picture_gives_colours_and_palette_mask_gives_indices(tmp_path, colours):
    indices = np.arange(35, dtype=np.uint8).reshape(5, 7) % 4
    picture = Image.fromarray(indices)
    table = np.array([[9, 8, 7], [255, 0, 0], [0, 255, 0], [1, 2, 3]], np.uint8)
    picture.putpalette(table.tobytes())
    picture.save(tmp_path / "p.png")
    picture.save(tmp_path / "clear.png", transparency=1)
    for name in ("p.png", "clear.png"):
        assert np.array_equal(read_picture(tmp_path / name), table[indices])
        assert np.array_equal(read_mask_values(tmp_path / name), indices)


def test_floats_are_shares_or_values(save):
    shares = np.array([[0, 0.5], [1, 0.25]], np.float32)
    assert read_picture(save("shares.tif", shares))[..., 0].tolist() == [[0, 128], [255, 64]]
    assert read_picture(save("values.tif", shares * 200))[..., 0].tolist() == [[0, 100], [200, 50]]
    with pytest.raises(
        DataError, match=r"floating-point grey must lie in 0..1 or 0..255.*save it as an 8-bit"
    ):
        read_picture(save("far.tif", shares * 1000))
    with pytest.raises(DataError, match="nan stands in row 0, column 1; fill such pixels"):
        read_picture(save("nan.tif", np.where(shares == 0.5, np.float32(np.nan), shares)))
    with pytest.raises(DataError, match=r"mask holds class ids or colours.*mode F.*save it as"):
        read_mask_values(save("mask.tif", shares))


def test_cmyk_jpeg_is_a_picture_and_no_mask(save, colours):
    path = save("c.jpg", np.full((16, 16, 3), (200, 30, 60), np.uint8), mode="CMYK", quality=95)
    assert read_header(path).mode == "CMYK"
    assert np.abs(read_picture(path).astype(int) - (200, 30, 60)).max() < 12
    with pytest.raises(DataError, match="mode CMYK"):
        read_mask_values(path)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_content_decides_and_not_the_ending(tmp_path, kind):
    array = np.full((6, 9, 3), 255, np.uint8)
    Image.fromarray(array).save(tmp_path / "pet.jpg", format=kind)
    assert read_header(tmp_path / "pet.jpg").format == kind
    assert np.array_equal(read_picture(tmp_path / "pet.jpg"), array)


def test_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (4, 3), c) for c in ("red", "blue")]
    for name in ("a.gif", "a.png", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert read_picture(tmp_path / name)[0, 0].tolist() == [255, 0, 0]


def test_masks_of_few_bits_keep_their_levels(tmp_path):
    # 2 bits: 0 1 2 3 | 3 2 1 0; Pillow would hand out 0 85 170 255.
    (tmp_path / "two.png").write_bytes(grey_png([b"\x1b", b"\xe4"], 4, depth=2))
    assert read_mask_values(tmp_path / "two.png").tolist() == [[0, 1, 2, 3], [3, 2, 1, 0]]
    (tmp_path / "four.png").write_bytes(grey_png([b"\x0f", b"\x7a"], 2, depth=4))
    assert read_mask_values(tmp_path / "four.png").tolist() == [[0, 15], [7, 10]]
    (tmp_path / "one.png").write_bytes(grey_png([b"\xa0"], 4, depth=1))
    assert read_mask_values(tmp_path / "one.png").tolist() == [[1, 0, 1, 0]]
    (tmp_path / "eleven.pgm").write_bytes(b"P5 12 1 11\n" + bytes(range(12)))
    assert read_mask_values(tmp_path / "eleven.pgm").tolist() == [list(range(12))]


def test_masks_of_16_and_32_bits(save):
    values = np.array([[0, 1, 300], [65535, 33, 7]], np.uint16)
    for name in ("a.png", "a.tif"):
        got = read_mask_values(save(name, values))
        assert got.dtype == np.uint16
        assert np.array_equal(got, values)
    assert np.array_equal(read_mask_values(save("i.tif", values.astype(np.int32))), values)
    for wrong in (70000, -1):
        with pytest.raises(
            DataError, match=r"w.tif: grey values reach.*0 to 65535.*save it with 8 or 16 bits"
        ):
            read_mask_values(save("w.tif", np.full((2, 2), wrong, np.int32)))


def test_colour_masks_keep_three_channels(save, colours):
    assert np.array_equal(read_mask_values(save("rgb.png", colours)), colours)
    alpha = np.dstack([colours, colours[..., 0]])
    assert np.array_equal(read_mask_values(save("rgba.png", alpha)), colours)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
def test_orientation_is_honoured(save, orientation, ending):
    array = np.zeros((8, 24, 3), np.uint8)
    array[:4, :6] = 255  # one bright corner tells all eight turns apart
    array[4:, :6] = 120
    options = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}.get(ending, {})
    path = save(f"a.{ending}", array, orientation=orientation, **options)
    with Image.open(path) as opened:
        opened.load()  # turns a TIFF upright by itself; exif_transpose alone would turn it twice
        upright = np.asarray(ImageOps.exif_transpose(opened).convert("RGB"))
    assert upright.shape[:2] == ((24, 8) if orientation >= 5 else (8, 24))
    got = read_picture(path)
    assert got.flags.c_contiguous
    assert np.array_equal(got, upright)
    assert picture_size(path) == upright.shape[:2]
    assert read_header(path).sideways == (orientation >= 5)
    grey = save(f"m.{ending}", array[..., 0], orientation=orientation, **options)
    mask = read_mask_values(grey)
    assert mask.shape[:2] == upright.shape[:2]


def _turned_behind_the_pixels(path: Path) -> None:
    """Moves the EXIF data of a PNG from in front of its pixels to behind them."""
    content, chunks, at = path.read_bytes(), [], 8
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big") + 12
        chunks.append(content[at : at + size])
        at += size
    (tag,) = (chunk for chunk in chunks if chunk[4:8] == b"eXIf")
    others = [chunk for chunk in chunks if chunk is not tag]
    path.write_bytes(content[:8] + b"".join([*others[:-1], tag, others[-1]]))


def test_a_png_may_say_behind_its_pixels_how_it_is_turned(save):
    path = save("a.png", np.zeros((8, 24, 3), np.uint8), orientation=6)
    _turned_behind_the_pixels(path)
    assert picture_size(path) == read_picture(path).shape[:2] == (24, 8)
    assert read_header(path).orientation == 6


def test_the_header_of_a_png_is_read_without_its_pixels(save, monkeypatch):
    plain = save("plain.png", np.zeros((8, 24, 3), np.uint8))
    turned = save("turned.png", np.zeros((8, 24, 3), np.uint8), orientation=6)
    frames = [Image.new("RGB", (6, 4), (i, 0, 0)) for i in range(3)]
    frames[0].save(plain.with_name("moves.png"), save_all=True, append_images=frames[1:])
    assert picture_size(plain.with_name("moves.png")) == (4, 6)
    cut = plain.with_name("cut.png")
    cut.write_bytes(plain.read_bytes()[:-20])
    assert picture_size(cut) == (8, 24)  # its pixels are for those to complain of who need them

    def load(self: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    assert (picture_size(plain), picture_size(turned)) == ((8, 24), (24, 8))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_nonsense_in_the_orientation_tag_is_no_orientation(save):
    array = np.zeros((4, 6, 3), np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = 99
    assert picture_size(save("a.jpg", array, exif=exif)) == (4, 6)
    assert picture_size(save("b.jpg", array, exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")) == (4, 6)


@pytest.mark.parametrize("ending", ["jpg", "png", "gif", "bmp", "tif", "webp", "ppm"])
def test_truncated_files_are_named(save, ending, rng):
    path = save(f"half.{ending}", rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    for read in (read_picture, read_mask_values):
        with pytest.raises(
            UnreadableError, match=rf"half\.{ending}: .*(truncated|damaged).*replace or remove"
        ):
            read(path)


def test_what_is_no_picture_is_named(tmp_path):
    for content, said in (
        (b"", "the file is empty; replace or remove it"),
        (b"hello, this is text", "this is no picture that can be read; save it as JPEG or PNG"),
        (b"<!DOCTYPE html><html>404", "looks like a web page or an SVG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "looks like HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "looks like HEIC"),
        (b"%PDF-1.7 ....", "it is a PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
    ):
        path = tmp_path / "file.jpg"
        path.write_bytes(content)
        with pytest.raises(UnreadableError, match=said) as caught:
            read_picture(path)
        assert str(path) in str(caught.value)
    with pytest.raises(DataError, match=r"gone\.png: there is no such file; check the path"):
        read_picture(tmp_path / "gone.png")
    with pytest.raises(DataError, match="but this is a folder"):
        read_picture(tmp_path)


def test_bomb_is_refused_before_it_is_decoded(tmp_path):
    # 60,000 x 60,000 zeros in a few bytes of header: decoding would take 3.6 GB.
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    (tmp_path / "bomb.png").write_bytes(data)
    with pytest.raises(
        DataError, match=r"bomb\.png: 60000x60000 pixels are more than the limit of 268,435,456"
    ):
        read_picture(tmp_path / "bomb.png")


def test_limit_is_the_callers_and_large_photos_cost_no_warning(save):
    path = save("large.png", np.zeros((9500, 9500), np.bool_))  # 90 megapixels: Pillow's own limit warns
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_mask_values(path).shape == (9500, 9500)
    with pytest.raises(DataError, match="limit of 1,000"):
        read_picture(path, max_pixels=1000)


def test_decoding_needs_no_seekable_name(save, tmp_path):
    strange = tmp_path / "with space, ümlaut & 'quotes'.png"
    shutil.copy(save("a.png", np.zeros((2, 3, 3), np.uint8)), strange)
    assert read_picture(strange).shape == (2, 3, 3)


def test_unreadable_permissions_are_said(save, monkeypatch):
    path = save("a.png", np.zeros((2, 3, 3), np.uint8))

    def refuse(self: Path, mode: str) -> io.BytesIO:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.png: cannot be read .*check its permissions"):
        read_picture(path)
