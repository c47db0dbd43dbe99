"""Rasters of every kind come in as the same rows, or are refused in one sentence."""

from __future__ import annotations

import logging
import shutil
import struct
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from drawn_raster import PLACE, noise, rasterio, write_raster
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise.data.io import read_picture
from pixelwise.data.raster import ArraySource, RasterSource
from pixelwise.errors import ConfigError, DataError

shutil_of_rasterio = pytest.importorskip("rasterio.shutil")

TILED = {"tiled": True, "blockxsize": 16, "blockysize": 32, "compress": "deflate"}
STRIPS = {"blockysize": 8, "compress": "lzw"}


def read_in_rows(source: RasterSource, step: int) -> tuple[np.ndarray, np.ndarray]:
    height = source.size[0]
    parts = [source.rows(top, min(top + step, height)) for top in range(0, height, step)]
    valid = [np.ones(rgb.shape[:2], bool) if mask is None else mask for rgb, mask in parts]
    return np.concatenate([rgb for rgb, _ in parts]), np.concatenate(valid)


@pytest.mark.parametrize(
    "profile", [TILED, STRIPS, {"bigtiff": "YES", **TILED}, {"interleave": "band", **TILED}]
)
@pytest.mark.parametrize("step", [7, 32, 100])
def test_rows_are_the_pixels_whatever_the_blocks(tmp_path, profile, step):
    pixels = noise((3, 75, 53))
    source = RasterSource(write_raster(tmp_path / "a.tif", pixels, photometric="RGB", **profile))
    assert source.size == (75, 53)
    rgb, valid = read_in_rows(source, step)
    assert np.array_equal(rgb, pixels.transpose(1, 2, 0))
    assert rgb.flags.c_contiguous
    assert valid.all()
    assert source.rows(0, 75)[1] is None
    part, _ = source.window(20, 11, 61, 40)
    assert np.array_equal(part, rgb[20:61, 11:40])


def test_pieces_are_smaller_than_what_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("pixelwise.data.raster.raster_source._PIECE_BYTES", 16 * 32 * 3)  # one tile
    pixels = noise((3, 75, 53))
    for name, profile in (("tiles", TILED), ("strips", STRIPS)):
        source = RasterSource(write_raster(tmp_path / f"{name}.tif", pixels, photometric="RGB", **profile))
        assert np.array_equal(source.window(3, 5, 70, 50)[0], pixels.transpose(1, 2, 0)[3:70, 5:50])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_window_equals_that_of_an_array(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "window.tif"
    pixels = noise((3, 70, 45))
    if not path.exists():
        write_raster(path, pixels, photometric="RGB", nodata=0, **TILED)
    top, left = data.draw(st.integers(0, 69)), data.draw(st.integers(0, 44))
    bottom, right = data.draw(st.integers(top + 1, 70)), data.draw(st.integers(left + 1, 45))
    array = ArraySource(np.ascontiguousarray(pixels.transpose(1, 2, 0)), valid=(pixels != 0).any(0))
    rgb, valid = RasterSource(path).window(top, left, bottom, right)
    wanted, wanted_valid = array.window(top, left, bottom, right)
    assert np.array_equal(rgb, wanted)
    assert (valid is None) == (wanted_valid is None)
    assert valid is None or np.array_equal(valid, wanted_valid)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "ppm", "jp2", "tif"])
def test_other_formats_are_decoded_as_pillow_does(tmp_path, ending):
    array = np.ascontiguousarray(np.kron(noise((6, 5, 3)), np.ones((8, 8, 1), np.uint8)))
    path = tmp_path / f"a.{ending}"
    options = {"jp2": {"irreversible": False}, "jpg": {"subsampling": 0}}.get(ending, {})
    Image.fromarray(array).save(path, **options)
    source = RasterSource(path)
    rgb, valid = read_in_rows(source, 17)
    assert valid.all()
    # Both decode JPEG by libjpeg, but perhaps by different versions of it.
    assert np.abs(rgb.astype(int) - read_picture(path)).max() <= (4 if ending == "jpg" else 0)
    assert (source.georeference is None) == (ending != "tif")


