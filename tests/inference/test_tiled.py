"""Tiles put together again: a pointwise network answers the same as for the whole picture, at any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelwise.backends.fake import FakeBackend
from pixelwise.config import PredictConfig
from pixelwise.data.raster import ArraySource, Rows
from pixelwise.inference import Predictor
from pixelwise.inference.blending import Piece, blend, whole_scores
from pixelwise.inference.coarse import CoarseLogits
from pixelwise.inference.seams import measure_seams, seam_windows
from pixelwise.inference.tiling import Grid
from pixelwise.types import Classes, SizePolicy

COLOURS = ((250, 10, 10), (10, 250, 10), (10, 10, 250))
CLASSES = Classes(("red", "green", "blue"), COLOURS)


def _picture(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)


def _predictor(config: PredictConfig, **more: int) -> Predictor:
    return Predictor(FakeBackend(COLOURS), CLASSES, SizePolicy("native", (64, 64)), config=config, **more)


@given(
    height=st.integers(1, 200),
    width=st.integers(1, 200),
    tile=st.sampled_from([32, 64, 96]),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
    blending=st.sampled_from(["gaussian", "linear", "flat"]),
    at_once=st.integers(1, 3),
)
@settings(deadline=None, max_examples=40)
def test_a_pointwise_network_tiled_is_the_network_untiled(
    height: int, width: int, tile: int, overlap: float, blending: str, at_once: int
) -> None:
    config = PredictConfig(sizing="tile", tile=tile, overlap=overlap, blend=blending)  # pyright: ignore
    picture = _picture((height, width))
    tiled = _predictor(config, at_once=at_once).predict(picture, probabilities=True)
    whole = _predictor(PredictConfig(sizing="native")).predict(picture, probabilities=True)
    assert tiled.probabilities is not None
    assert whole.probabilities is not None
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=2e-6)
    clear = np.sort(whole.probabilities, axis=0)[-2:]
    clear = clear[1] - clear[0] > 1e-5
    assert np.array_equal(tiled.labels[clear], whole.labels[clear])


def test_labels_and_confidence_are_those_of_the_blended_probabilities() -> None:
    predictor = _predictor(PredictConfig(sizing="tile", tile=32, overlap=0.5))
    with_all = predictor.predict(_picture((75, 130)), probabilities=True)
    streamed = predictor.predict(_picture((75, 130)))
    assert with_all.probabilities is not None
    assert streamed.probabilities is None
    assert np.array_equal(streamed.labels, with_all.probabilities.argmax(0))
    assert streamed.confidence is not None
    assert np.array_equal(streamed.confidence, with_all.probabilities.max(0))


def _blended_slowly(grid: Grid, tiles: list[np.ndarray | None], num_classes: int) -> np.ndarray:
    """The sum over all tiles, in one array of the picture's size."""
    total = np.zeros((num_classes, grid.rows.length, grid.columns.length))
    for (row, column), scores in zip(grid.places(), tiles, strict=True):
        if scores is not None:
            rows = slice(grid.rows.starts[row], grid.rows.ends[row])
            columns = slice(grid.columns.starts[column], grid.columns.ends[column])
            total[:, rows, columns] += scores * grid.weight(row, column)
    return total


def _random_tiles(grid: Grid, num_classes: int, seed: int) -> list[np.ndarray | None]:
    random = np.random.default_rng(seed)
    return [
        None
        if random.random() < 0.1
        else random.random((num_classes, *grid.weight(row, column).shape), np.float32)
        for row, column in grid.places()
    ]


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=40)
def test_parts_are_the_sum_over_all_tiles_and_cover_the_picture_once(
    height: int, width: int, overlap: float, seed: int
) -> None:
    grid = Grid.over((height, width), PredictConfig(tile=64, overlap=overlap))
    tiles = _random_tiles(grid, 2, seed)
    covered = np.zeros((height, width), np.int64)
    result = np.zeros((2, height, width), np.float32)
    tops: list[int] = []
    for piece in blend(grid, tiles, 2):
        covered[piece.within] += 1
        result[(slice(None), *piece.within)] = piece.scores
        tops.append(piece.top)
    assert (covered == 1).all()
    assert tops == sorted(tops)
    np.testing.assert_allclose(result, _blended_slowly(grid, tiles, 2), atol=1e-6)


def test_what_lies_in_a_file_is_what_lies_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid.over((200, 300), PredictConfig(tile=64, overlap=0.5))
    tiles = _random_tiles(grid, 3, seed=1)
    in_memory = whole_scores(blend(grid, tiles, 3), (3, 200, 300))
    monkeypatch.setattr("pixelwise.inference.blending.CARRY_BYTES", 1000)
    assert np.array_equal(whole_scores(blend(grid, tiles, 3), (3, 200, 300)), in_memory)


@pytest.mark.parametrize("from_row", [0, 1, 31, 32, 100, 150, 199])
def test_begun_in_the_middle_the_rest_is_the_same_to_the_bit(from_row: int) -> None:
    predictor = _predictor(PredictConfig(tile=64, overlap=0.5))
    source = ArraySource(_picture((200, 90)))
    whole = whole_scores(predictor.pieces(source), (3, 200, 90))
    rest = np.full_like(whole, np.nan)
    for piece in predictor.pieces(source, from_row=from_row):
        rest[(slice(None), *piece.within)] = piece.scores
    assert np.array_equal(rest[:, from_row:], whole[:, from_row:])


