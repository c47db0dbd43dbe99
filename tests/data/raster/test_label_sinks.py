"""Label maps come out as they went in, whatever the cuts, and carry colours, classes and place."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from drawn_raster import PLACE, blobs, noise, rasterio, write_raster
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pixelwise import drawing
from pixelwise.data.raster import ArraySource, Georeference, RasterSource, open_sink, sink_ending
from pixelwise.data.raster.tiles import halve
from pixelwise.errors import ConfigError, DataError
from pixelwise.segmentation import Segmentation
from pixelwise.types import Classes

pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")  # rasterio, of our files
CLASSES = Classes(("water", "field", "road"))


def write(path: Path, labels: np.ndarray, *, step: int = 100, place=None, overviews: bool = True) -> None:
    sink = open_sink(path, labels.shape, CLASSES, identity="x", place=place, overviews=overviews)
    for top in range(0, len(labels), step):
        sink.write(labels[top : top + step])
    sink.close(complete=True)
    assert sink.notes == ()
    assert sorted(path.parent.glob(f".{path.name}*")) == []


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_png_of_any_size_and_cuts_is_what_pillow_reads(tmp_path_factory, data):
    size = data.draw(st.tuples(st.integers(1, 1300), st.integers(1, 70)))
    labels = np.random.default_rng(data.draw(st.integers(0, 9))).integers(0, 256, size, dtype=np.uint8)
    if data.draw(st.booleans()):
        labels[:, :] = labels[:1] // 100
    path = tmp_path_factory.mktemp("png") / "a.png"
    first = open_sink(path, size, CLASSES, identity="x")
    stops = sorted(data.draw(st.lists(st.integers(0, size[0]), max_size=4)))
    for stop in stops:  # each goes on where the one before ended, after rows that were not made safe
        first.write(labels[first.rows_done : max(stop, first.rows_done)])
        first.close(complete=False)
        first = open_sink(path, size, CLASSES, identity="x", resume=True)
        assert first.notes == ()
        assert first.rows_done == (stop if stop == size[0] else stop // 512 * 512)
    first.write(labels[first.rows_done :])
    first.close(complete=True)
    with Image.open(path) as picture:
        assert picture.mode == "P"
        assert np.array_equal(np.asarray(picture), labels)
    straight = path.with_name("b.png")
    write(straight, labels, step=data.draw(st.integers(1, 600)))
    assert straight.read_bytes() == path.read_bytes()


def test_a_png_is_that_of_a_segmentation(tmp_path):
    labels = blobs((700, 90), 3)
    write(tmp_path / "a.png", labels)
    Segmentation(labels, CLASSES).save(tmp_path / "b.png")
    with Image.open(tmp_path / "a.png") as ours, Image.open(tmp_path / "b.png") as theirs:
        assert ours.mode == theirs.mode
        assert np.array_equal(np.asarray(ours), np.asarray(theirs))
        assert np.array_equal(np.asarray(ours.convert("RGB")), np.asarray(theirs.convert("RGB")))
    assert (tmp_path / "a.png").stat().st_size < 1.2 * (tmp_path / "b.png").stat().st_size


@pytest.mark.parametrize("size", [(1, 1), (512, 512), (513, 511), (40, 1200), (1700, 1300)])
@pytest.mark.parametrize("overviews", [True, False])
def test_a_geotiff_is_what_rasterio_and_pillow_read(tmp_path, size, overviews):
    labels = blobs(size, 3)
    path = tmp_path / "a.tif"
    write(
        path,
        labels,
        step=333,
        place=Georeference(rasterio.CRS.from_epsg(32633), PLACE["transform"]),
        overviews=overviews,
    )
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(1), labels)
        assert (dataset.nodata, dataset.crs.to_epsg(), dataset.transform) == (255, 32633, PLACE["transform"])
        assert dataset.compression.name == "deflate"
        assert dataset.block_shapes == [(512, 512)]
        palette = np.array([dataset.colormap(1)[n] for n in range(256)])
        assert np.array_equal(palette[:, :3], drawing.palette_array(CLASSES.colours))
        told = json.loads(dataset.tags()["pixelwise"])
        assert Classes.from_json(told["classes"]) == CLASSES
        assert told["ignore"] == 255
        factors = [2**n for n in range(1, 12) if max(size) > 512 * 2 ** (n - 1)]
        assert dataset.overviews(1) == (factors if overviews else [])
    for level, factor in enumerate(factors if overviews else []):
        with rasterio.open(path, overview_level=level) as dataset:
            small = dataset.read(1)
            assert small.shape == (-(-size[0] // factor), -(-size[1] // factor))
            assert dataset.nodata == 255
        if factor <= 4:  # the squares have 8 pixels, and the strip ends anywhere
            assert np.array_equal(small, halve(labels) if factor == 2 else halve(halve(labels)))
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), labels)
        assert picture.n_frames == 1 + len(factors) * overviews


def test_halving_takes_what_most_are():
    labels = np.array(
        [[1, 1, 1, 2, 1, 2, 1, 2, 7], [2, 3, 3, 1, 2, 3, 3, 3, 7], [5, 5, 6, 6, 5, 6, 5, 6, 8]], np.uint8
    )
    # 1123 -> 1, 1231 -> 1, 1223 -> 2, 1233 -> 3, the last column twice -> 7; the last row twice -> 5, 6
    assert halve(labels)[0].tolist() == [1, 1, 2, 3, 7]
    assert halve(labels)[1].tolist()[:2] == [5, 6]
    assert halve(labels)[1].tolist()[4] == 8


def test_bigtiff_is_chosen_where_four_gigabytes_may_not_be_enough(tmp_path):
    size = (60_000, 60_000)
    sink = open_sink(tmp_path / "a.tif", size, CLASSES, identity="x")
    strip = np.tile(blobs((512, 3000), 3), (1, 20))
    sink.write(strip)
    assert sink.rows_done == 512
    sink.close(complete=False)
    part = tmp_path / ".a.tif.part"
    assert part.read_bytes()[:4] == b"II+\0"
    with rasterio.open(part, driver="GTiff") as dataset:
        assert np.array_equal(dataset.read(1, window=((0, 512), (0, 60_000))), strip)
        assert (dataset.read(1, window=((512, 1100), (0, 300))) == 255).all()
    sink = open_sink(tmp_path / "a.tif", size, CLASSES, identity="x", resume=True)
    assert sink.rows_done == 512
    sink.close(complete=False)


def test_a_large_and_a_small_big_tiff_have_the_same_pyramid(tmp_path, monkeypatch):
    from pixelwise.data.raster import geotiff_head

    profile = geotiff_head._profile
    monkeypatch.setattr(geotiff_head, "_profile", lambda *a: profile(*a) | {"bigtiff": "YES"})
    labels = blobs((1700, 1300), 3)
    write(tmp_path / "a.tif", labels)
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II+\0"
    with rasterio.open(tmp_path / "a.tif", overview_level=1) as dataset:
        assert np.array_equal(dataset.read(1), halve(halve(labels)))


def test_every_kind_of_place_is_kept(tmp_path):
    gcps = [
        rasterio.control.GroundControlPoint(row, col, 1000.0 + col, 2000.0 - row, 3.0)
        for row, col in ((0, 0), (0, 60), (40, 0), (40, 60))
    ]
    labels = blobs((41, 61), 3)
    pixels = noise((3, 41, 61))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = write_raster(tmp_path / "gcps.tif", pixels, photometric="RGB")
        with rasterio.open(path, "r+") as dataset:
            dataset.gcps = (gcps, rasterio.CRS.from_epsg(4326))
        point = write_raster(tmp_path / "point.tif", pixels, tags={"AREA_OR_POINT": "Point"}, **PLACE)
        rpcs = write_raster(tmp_path / "rpcs.tif", pixels, photometric="RGB")
        numbers = dict.fromkeys(("height", "lat", "line", "long", "samp"), 1.0)
        with rasterio.open(rpcs, "r+") as dataset:
            dataset.rpcs = rasterio.rpc.RPC(
                **{f"{name}_off": 2.0 for name in numbers},
                **{f"{name}_scale": 3.0 for name in numbers},
                **{f"{part}_{of}_coeff": [1.0] * 20 for part in ("line", "samp") for of in ("num", "den")},
            )
    for source in map(RasterSource, (path, point, rpcs)):
        target = tmp_path / f"labels-{source.path.name}"
        write(target, labels, place=source.georeference)
        kept, place = RasterSource(target).georeference, source.georeference
        assert kept is not None
        assert place is not None
        assert not place.empty
        assert (kept.crs, kept.transform, kept.point) == (place.crs, place.transform, place.point)
        assert [(p.row, p.col, p.x, p.y, p.z) for p in kept.gcps] == [
            (p.row, p.col, p.x, p.y, p.z) for p in place.gcps
        ]
        assert kept.gcps_crs == place.gcps_crs
        assert (kept.rpcs is None) == (place.rpcs is None)
        assert kept.rpcs is None or kept.rpcs.to_gdal() == place.rpcs.to_gdal()


def test_the_source_suggests_the_format(tmp_path):
    picture = noise((6, 8, 3))
    assert sink_ending(ArraySource(picture)) == ".png"
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture).save(tmp_path / "a.tif")
    assert sink_ending(RasterSource(tmp_path / "a.png")) == ".png"
    assert sink_ending(RasterSource(tmp_path / "a.tif")) == ".tif"
    (tmp_path / "a.pgw").write_text("1 0 0 -1 0 0")
    assert sink_ending(RasterSource(tmp_path / "a.png")) == ".tif"


def test_wrong_use_is_said(tmp_path):
    with pytest.raises(
        ConfigError, match=r"a\.jpg: a large label map is written as \.png or \.tif, not as \.jpg"
    ):
        open_sink(tmp_path / "a.jpg", (5, 5), CLASSES, identity="x")
    for size in ((1 << 20, 5), (5, 1 << 20), (0, 5)):
        with pytest.raises(DataError, match=r"has 1 to 524,288 pixels each way"):
            open_sink(tmp_path / "a.png", size, CLASSES, identity="x")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"a\.png: cannot be written further \(.*\), no row is whole; make room"
    ):
        open_sink(tmp_path / "file" / "a.png", (5, 5), CLASSES, identity="x", resume=True)
    sink = open_sink(tmp_path / "sub" / "a.png", (5, 5), CLASSES, identity="x")
    for wrong in (np.zeros((1, 4), np.uint8), np.zeros((1, 5), int), np.zeros((6, 5), np.uint8)):
        with pytest.raises(ValueError, match=r"labels must be|6 rows for a picture of 5"):
            sink.write(wrong)
    with pytest.raises(ValueError, match="0 of 5 rows were written"):
        sink.close(complete=True)
    sink.close(complete=False)
    sink.close(complete=False)
    with pytest.raises(ValueError, match="closed"):
        sink.write(np.zeros((1, 5), np.uint8))


def test_a_geotiff_without_rasterio_costs_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rasterio", None)
    with pytest.raises(DataError, match=r"a\.tif: .*rasterio.*'pixelwise\[geo\]'"):
        open_sink(tmp_path / "a.tif", (5, 5), CLASSES, identity="x")
    write(tmp_path / "a.png", blobs((5, 5), 3))