def test_grey_and_palette_become_rgb(tmp_path):
    grey = noise((1, 20, 30))
    rgb, _ = RasterSource(write_raster(tmp_path / "grey.tif", grey)).rows(0, 20)
    assert np.array_equal(rgb, np.repeat(grey[0][..., None], 3, 2))
    indices = grey % 3
    colours = {0: (9, 8, 7, 255), 1: (255, 0, 0, 255), 2: (1, 2, 3, 0)}
    path = write_raster(tmp_path / "p.png", indices, driver="PNG", colormap=colours)
    rgb, valid = RasterSource(path).rows(0, 20)
    table = np.array([colours[n][:3] for n in range(3)])
    assert np.array_equal(rgb, table[indices[0]])
    assert valid is not None
    assert np.array_equal(valid, indices[0] != 2)  # a colour with an alpha of 0
    opaque = write_raster(tmp_path / "p.tif", indices, photometric="palette", colormap=colours)
    rgb, valid = RasterSource(opaque).rows(0, 20)
    assert np.array_equal(rgb, table[indices[0]])
    with pytest.raises(ConfigError, match=r"palette take no value_range"):
        RasterSource(opaque, value_range=(0, 1))


def test_few_bits_are_brightness_and_zero_may_be_white(tmp_path):
    levels = noise((1, 9, 14)) % 4
    path = write_raster(tmp_path / "two.tif", levels, nbits=2)
    assert np.array_equal(RasterSource(path).rows(0, 9)[0][..., 0], levels[0] * 85)
    inverted = write_raster(tmp_path / "white.tif", levels, nbits=2, photometric="MINISWHITE")
    assert np.array_equal(RasterSource(inverted).rows(0, 9)[0][..., 0], 255 - levels[0] * 85)


def test_16_bits_keep_the_upper_8_unless_a_range_is_given(tmp_path):
    deep = noise((3, 12, 10), "uint16")
    path = write_raster(tmp_path / "deep.tif", deep, photometric="RGB")
    assert np.array_equal(RasterSource(path).rows(0, 12)[0], (deep >> 8).transpose(1, 2, 0))
    # 100 -> 0, 200 -> 127.5 -> 128 (to even), 300 -> 255; outside is clipped.
    values = np.array([[[0, 100, 150, 200, 300, 65535]]], np.uint16)
    grey = write_raster(tmp_path / "range.tif", values)
    assert RasterSource(grey, value_range=(100, 300)).rows(0, 1)[0][0, :, 1].tolist() == [
        0,
        0,
        64,
        128,
        255,
        255,
    ]
    with pytest.raises(ConfigError, match=r"two numbers, the smaller one first, got \(300, 100\)"):
        RasterSource(grey, value_range=(300, 100))


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint32", "float32", "float64"])
def test_types_without_a_known_white_need_a_range(tmp_path, dtype):
    values = np.array([[[-5, 0, 1, 2, 4, 9]]], dtype if dtype != "uint32" else "int64")
    path = write_raster(
        tmp_path / "a.tif", np.maximum(values, 0).astype(dtype) if dtype == "uint32" else values
    )
    assert RasterSource(path, value_range=(0, 4)).rows(0, 1)[0][0, :, 0].tolist() == [0, 0, 64, 128, 255, 255]
    with pytest.raises(
        DataError, match=rf"a\.tif: {dtype} values don't say what is black.*value_range=\(0, 1\)"
    ):
        RasterSource(path)


def test_complex_values_are_no_colours(tmp_path):
    path = write_raster(tmp_path / "c.tif", np.zeros((1, 2, 2), np.complex64))
    with pytest.raises(DataError, match=r"complex64 values has no colours; save it as 8-bit RGB"):
        RasterSource(path, value_range=(0, 1))


def test_nan_is_named_by_its_place_unless_it_is_nodata(tmp_path):
    values = np.linspace(0, 1, 3 * 40 * 50, dtype=np.float32).reshape(3, 40, 50)
    values[1, 33, 17] = np.nan
    path = write_raster(tmp_path / "nan.tif", values, photometric="RGB", **TILED)
    source = RasterSource(path, value_range=(0, 1))
    assert source.rows(0, 32)[0].shape == (32, 50, 3)
    with pytest.raises(
        DataError, match=r"nan stands in row 33, column 17 of band 2; set it as the file's nodata"
    ):
        source.rows(32, 40)
    values[:, 33, 17] = np.nan
    known = write_raster(tmp_path / "known.tif", values, photometric="RGB", nodata=np.nan, **TILED)
    rgb, valid = RasterSource(known, value_range=(0, 1)).rows(32, 40)
    assert valid is not None
    assert np.argwhere(~valid).tolist() == [[1, 17]]
    assert rgb[1, 17].tolist() == [0, 0, 0]
    values[:, 2, 3] = np.inf
    path = write_raster(tmp_path / "inf.tif", values, photometric="RGB", nodata=np.nan)
    with pytest.raises(DataError, match=r"inf stands in row 2, column 3 of band 1"):
        RasterSource(path, value_range=(0, 1)).rows(0, 40)


