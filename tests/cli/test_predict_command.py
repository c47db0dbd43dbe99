"""`pixelwise predict` and `evaluate` on pictures of any size: what they say, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pixelwise as pw
from pixelwise.cli import main
from pixelwise.data import open_dataset

rasterio = pytest.importorskip("rasterio")

PLACE = rasterio.transform.from_origin(500_000, 5_300_000, 0.5, 0.5)


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    return code, said.out, " ".join(said.err.split())


def _geotiff(path: Path, bands: np.ndarray, **more: object) -> Path:
    """`(bands, H, W)` with coordinates."""
    count, height, width = bands.shape
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": count,
        "dtype": bands.dtype.name,
        "crs": "EPSG:32632",
        "transform": PLACE,
        **more,
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(bands)
    return path


def _bands(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width), np.uint8)


def test_how_a_photo_is_sized_and_what_augmentation_costs(
    model: Path, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = shared_data_folder / "images"
    code, _, said = _run(
        capsys, "predict", model, photos, "--out", tmp_path / "a", "--tta", "hflip", "scales"
    )
    assert code == 0
    assert "6 passes of the network for each picture, 6.2 times the work" in said
    assert said.count("resize, because the model was trained on photos brought to 32x32") == 1
    arguments = ("--sizing", "tile", "--tile", "32", "--overlap", "0.5", "--blend", "linear")
    code, _, said = _run(capsys, "predict", model, photos, "--out", tmp_path / "b", *arguments)
    assert code == 0
    assert "tile, because that was asked for" in said
    assert "seam error" in said
    differing = [
        not np.array_equal(
            np.asarray(Image.open(path)), np.asarray(Image.open(tmp_path / "b/masks" / path.name))
        )
        for path in (tmp_path / "a" / "masks").iterdir()
    ]
    assert any(differing)


def test_a_geotiff_keeps_its_place_and_its_gaps(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bands = np.maximum(_bands(3, 150, 90), 1)
    bands[:, :40, :30] = 0
    field = _geotiff(tmp_path / "field.tif", bands, nodata=0)
    code, out, said = _run(capsys, "predict", model, field, "--out", tmp_path / "out", "--tile", 64)
    assert code == 0
    assert "field: tile, because it has coordinates" in said
    assert "seam error" in said
    assert "1 of 1 photos" in out
    with rasterio.open(tmp_path / "out" / "masks" / "field.tif") as labels:
        assert (labels.crs.to_epsg(), labels.transform, labels.nodata) == (32632, PLACE, 255)
        values = labels.read(1)
    assert (values[:40, :30] == 255).all()
    assert (values[40:] < 2).all()
    assert Image.open(tmp_path / "out" / "overlays" / "field.jpg").width >= 90
    again = pw.load(model, config=pw.PredictConfig(tile=64))
    written = again.predict_file(field, tmp_path / "again.tif")
    assert written.path.exists()
    with rasterio.open(written.path) as labels:
        assert np.array_equal(labels.read(1), values)
    code, out, _ = _run(capsys, "predict", model, field, "--out", tmp_path / "out", "--tile", 64, "--resume")
    assert "1 of 1 photos, 1 of them done before" in out


def test_bands_and_values_are_chosen(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bands = _bands(5, 60, 50)
    deep = _geotiff(tmp_path / "deep.tif", bands.astype(np.uint16) * 10)
    plain = _geotiff(tmp_path / "plain.tif", bands[[3, 1, 0]], photometric="RGB")
    arguments = ("--bands", 4, 2, 1, "--value-range", 0, 2550, "--tile", 32)
    assert _run(capsys, "predict", model, deep, "--out", tmp_path / "out", *arguments)[0] == 0
    assert _run(capsys, "predict", model, plain, "--out", tmp_path / "out", "--tile", 32)[0] == 0
    labels = [rasterio.open(tmp_path / "out" / "masks" / f"{name}.tif").read(1) for name in ("deep", "plain")]
    assert np.array_equal(*labels)


def _with_nan(path: Path) -> Path:
    bands = np.zeros((3, 40, 40), np.float32)
    bands[1, 7, 9] = np.nan
    return _geotiff(path, bands)


def _broken(path: Path) -> Path:
    _geotiff(path, _bands(3, 300, 64), tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3000] = b"\xff" * 3000
    path.write_bytes(content)
    return path


def _nan_without_coordinates(path: Path) -> Path:
    values = np.zeros((8, 8), np.float32)
    values[2, 3] = np.nan
    Image.fromarray(values).save(path)
    return path


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda path: _geotiff(path, _bands(2, 40, 40)), (), "bands"),
        (lambda path: _geotiff(path, _bands(5, 40, 40)), (), "--bands"),
        (lambda path: _geotiff(path, _bands(3, 40, 40)), ("--bands", 1, 2, 9), "9"),
        (lambda path: _geotiff(path, _bands(3, 40, 40).astype(np.float32)), (), "--value-range"),
        (_with_nan, ("--value-range", 0, 1), "nan stands in row 7, column 9 of band 2"),
        (_nan_without_coordinates, (), "nan stands in row 2, column 3"),
        (_broken, ("--tile", 64), "cannot be decoded"),
        (
            lambda path: Image.new("RGB", (5, 5)).save(path, format="PNG") or path,
            ("--tile", 16),
            "a multiple of 32",
        ),
        (lambda path: path.write_bytes(b"II*\0" + bytes(20)) and path, (), "bad.tif"),
    ],
)
def test_a_bad_picture_is_one_sentence(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], make, arguments, message: str
) -> None:
    path = make(tmp_path / "bad.tif")
    code, _, said = _run(capsys, "predict", model, path, "--out", tmp_path / "out", *arguments)
    assert code == 2
    assert message in said
    assert said.count("pixelwise:") == 1
    assert len(said) < 700
    assert not (tmp_path / "out" / "masks" / "bad.tif").exists()


def test_an_array_that_is_no_picture(model: Path) -> None:
    segmenter = pw.load(model)
    for shape in [(0, 5, 3), (5, 0, 3), (5, 5), (5, 5, 2), (5, 5, 7)]:
        with pytest.raises(pw.DataError, match=r"must be \(H, W, 3\) uint8 RGB"):
            segmenter.predict(np.zeros(shape, np.uint8))
    with pytest.raises(pw.DataError, match="float32"):
        segmenter.predict(np.full((5, 5, 3), np.nan, np.float32))  # pyright: ignore[reportArgumentType]


def test_labelme_coco_and_cutouts(
    model: Path, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--labelme", "--coco", "--cutout", "box", "--json")
    photos = shared_data_folder / "images"
    code, out, _ = _run(capsys, "predict", model, photos, "--out", tmp_path, *arguments)
    assert code == 0
    document = json.loads(out)
    assert len(document["photos"]) == 12
    first = document["photos"][0]
    assert {"photo", "mask", "overlay", "labelme", "cutout", "area", "skipped"} <= set(first)
    assert Image.open(first["cutout"]).mode == "RGBA"
    assert len(json.loads((tmp_path / "coco.json").read_text())["images"]) == 12
    assert len(open_dataset(tmp_path / "labelme").reader) == 12
    code, _, said = _run(capsys, "predict", model, photos, "--out", tmp_path / "x", "--cutout", "bos")
    assert code == 2
    assert "there is no class 'bos': did you mean 'box'?" in said


def test_refinement_is_judged_where_there_is_a_truth(
    model: Path, shared_data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--val-last", 3, "--refine", "guided")
    code, out, said = _run(capsys, "evaluate", model, shared_data_folder, *arguments)
    assert code == 0
    assert "boundary of" in out
    assert "--refine guided" in out
    assert "mIoU" in out.splitlines()[-1]
    assert "resize, because the model was trained on photos brought to 32x32" in said
    code, out, _ = _run(capsys, "evaluate", model, shared_data_folder, *arguments, "--json")
    refined = json.loads(out)
    code, out, _ = _run(
        capsys, "evaluate", model, shared_data_folder, "--val-last", 3, "--boundary", "--json"
    )
    plain = json.loads(out)
    assert refined["unrefined"]["miou"] == plain["miou"]
    assert refined["unrefined"]["boundary_f"] == plain["boundary"]["mean_f_score"]
    assert refined["confusion"] != plain["confusion"]
    photos = shared_data_folder / "images"
    assert _run(capsys, "predict", model, photos, "--out", tmp_path, "--refine", "guided")[0] == 0
    segmenter = pw.load(model, config=pw.PredictConfig(refine="guided"))
    name = min(path.name for path in photos.iterdir())
    written = np.asarray(Image.open(tmp_path / "masks" / name))
    assert np.array_equal(segmenter.predict(photos / name).labels, written)


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is for POSIX systems")
def test_many_photos_killed_and_gone_on_with(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    random = np.random.default_rng(0)
    for number in range(60):
        Image.fromarray(random.integers(0, 256, (40, 50, 3), np.uint8)).save(photos / f"{number:02d}.png")
    out = tmp_path / "out"
    words = [sys.executable, "-m", "pixelwise", "predict", str(model), str(photos), "--out", str(out)]
    child = subprocess.Popen([*words, "--batch-size", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    manifest = out / "manifest.jsonl"
    deadline = time.monotonic() + 120
    while child.poll() is None and time.monotonic() < deadline:
        if manifest.exists() and manifest.read_bytes().count(b"\n") > 5:
            child.send_signal(signal.SIGKILL)
            break
        time.sleep(0.001)
    assert child.wait() == -signal.SIGKILL
    if child.stdout:
        child.stdout.close()
    done = manifest.read_bytes().count(b"\n") - 1
    arguments = ("--out", out, "--batch-size", "1", "--resume", "--json")
    code, said, _ = _run(capsys, "predict", model, photos, *arguments)
    assert code == 0
    skipped = sum(photo["skipped"] for photo in json.loads(said)["photos"])
    assert 5 <= skipped <= done < 60
    fresh = tmp_path / "fresh"
    assert _run(capsys, "predict", model, photos, "--out", fresh, "--batch-size", "1")[0] == 0
    for path in (fresh / "masks").iterdir():
        assert (out / "masks" / path.name).read_bytes() == path.read_bytes()
    assert not [path for path in (out / "masks").iterdir() if path.name.startswith(".")] or skipped < 60
    code, _, said = _run(capsys, "predict", model, photos, "--out", out, "--resume", "--tta", "hflip")
    assert code == 2
    assert "begun with another settings" in said
