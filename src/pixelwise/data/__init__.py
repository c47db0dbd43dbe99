"""Labelled pictures: reading, checking, splitting, caching and serving them in batches. No torch here.

    dataset = open_dataset(folder, DataConfig())           # Dataset: .reader, .split, .notes
    prepared = prepare(dataset, (160, 160), DataConfig())  # every file checked, all of one size: .train, .val
    for batch in BatchLoader(prepared.train, order, batch_size=32, workers=2): ...

Knows nothing of networks, losses and devices: what leaves here is NumPy.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pixelwise.address import url_of
from pixelwise.config import DataConfig
from pixelwise.data.dataset import Dataset
from pixelwise.data.entries import Unpaired
from pixelwise.data.formats import READERS, Format, format_of
from pixelwise.data.leave_out import leave_out
from pixelwise.data.mapping import UnknownValueError
from pixelwise.data.mendable import MendableError
from pixelwise.data.reader import LabelledPictures, Reader
from pixelwise.data.remap import remap
from pixelwise.data.sizes import SizesDifferError
from pixelwise.data.splits import Split, make_split
from pixelwise.errors import ConfigError


def open_dataset(root: Path | str, config: DataConfig | None = None) -> Dataset:
    """Recognises a folder's format, pairs its files and splits them.

    Masks are decoded only as far as finding the classes needs it.

    Args:
        root: The data set's folder, or the URL of shards.
        config: Format, class names, mapping and split; all as found where not given.

    Raises:
        DataError: The folder is missing, empty, of no known layout, or its files don't fit together.
        ConfigError: An unknown format, or a mapping or class list that cannot be.
    """
    config = config or DataConfig()
    url = url_of(root)
    # Files are noted by paths that no change of folder alters.
    path = Path(root).expanduser().absolute() if url is None else Path(url)
    reader = _lenient(remap(format_of(path, config).open(path, config), config), config)
    split = make_split(reader.entries.names, reader.splits, config)
    if config.leave_out:  # after the draw, so that who is left stays on his side
        reader, kept = leave_out(reader, config.leave_out)
        split = split.renumbered(kept)
    return Dataset(reader, split, config, (*reader.notes, split.rule))


def _lenient(reader: LabelledPictures, config: DataConfig) -> LabelledPictures:
    """The reader with what `--snap` and `--fit-masks` forgive, which every format's masks share.

    Raises:
        ConfigError: The format draws shapes, or the tolerance would join two classes.
    """
    notes: list[str] = []
    for given, flag in ((config.snap, "--snap"), (config.fit_masks, "--fit-masks")):
        if given and reader.labels.drawn:
            raise ConfigError(
                f"{flag} is for mask files, but {reader.format} has shapes, which are drawn exactly and at "
                "the picture's size: leave it away"
            )
    if config.snap:
        notes.append(f"mask values and colours up to {config.snap} off a class's are taken for it")
    if config.fit_masks:
        notes.append("masks that lie turned, or at another scale than their picture, are brought to its size")
    if not notes:
        return reader
    table = replace(reader.table, tolerance=config.snap)
    return replace(reader, table=table, fit_masks=config.fit_masks, notes=(*reader.notes, *notes))


__all__ = [
    "READERS",
    "Dataset",
    "Format",
    "LabelledPictures",
    "MendableError",
    "Reader",
    "SizesDifferError",
    "Split",
    "UnknownValueError",
    "Unpaired",
    "make_split",
    "open_dataset",
]