def test_a_pixel_is_nodata_where_all_chosen_bands_say_so(tmp_path):
    pixels = noise((3, 6, 8)) | 1
    pixels[0, 2, 2] = 0  # one band alone is no reason
    pixels[:, 4, 5] = 0
    _, valid = RasterSource(write_raster(tmp_path / "a.tif", pixels, photometric="RGB", nodata=0)).rows(0, 6)
    assert valid is not None
    assert np.argwhere(~valid).tolist() == [[4, 5]]


def test_mask_bands_and_alpha_say_what_is_valid(tmp_path):
    pixels, inside = noise((3, 20, 24)), noise((20, 24)) > 90
    path = write_raster(tmp_path / "m.tif", pixels, photometric="RGB", mask=inside, **TILED)
    rgb, valid = RasterSource(path).rows(3, 20)
    assert np.array_equal(valid, inside[3:])
    assert np.array_equal(rgb, pixels.transpose(1, 2, 0)[3:])
    alpha = np.where(inside, noise((20, 24), seed=8) | 1, 0).astype(np.uint8)
    four = np.concatenate([pixels, alpha[None]])
    for name, options in (("a.tif", {"photometric": "RGB", "alpha": "YES"}), ("a.png", {"driver": "PNG"})):
        rgb, valid = RasterSource(write_raster(tmp_path / name, four, **options)).rows(0, 20)
        assert np.array_equal(valid, inside)
        assert np.array_equal(rgb, pixels.transpose(1, 2, 0))
    two = np.stack([pixels[0], alpha])
    rgb, valid = RasterSource(write_raster(tmp_path / "la.png", two, driver="PNG")).rows(0, 20)
    assert np.array_equal(valid, inside)
    assert np.array_equal(rgb[..., 2], pixels[0])


def test_bands_are_found_by_their_colours_or_chosen(tmp_path):
    pixels = noise((5, 9, 11))
    named = write_raster(
        tmp_path / "n.tif", pixels, colours=("blue", "green", "red", "undefined", "undefined")
    )
    assert np.array_equal(RasterSource(named).rows(0, 9)[0], pixels[[2, 1, 0]].transpose(1, 2, 0))
    three = write_raster(tmp_path / "three.tif", pixels[:3], photometric="MINISBLACK")
    assert np.array_equal(RasterSource(three).rows(0, 9)[0], pixels[:3].transpose(1, 2, 0))
    for count in (2, 4, 5):
        path = write_raster(tmp_path / f"{count}.tif", pixels[:count], photometric="MINISBLACK")
        with pytest.raises(
            DataError, match=rf"has {count} bands \(1 gray, {count - 1} undefined\).*bands=\(1, 2, 3\)"
        ):
            RasterSource(path)
        chosen = (2, 1, 2)
        rgb, _ = RasterSource(path, bands=chosen).rows(0, 9)
        assert np.array_equal(rgb, pixels[[1, 0, 1]].transpose(1, 2, 0))
    with pytest.raises(ConfigError, match=r"three numbers in 1\.\.5, which .*5\.tif has, got \(1, 2, 6\)"):
        RasterSource(path, bands=(1, 2, 6))


def test_the_place_on_earth_is_read(tmp_path):
    pixels = noise((3, 6, 8))
    source = RasterSource(write_raster(tmp_path / "geo.tif", pixels, photometric="RGB", **PLACE))
    place = source.georeference
    assert place is not None
    assert place.crs == rasterio.CRS.from_epsg(32633)
    assert place.transform == PLACE["transform"]
    plain = RasterSource(write_raster(tmp_path / "plain.tif", pixels, photometric="RGB")).georeference
    assert plain is not None  # a TIFF that lies nowhere
    assert plain.empty


