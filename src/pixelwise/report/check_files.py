"""What `check` leaves in its folder: the page, the JSON, and lists of samples for `--leave-out`.

Knows how samples are shown small; what was found is decided.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.check.commands import KINDS_WITH_LISTS, list_name
from pixelwise.check.finding import Example
from pixelwise.check.report import Report
from pixelwise.check.rules.files import LONELY_LABELS
from pixelwise.data.ahead import in_order
from pixelwise.data.dataset import Dataset
from pixelwise.data.io import picture_size, read_mask_values, read_picture_at
from pixelwise.data.leave_out import list_text, read_names
from pixelwise.data.reader import Pair, Reader
from pixelwise.data.resize import resize_mask
from pixelwise.errors import DataError
from pixelwise.files import write_whole
from pixelwise.progress import Progress
from pixelwise.report.check_page import check_page
from pixelwise.report.thumbnails import PANEL, pair_thumbnail, picture_thumbnail, raw_thumbnail, thumbnail

PAGE, DOCUMENT = "report.html", "report.json"

_SHOWN = 12
"""Examples of a finding that are shown as pictures; the others are named."""

_TINY = (8, 8)


def write_report(
    report: Report, dataset: Dataset | None, folder: Path, *, workers: int, progress: Progress | None = None
) -> None:
    """Writes report.html, report.json, and a list of samples for each finding that has one.

    Raises:
        DataError: The folder cannot be written.
    """
    thumbnails: dict[tuple[int, int], bytes] = {}
    wanted = list(_wanted(report))
    reader = dataset.reader if dataset is not None else None

    def draw(place: tuple[int, int]) -> tuple[tuple[int, int], bytes | None]:
        finding = report.findings[place[0]]
        return place, _drawn(reader, finding.examples[place[1]], only_labels=finding.kind == LONELY_LABELS)

    for done, (place, picture) in enumerate(in_order(draw, wanted, workers=workers), start=1):
        if picture is not None:
            thumbnails[place] = picture
        if progress is not None:
            progress("drawing examples", done, len(wanted))
    if dataset is not None:
        _write_lists(report, dataset, folder)
    document = json.dumps(report.to_json(), indent=2) + "\n"  # escaped, since names need not be valid UTF-8
    write_whole(folder / DOCUMENT, document.encode())
    write_whole(folder / PAGE, check_page(report, thumbnails).encode())


def _write_lists(report: Report, dataset: Dataset, folder: Path) -> None:
    """A list for each finding that has one, and none of an earlier check.

    A list that this check was told to leave out has its old names kept: they are not in the set any more.
    """
    told = {path.resolve() for path in dataset.config.leave_out}
    names = dataset.reader.entries.names
    lists = {finding.kind: finding.leave_out for finding in report.findings if finding.leave_out}
    if lists.keys() - KINDS_WITH_LISTS:
        raise ValueError(f"the lists of {lists.keys() - KINDS_WITH_LISTS} would never be removed")
    for kind, indices in lists.items():
        path = folder / list_name(kind)
        before = read_names(path) if path.resolve() in told else []
        lines = list_text([*before, *(names[index] for index in indices)])
        write_whole(path, lines.encode("utf-8", "surrogateescape"))
    for kind in KINDS_WITH_LISTS - lists.keys():
        path = folder / list_name(kind)
        if path.resolve() not in told:
            path.unlink(missing_ok=True)


def _wanted(report: Report) -> Iterator[tuple[int, int]]:
    for number, finding in enumerate(report.findings):
        for place, example in enumerate(finding.examples[:_SHOWN]):
            if example.index is not None or example.files:
                yield number, place


def _drawn(reader: Reader | None, example: Example, *, only_labels: bool) -> bytes | None:
    """The sample as it is seen; else what can be seen of its files; None where that is nothing."""
    if reader is not None and example.index is not None:
        with contextlib.suppress(DataError):  # a sample that cannot be used; perhaps its files can be shown
            sample = _read(reader, example.index)
            if example.beside is not None:
                return pair_thumbnail(sample, _read(reader, example.beside), reader.classes)
            return thumbnail(*sample, reader.classes)
    if not example.files:
        return None
    first, *others = (None, *example.files) if only_labels else example.files
    image = None if first is None else _picture(first)
    for path in others:
        with contextlib.suppress(DataError):
            return raw_thumbnail(read_mask_values(path), image=image)
    return None if image is None else picture_thumbnail(image)


def _read(reader: Reader, index: int) -> Pair:
    """Picture and mask of a sample, small."""
    mask = reader.for_network(index, _TINY)[1]
    size = _small((mask.shape[0], mask.shape[1]))
    return reader.for_network(index, size)[0], resize_mask(mask, size)


def _picture(path: Path) -> npt.NDArray[np.uint8] | None:
    try:
        return read_picture_at(path, _small(picture_size(path)))[0]
    except DataError:
        return None


def _small(size: tuple[int, int]) -> tuple[int, int]:
    """`(height, width)` of a picture that is twice as large as it is shown, for the drawing to average."""
    height, width = size
    factor = min(1.0, 2 * PANEL[0] / height, 2 * PANEL[1] / width)
    return max(1, round(height * factor)), max(1, round(width * factor))
