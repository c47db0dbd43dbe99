"""The samples of a data set as writers take them: decoded to see that they are sound, stored as they are.

Knows readers and files; no layout.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image

from pixelwise.data.ahead import in_order
from pixelwise.data.dataset import Dataset
from pixelwise.data.io import PICTURE_ENDINGS, UnreadableError, read_header
from pixelwise.data.reader import Reader, Stored
from pixelwise.errors import DataError
from pixelwise.types import Sample


def good_samples(dataset: Dataset, broken: list[str]) -> Iterator[tuple[int, Sample]]:
    """Every sound sample in order, with its index.

    Args:
        dataset: Its `skip_broken` and `workers` count.
        broken: Filled with the reasons why samples were left out, under `skip_broken`.

    Raises:
        DataError: A sample is at fault, or all would be left out.
    """
    reader = dataset.reader

    def load(index: int) -> Sample | UnreadableError:
        try:
            return reader[index]
        except UnreadableError as error:
            if dataset.config.skip_broken:
                return error
            raise

    samples = in_order(load, range(len(reader)), workers=dataset.config.workers)
    for index, sample in enumerate(samples):
        if isinstance(sample, UnreadableError):
            broken.append(str(sample))
        else:
            yield index, sample
    if len(broken) == len(reader):
        raise DataError(f"{reader.root}: none of the {len(reader):,} pictures can be read: {broken[0]}")


def broken_note(broken: Sequence[str]) -> tuple[str, ...]:
    """A sentence about the samples that were left out, if any."""
    if not broken:
        return ()
    more = f"; and {len(broken) - 5:,} more" if len(broken) > 5 else ""
    return (f"{len(broken):,} samples were left out: {'; '.join(broken[:5])}{more}",)


def put_picture(reader: Reader, index: int, sample: Sample, place: Callable[[str], Path]) -> Path:
    """Writes a sample's picture where `place` says for its ending: byte by byte where it can be."""
    stored = upright(reader, index)
    target = place(".png" if stored is None else stored.path.suffix.lower())
    target.parent.mkdir(parents=True, exist_ok=True)
    if stored is None:
        Image.fromarray(sample.image).save(target)
    elif stored.content is None:
        shutil.copyfile(stored.path, target)
    else:
        target.write_bytes(stored.content)
    return target


def picture_bytes(reader: Reader, index: int, sample: Sample) -> tuple[str, bytes]:
    """A sample's picture as it is to be stored: its ending, and its bytes."""
    stored = upright(reader, index)
    if stored is None:
        target = io.BytesIO()
        Image.fromarray(sample.image).save(target, format="PNG")
        return ".png", target.getvalue()
    return stored.path.suffix.lower(), stored.path.read_bytes() if stored.content is None else stored.content


def upright(reader: Reader, index: int) -> Stored | None:
    """The picture's file, where it can be taken as it is; None where a tag turns it, or it is in a json."""
    stored = reader.stored(index)
    if stored is None or stored.path.suffix.lower() not in PICTURE_ENDINGS:
        return None
    return stored if read_header(stored.path, content=stored.content).orientation == 1 else None