def test_a_world_file_is_a_place(tmp_path):
    Image.fromarray(noise((6, 8, 3))).save(tmp_path / "photo.jpg")
    world = tmp_path / "photo.jgw"
    world.write_text("0.5\n0\n0\n-0.5\n400000.25\n4999999.75\n")  # centre of the first pixel
    place = RasterSource(tmp_path / "photo.jpg").georeference
    assert place is not None
    assert place.transform == PLACE["transform"]
    for content, said in (("1 2 3", "holds six numbers, this one 3"), ("a b c d e f", "no world file")):
        world.write_text(content)
        with pytest.raises(DataError, match=rf"photo\.jgw: .*{said}.*mend or remove it"):
            RasterSource(tmp_path / "photo.jpg")


@pytest.mark.parametrize("kind", ["jpg", "tif", "big.tif"])
def test_turned_pictures_are_refused(tmp_path, kind):
    exif = Image.Exif()
    exif[274] = 6
    path = tmp_path / f"a.{kind}"
    options = {"big_tiff": True} if kind == "big.tif" else {}
    Image.fromarray(noise((6, 8, 3))).save(path, exif=exif, **options)
    with pytest.raises(DataError, match=r"stored turned \(orientation 6\).*save it upright"):
        RasterSource(path)


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_the_overview_comes_out_of_the_pyramid(tmp_path, monkeypatch):
    pixels = np.kron(noise((3, 10, 12)), np.ones((1, 16, 16), np.uint8))
    path = write_raster(tmp_path / "a.tif", pixels, photometric="RGB", **TILED)
    source = RasterSource(path)
    whole = source.overview(longest=48)
    assert whole.shape == (40, 48, 3)
    assert source.overview(longest=4000).shape == (160, 192, 3)
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
    read = []
    rows = RasterSource.rows
    monkeypatch.setattr(
        RasterSource, "rows", lambda self, a, b: (read.append(self.size), rows(self, a, b))[1]
    )
    small = RasterSource(path).overview(longest=48)
    assert set(read) == {(40, 48)}
    assert np.array_equal(small[2::4, 2::4], pixels[:, ::16, ::16].transpose(1, 2, 0))
    assert np.abs(whole.astype(int) - small).mean() < 30
    picture = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    assert ArraySource(picture).overview(longest=48).shape == (40, 48, 3)


def test_an_overview_does_not_hold_the_picture(tmp_path):
    path = write_raster(tmp_path / "a.tif", np.zeros((3, 6000, 1000), np.uint8), photometric="RGB", **TILED)
    source = RasterSource(path)
    tracemalloc.start()
    try:
        assert source.overview(longest=60).shape == (60, 10, 3)
        assert tracemalloc.get_traced_memory()[1] < 6 << 20  # the picture has 18 MB, a chunk of it 1.5 MB
    finally:
        tracemalloc.stop()


def test_rows_of_a_broken_block_are_named_and_others_read(tmp_path):
    pixels = noise((3, 128, 64))
    path = write_raster(tmp_path / "a.tif", pixels, photometric="RGB", **TILED)
    content = bytearray(path.read_bytes())
    with Image.open(path) as picture:
        at = picture.tag_v2[324][2 * 4]  # four tiles stand beside each other, each 32 rows high
    content[at : at + 40] = b"\xff" * 40
    path.write_bytes(content)
    source = RasterSource(path)
    assert np.array_equal(source.rows(0, 64)[0], pixels.transpose(1, 2, 0)[:64])
    with pytest.raises(DataError, match=r"a\.tif: rows 64 to 95 cannot be decoded.*damaged.*mend or replace"):
        source.rows(64, 128)
    assert np.array_equal(source.rows(96, 128)[0], pixels.transpose(1, 2, 0)[96:])


@pytest.mark.parametrize("kind", ["tif", "png", "jpg", "jp2", "bmp"])
def test_truncated_files_are_named(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    if kind == "tif":
        write_raster(path, noise((3, 300, 200)), photometric="RGB", **TILED)
    else:
        Image.fromarray(noise((300, 200, 3))).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=rf"a\.{kind}: .*(truncated|damaged|GDAL cannot read)"):
        read_in_rows(RasterSource(path), 50)


def test_nothing_is_printed_or_warned(tmp_path, capfd, caplog):
    path = write_raster(tmp_path / "a.tif", noise((3, 64, 64)), photometric="RGB", **TILED)
    path.write_bytes(path.read_bytes()[:5000])
    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "pixelwise"):
        warnings.simplefilter("error")
        with pytest.raises(DataError):
            RasterSource(path).rows(0, 64)
    assert capfd.readouterr() == ("", "")