class Remembers(ArraySource):
    """A picture in memory that remembers which rows were asked for."""

    def __init__(self, picture: np.ndarray, *, valid: np.ndarray) -> None:
        super().__init__(picture, valid=valid)
        self.reads: list[tuple[int, int]] = []

    def rows(self, top: int, bottom: int) -> Rows:
        self.reads.append((top, bottom))
        return super().rows(top, bottom)


def test_tiles_without_data_are_not_computed_and_rows_are_read_once() -> None:
    picture, valid = _picture((160, 160)), np.ones((160, 160), np.bool_)
    valid[:70, :70] = False
    predictor = _predictor(PredictConfig(tile=64, overlap=0.0))  # tiles at 0, 64 and 96
    source = Remembers(picture, valid=valid)
    result = whole_scores(predictor.pieces(source), (3, 160, 160))
    assert sum(predictor.backend.batch_sizes) == 8  # pyright: ignore[reportAttributeAccessIssue]
    assert (result[:, :64, :64] == 0).all()
    logits = FakeBackend(COLOURS).logits(picture[None])[0]
    whole = CoarseLogits(logits, 1, picture.shape[:2]).probabilities()
    np.testing.assert_allclose(result[:, valid], whole[:, valid], atol=2e-6)
    assert source.reads == [(0, 64), (64, 128), (128, 160)]


def test_many_pictures_and_tiles_keep_their_order() -> None:
    predictor = _predictor(PredictConfig(sizing="tile", tile=32), batch_size=2, at_once=2)
    sizes = [(40, 50), (40, 50), (10, 10), (100, 33)]
    found = list(predictor.predict_many([_picture(size, i) for i, size in enumerate(sizes)]))
    assert [s.labels.shape for s in found] == sizes
    whole = _predictor(PredictConfig(sizing="native"))
    for i, (size, segmentation) in enumerate(zip(sizes, found, strict=True)):
        assert (whole.predict(_picture(size, i)).labels == segmentation.labels).mean() > 0.999


class Blind(FakeBackend):
    """Answers class 1 within 8 pixels of what it is shown, as if it saw nothing there, else as it should."""

    def logits(self, images: np.ndarray) -> np.ndarray:
        answer = super().logits(images)
        border = np.ones(images.shape[1:3], np.bool_)
        border[8:-8, 8:-8] = False
        answer[:, :, border] = np.array([0.0, 20.0, 0.0])[None, :, None]
        return answer


def test_the_seam_error_is_the_share_that_the_tiles_borders_changed() -> None:
    red = np.zeros((128, 128, 3), np.uint8)
    red[...] = COLOURS[0]
    config = PredictConfig(sizing="tile", tile=64, overlap=0.0)
    predictor = Predictor(Blind(COLOURS), CLASSES, SizePolicy("native", (64, 64)), config=config)
    labels = predictor.predict(red).labels
    windows = seam_windows((128, 128), config)
    seams = measure_seams(predictor, ArraySource(red), windows, lambda window: labels[window.slices])
    # Four tiles: class 1 in a frame of 8 pixels of each, in the whole picture only in its own frame.
    # A cross of 16 pixels width, less the ends that lie in the frame: 2 * 16 * (128 - 16) - 16 * 16.
    assert (seams.differing, seams.compared, seams.whole) == (2 * 16 * 112 - 256, 128 * 128, True)
    assert str(seams) == (
        f"seam error {100 * 3328 / 16384:.3f}%: pixels whose class differs from the untiled answer, "
        "over the whole picture"
    )


def test_a_large_picture_is_compared_in_windows_with_what_lies_around_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pixelwise.inference.seams.NATIVE_PIXELS", 10_000)
    picture = _picture((500, 700))
    predictor = _predictor(PredictConfig(sizing="tile", tile=64, overlap=0.25))
    labels = predictor.predict(picture).labels
    windows = seam_windows((500, 700), predictor.config)
    assert len(set(windows)) == 8
    assert all(window.top % 32 == window.left % 32 == 0 for window in windows)
    source = ArraySource(picture)
    seams = measure_seams(predictor, source, windows, lambda window: labels[window.slices])
    assert (seams.whole, seams.compared) == (False, 8 * 64 * 64)
    assert seams.share < 0.001
    wrong = (labels + 1) % 3
    assert measure_seams(predictor, source, windows, lambda w: wrong[w.slices]).share > 0.999


@pytest.mark.parametrize("from_row", [0, 17, 400, 499, 500])
def test_windows_lie_below_the_row_asked_for(monkeypatch: pytest.MonkeyPatch, from_row: int) -> None:
    monkeypatch.setattr("pixelwise.inference.seams.NATIVE_PIXELS", 10_000)
    windows = seam_windows((500, 700), PredictConfig(tile=64), from_row=from_row)
    assert len(windows) == (8 if from_row < 481 else 0)
    assert all(from_row <= w.top < w.bottom <= 500 and 0 <= w.left < w.right <= 700 for w in windows)
    if not windows:
        nothing = measure_seams(
            _predictor(PredictConfig()), ArraySource(_picture((500, 700))), [], lambda w: w
        )  # pyright: ignore
        assert str(nothing) == "seam error not measured: nothing was left to compare"


def test_a_piece_says_where_it_lies() -> None:
    piece = Piece(3, 5, np.zeros((2, 10, 20), np.float32))
    assert piece.size == (10, 20)
    assert piece.within == (slice(3, 13), slice(5, 25))
