"""A picture of any size from file to file: the labels of the picture in memory, whatever stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelwise.backends.fake import FakeBackend
from pixelwise.config import PredictConfig
from pixelwise.data.raster import ArraySource, Rows, label_rows
from pixelwise.errors import ConfigError, DataError
from pixelwise.inference import Predictor
from pixelwise.inference.streamed import segment_file
from pixelwise.types import Classes, SizePolicy

pytest.importorskip("rasterio")

CLASSES = Classes(("water", "field", "town"), ((20, 30, 230), (30, 220, 40), (230, 30, 30)))
TILES = PredictConfig(tile=64, overlap=0.25)


def _picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Patches of near class colours."""
    random = np.random.default_rng(seed)
    patches = random.integers(0, 3, (height // 20 + 1, width // 30 + 1))
    labels = np.repeat(np.repeat(patches, 20, 0), 30, 1)[:height, :width]
    noise = random.integers(-20, 21, (height, width, 3))
    return np.clip(np.asarray(CLASSES.colours)[labels] + noise, 0, 255).astype(np.uint8)


def _predictor(config: PredictConfig = TILES) -> Predictor:
    return Predictor(FakeBackend(CLASSES.colours), CLASSES, SizePolicy("resize", (32, 32)), config=config)


def _whole(picture: np.ndarray) -> np.ndarray:
    return FakeBackend(CLASSES.colours).logits(picture[None])[0].argmax(0).astype(np.uint8)


def _read(path: Path) -> np.ndarray:
    if path.suffix == ".png":
        return np.asarray(Image.open(path))
    (top, first), *rest = label_rows(path)
    assert top == 0
    return np.concatenate([first, *(rows for _, rows in rest)])


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("size", [(1, 1), (1, 700), (600, 1), (530, 200), (1100, 130)])
def test_the_file_holds_the_labels_of_the_picture(tmp_path: Path, ending: str, size: tuple[int, int]) -> None:
    picture = _picture(*size)
    told: list[tuple[int, int]] = []
    written = segment_file(
        _predictor(),
        ArraySource(picture),
        tmp_path / f"map{ending}",
        identity="x",
        on_rows=lambda done, total: told.append((done, total)),
    )
    expected = _whole(picture)
    assert np.array_equal(_read(tmp_path / f"map{ending}"), expected)
    assert told[-1] == (size[0], size[0])
    assert told == sorted(told)
    shares = [written.area[name] for name in CLASSES.names]
    np.testing.assert_allclose(shares, [(expected == i).mean() for i in range(3)])
    assert written.seams is not None
    assert (written.seams.differing, written.resumed_at) == (0, 0)
    assert written.overview.image is not None
    assert written.overview.labels.shape == size
    assert np.array_equal(written.overview.labels, expected)
    assert [path.name for path in tmp_path.iterdir()] == [f"map{ending}"]


def test_a_large_map_is_looked_at_made_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pixelwise.inference.streamed.OVERVIEW", 60)
    picture = _picture(600, 300)
    written = segment_file(_predictor(), ArraySource(picture), tmp_path / "map.png", identity="x")
    assert np.array_equal(written.overview.labels, _whole(picture)[5::10, 5::10])


def test_pixels_without_data_get_no_class(tmp_path: Path) -> None:
    picture, valid = _picture(300, 200), np.ones((300, 200), np.bool_)
    valid[40:170, 20:90] = False
    valid[280:] = False
    source = ArraySource(picture, valid=valid)
    written = segment_file(_predictor(), source, tmp_path / "map.tif", identity="x")
    labels = _read(tmp_path / "map.tif")
    assert (labels[~valid] == 255).all()
    assert np.array_equal(labels[valid], _whole(picture)[valid])
    assert sum(written.area.values()) == pytest.approx(1)
    assert written.seams is not None
    assert written.seams.compared == valid.sum()


@pytest.mark.parametrize("sizing", ["native", "resize"])
def test_a_picture_that_is_not_cut(tmp_path: Path, sizing: str) -> None:
    picture, valid = _picture(90, 120), np.ones((90, 120), np.bool_)
    valid[:10] = False
    predictor = _predictor(PredictConfig(sizing=sizing))  # pyright: ignore[reportArgumentType]
    notes: list[str] = []
    written = segment_file(
        predictor,
        ArraySource(picture, valid=valid),
        tmp_path / "map.png",
        identity="x",
        on_note=notes.append,
    )
    assert written.seams is None
    assert notes == [f"{sizing}, because that was asked for"]
    labels = _read(tmp_path / "map.png")
    assert (labels[:10] == 255).all()
    assert np.array_equal(labels[10:], predictor.predict(picture).labels[10:])


def test_what_cannot_be_held_is_not_taken_in_one_piece(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("pixelwise.inference.streamed.MAX_PIXELS", 1000)
    predictor = _predictor(PredictConfig(sizing="native"))
    with pytest.raises(ConfigError, match="120x90 cannot be held for --sizing native: take --sizing tile"):
        segment_file(predictor, ArraySource(_picture(90, 120)), tmp_path / "map.png", identity="x")
    assert not list(tmp_path.iterdir())


class Broken(ArraySource):
    """Rows from 1,200 on cannot be decoded."""

    def rows(self, top: int, bottom: int) -> Rows:
        if bottom > 1200:
            raise DataError(f"photo.tif: rows {top} to {bottom} cannot be decoded")
        return super().rows(top, bottom)


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_what_is_above_a_broken_block_is_written_and_gone_on_with(tmp_path: Path, ending: str) -> None:
    picture = _picture(1400, 70)
    target = tmp_path / f"map{ending}"
    with pytest.raises(
        DataError, match=r"rows \d+ to \d+ cannot be decoded: 1024 of 1400 rows are written.*--resume goes on"
    ):
        segment_file(_predictor(), Broken(picture), target, identity="x")
    assert not target.exists()
    part = tmp_path / f".map{ending}.part"
    assert np.array_equal(_read_part(part, ending)[:1024], _whole(picture)[:1024])
    predictor = _predictor()
    written = segment_file(predictor, ArraySource(picture), target, identity="x", resume=True)
    assert written.resumed_at == 1024
    assert sum(predictor.backend.batch_sizes) < 40  # pyright: ignore[reportAttributeAccessIssue]
    assert np.array_equal(_read(target), _whole(picture))
    # The shares are those of the whole map, not of what was computed this time.
    assert written.area["field"] == pytest.approx((_whole(picture) == 1).mean())


def _read_part(path: Path, ending: str) -> np.ndarray:
    """A part, as a viewer opens it under a proper name."""
    copy = path.with_name(f"copy{ending}")
    copy.write_bytes(path.read_bytes())
    try:
        return _read(copy)
    finally:
        copy.unlink()


def test_another_job_does_not_go_on(tmp_path: Path) -> None:
    picture = _picture(1400, 70)
    with pytest.raises(DataError):
        segment_file(_predictor(), Broken(picture), tmp_path / "map.png", identity="x")
    notes: list[str] = []
    written = segment_file(
        _predictor(),
        ArraySource(picture),
        tmp_path / "map.png",
        identity="y",
        resume=True,
        on_note=notes.append,
    )
    assert written.resumed_at == 0
    assert any("begun anew" in note for note in notes)


CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_streamed import ArraySource, _picture, _predictor, segment_file
source, target = ArraySource(_picture(3000, 70)), Path({target!r})
slowly = lambda done, total: time.sleep(0.02)
segment_file(_predictor(), source, target, identity="x", resume=True, on_rows=slowly)
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is for POSIX systems")
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_killed_at_any_moment_it_goes_on_to_the_same_file(tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"map{ending}"
    code = CHILD.format(tests=str(Path(__file__).parent), target=str(target))
    kills = 0
    for rows in (512, 1536, 2560):
        child = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
        state = tmp_path / f".map{ending}.state"
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if state.exists() and f'"rows": {rows}' in state.read_text():
                child.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        assert child.wait() in (0, -signal.SIGKILL), child.stderr.read() if child.stderr else ""
        kills += child.returncode == -signal.SIGKILL
        if child.stderr:
            child.stderr.close()
    assert kills >= 2
    picture = _picture(3000, 70)
    written = segment_file(_predictor(), ArraySource(picture), target, identity="x", resume=True)
    assert written.resumed_at >= 1536
    assert np.array_equal(_read(target), _whole(picture))
    undisturbed = tmp_path / f"undisturbed{ending}"
    segment_file(_predictor(), ArraySource(picture), undisturbed, identity="x")
    assert target.read_bytes() == undisturbed.read_bytes()