def test_what_may_name_other_files_is_refused(tmp_path, monkeypatch):
    secret = write_raster(tmp_path / "secret.tif", noise((3, 8, 8)), photometric="RGB")
    vrt = tmp_path / "a.tif"
    shutil_of_rasterio.copy(str(secret), str(vrt), driver="VRT")
    with pytest.raises(DataError, match=r"a\.tif: .*this is none \(it is a text that describes other files"):
        RasterSource(vrt)
    for name in (f"/vsizip/{secret}", "/vsicurl/http://127.0.0.1:9/a.tif", "http://127.0.0.1:9/a.tif"):
        with pytest.raises(DataError, match="there is no such file"):
            RasterSource(Path(name))
    # Beside the picture: none of these is opened, and none changes the pixels.
    clean = RasterSource(secret).rows(0, 8)[0]
    for ending in (".aux.xml", ".ovr", ".msk"):
        shutil.copy(vrt, f"{secret}{ending}")
    source = RasterSource(secret)
    assert np.array_equal(source.rows(0, 8)[0], clean)
    assert source.rows(0, 8)[1] is None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "zip+s3:").mkdir()
    shutil.copy(secret, "zip+s3:/a.tif")
    assert RasterSource(Path("zip+s3:/a.tif")).size == (8, 8)


def test_headers_that_would_need_gigabytes_are_refused(tmp_path):
    sparse = {"sparse_ok": True, "compress": "deflate", "photometric": "MINISBLACK"}
    one = tmp_path / "tile.tif"
    wide = tmp_path / "wide.tif"
    side = {"tiled": True, "blockxsize": 20_000, "blockysize": 20_000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, size, blocks in ((one, (20_000, 20_000), side), (wide, (16, 600_000), {})):
            options = {"driver": "GTiff", "count": 1, "dtype": "uint8", "height": size[0], "width": size[1]}
            rasterio.open(path, "w", **blocks, **options, **sparse).close()
    with pytest.raises(
        DataError, match=r"blocks of 20000x20000, 381 MB each, .*gdal_translate -co TILED=YES"
    ):
        RasterSource(one)
    with pytest.raises(DataError, match=r"600000x16 pixels, but at most 524,288 are read each way; cut it"):
        RasterSource(wide)


def test_a_missing_rasterio_costs_a_sentence(tmp_path, monkeypatch):
    path = write_raster(tmp_path / "a.tif", noise((3, 8, 8)), photometric="RGB")
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    with pytest.raises(DataError, match=r"a\.tif: .*rasterio, which cannot be imported.*'pixelwise\[geo\]'"):
        RasterSource(path)


def test_what_is_no_raster_is_named(tmp_path):
    for content, said in ((b"", "this is none"), (b"hello", "this is none"), (b"II*\0garbage", "damaged")):
        path = tmp_path / "a.tif"
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            RasterSource(path)
    with pytest.raises(DataError, match="no such file"):
        RasterSource(tmp_path)
    head = struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    (tmp_path / "no-data.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    with pytest.raises(DataError, match=r"no-data\.png"):
        RasterSource(tmp_path / "no-data.png").rows(0, 10)


def test_rows_may_be_read_in_another_thread(tmp_path):
    pixels = noise((3, 75, 53))
    source = RasterSource(write_raster(tmp_path / "a.tif", pixels, photometric="RGB", **TILED))
    with ThreadPoolExecutor(1) as pool:
        rgb, _ = pool.submit(source.rows, 0, 75).result()
    source.close()
    assert np.array_equal(rgb, pixels.transpose(1, 2, 0))


def test_an_array_is_a_source_and_bad_ones_are_refused():
    picture, valid = noise((6, 8, 3)), noise((6, 8)) > 100
    source = ArraySource(picture, valid=valid)
    assert source.size == (6, 8)
    assert source.georeference is None
    assert np.shares_memory(source.rows(2, 4)[0], picture)
    assert np.array_equal(source.rows(2, 4)[1], valid[2:4])
    assert ArraySource(picture, valid=np.ones((6, 8), bool)).rows(0, 6)[1] is None
    with pytest.raises(DataError, match=r"must be \(H, W, 3\) uint8"):
        ArraySource(picture[..., 0])
    with pytest.raises(DataError, match=r"valid pixels must be"):
        ArraySource(picture, valid=valid[1:])
    for wrong in ((0, 0, 7, 1), (2, 0, 2, 1), (0, 3, 1, 9), (-1, 0, 1, 1)):
        with pytest.raises(ValueError, match="no part of a picture"):
            source.window(*wrong)
