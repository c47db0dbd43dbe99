"""A picture of any size from file to file: read, segmented and written a few rows at a time.

What is written goes on where a killed run ended. When all is there the file is read once more, which proves
it and counts its classes. Knows a predictor and rows; not what the results are called.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.data.io import MAX_PIXELS
from pixelwise.data.raster import LabelSink, Rows, RowSource, label_rows, open_sink
from pixelwise.data.resize import resize_mask
from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError, DataError
from pixelwise.inference.enlarge import decide
from pixelwise.inference.predictor import Predictor
from pixelwise.inference.seams import SeamError, Window, measure_seams, seam_windows
from pixelwise.inference.sizing import Way
from pixelwise.segmentation import Segmentation
from pixelwise.types import size_text

UInt8Array = npt.NDArray[np.uint8]
OnRows = Callable[[int, int], None]
"""Hears of (rows done, rows in all)."""

OVERVIEW = 2048
"""Pixels of the longer side of a picture to look at."""


@dataclass(frozen=True, eq=False)
class Streamed:
    """What was written.

    Attributes:
        path: The label map.
        size: `(height, width)` of it.
        area: The share of the picture that each class covers; pixels without data count for nothing.
        overview: The picture and its labels, small enough to look at.
        seams: How far tiles disagree with the untiled answer, over what was computed this time; None for a
            picture that was not cut.
        resumed_at: The first row that was computed this time.
    """

    path: Path
    size: tuple[int, int]
    area: Mapping[str, float]
    overview: Segmentation
    seams: SeamError | None
    resumed_at: int


def segment_file(
    predictor: Predictor,
    source: RowSource,
    target: Path,
    *,
    identity: str,
    resume: bool = False,
    on_rows: OnRows = lambda done, total: None,
    on_note: Callable[[str], None] = lambda text: None,
) -> Streamed:
    """Segments a picture into a label map of its size; in tiles, memory does not grow with its height.

    Args:
        predictor: Its config says how, and how large tiles are.
        source: The picture.
        target: `.tif` for a GeoTIFF with the source's place on the earth, or `.png`.
        identity: A text with all that makes the labels what they are: model, settings, picture.
        resume: Go on where an earlier run of the same identity ended.
        on_rows: Hears of the progress.
        on_note: Hears what people should know: what an earlier run left, what the file cannot hold.

    Raises:
        DataError: The picture is damaged, or the disk is full: what is written stays, and a run can go on.
        ConfigError: The ending is another one; the picture is too large to be taken in one piece.
    """
    way = predictor.way(source.size, by_rows=_why(source))
    _check_held(source.size, way)
    on_note(str(way))
    sink = open_sink(
        target, source.size, predictor.classes, identity=identity, resume=resume, place=source.georeference
    )
    for note in sink.notes:
        on_note(note)
    resumed_at = sink.rows_done
    if resumed_at:
        on_note(f"goes on at row {resumed_at} of {source.size[0]}")
    try:
        if way.mode == "tile":
            seams = _segment(predictor, source, sink, on_rows)
        else:
            seams = None
            sink.write(_in_one_piece(predictor, source)[resumed_at:])
    except BaseException:
        sink.close(complete=False)
        raise
    sink.close(complete=True)
    area, overview = _looked_at(predictor, source, target)
    return Streamed(target, source.size, area, overview, seams, resumed_at)


def _why(source: RowSource) -> str:
    """Why a source goes through the network in tiles."""
    place = source.georeference
    if place is not None and not place.empty:
        return "it has coordinates, and resizing would change what a pixel is on the ground"
    if source.size[0] * source.size[1] > MAX_PIXELS:
        return "it has more pixels than can be held"
    return "it is no ordinary picture, and is read by rows"


def _check_held(size: tuple[int, int], way: Way) -> None:
    if way.mode != "tile" and size[0] * size[1] > MAX_PIXELS:
        raise ConfigError(
            f"a picture of {size_text(size)} cannot be held for --sizing {way.mode}: take --sizing tile"
        )


def _in_one_piece(predictor: Predictor, source: RowSource) -> UInt8Array:
    """The labels of a picture that is not cut; 255 where it has no data."""
    picture, valid = source.rows(0, source.size[0])
    labels = predictor.predict(picture).labels
    if valid is not None:
        labels[~valid] = IGNORE
    return labels


def _segment(predictor: Predictor, source: RowSource, sink: LabelSink, on_rows: OnRows) -> SeamError:
    """Writes all rows that are missing."""
    height, width = source.size
    from_row = sink.rows_done
    kept = _KeptWindows(seam_windows(source.size, predictor.config, from_row=from_row))
    if from_row == height:
        return measure_seams(predictor, source, [], kept)
    with_mask = _WithMask(source, sink)
    band = np.empty((0, width), np.uint8)
    for piece in predictor.pieces(with_mask, from_row=from_row):
        if piece.left == 0:
            band = np.empty((piece.size[0], width), np.uint8)
        labels, _ = decide(piece.scores, piece.size, confidence=False)
        band[:, piece.within[1]] = labels
        if piece.left + piece.size[1] < width:
            continue
        with_mask.hide(band, piece.top)
        rows = band[max(0, from_row - piece.top) :]
        if len(rows):
            kept.keep(rows, piece.top + len(band) - len(rows))
            sink.write(rows)
            on_rows(piece.top + len(band), height)
    return measure_seams(predictor, source, kept.windows, kept)


class _WithMask:
    """A source that remembers which pixels of the rows that it gave are valid, until they are asked for."""

    def __init__(self, source: RowSource, sink: LabelSink) -> None:
        self._source, self._sink = source, sink
        self.size, self.georeference = source.size, source.georeference
        self.window, self.overview, self.close = source.window, source.overview, source.close
        self._masks: deque[tuple[int, int, npt.NDArray[np.bool_] | None]] = deque()

    def rows(self, top: int, bottom: int) -> Rows:
        try:
            picture, valid = self._source.rows(top, bottom)
        except DataError as error:
            written = f"{self._sink.rows_done} of {self.size[0]} rows are written"
            raise DataError(f"{error}: {written}, and once it is mended --resume goes on there") from error
        self._masks.append((top, bottom, valid))
        return picture, valid

    def hide(self, labels: UInt8Array, top: int) -> None:
        """Writes 255 where rows of labels, from `top` on, have no data; rows above are forgotten."""
        while self._masks and self._masks[0][1] <= top:
            self._masks.popleft()
        for first, last, valid in self._masks:
            if valid is None or first >= top + len(labels):
                continue
            start, end = max(first, top), min(last, top + len(labels))
            labels[start - top : end - top][~valid[start - first : end - first]] = IGNORE


class _KeptWindows:
    """The labels of a few windows, kept while rows go by."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self._labels = [np.empty((w.bottom - w.top, w.right - w.left), np.uint8) for w in windows]

    def keep(self, rows: UInt8Array, top: int) -> None:
        """Takes what belongs to a window of rows from `top` on."""
        for window, labels in zip(self.windows, self._labels, strict=True):
            first, last = max(window.top, top), min(window.bottom, top + len(rows))
            if first < last:
                part = rows[first - top : last - top, window.left : window.right]
                labels[first - window.top : last - window.top] = part

    def __call__(self, window: Window) -> UInt8Array:
        return self._labels[self.windows.index(window)]


def _looked_at(predictor: Predictor, source: RowSource, path: Path) -> tuple[dict[str, float], Segmentation]:
    """Reads a label map from top to bottom: the shares of its classes, and the whole of it made small."""
    classes = predictor.classes
    image = source.overview(longest=OVERVIEW)
    height = source.size[0]
    small: UInt8Array = np.empty((image.shape[0], image.shape[1]), np.uint8)
    # The rows that hold the centres of the small picture's, as `resize_mask` takes them.
    wanted = (2 * np.arange(len(small)) + 1) * height // (2 * len(small))
    counts = np.zeros(256, np.int64)
    for top, rows in label_rows(path):
        counts += np.bincount(rows.reshape(-1), minlength=256)
        here = np.flatnonzero((wanted >= top) & (wanted < top + len(rows)))
        if here.size:
            picked = rows[wanted[here] - top]
            small[here] = resize_mask(picked, (len(picked), image.shape[1]))
    labelled = int(counts[: len(classes)].sum())
    shares = (counts[: len(classes)] / max(labelled, 1)).tolist()
    area = dict(zip(classes.names, shares, strict=True))
    return area, Segmentation(labels=small, classes=classes, image=image)
