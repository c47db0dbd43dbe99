"""Labelled pictures: reading, checking, splitting, caching and serving them in batches. No torch here.

    dataset = open_dataset(folder, DataConfig())           # Dataset: .reader, .split, .notes
    prepared = prepare(dataset, (160, 160), DataConfig())  # every file checked, all of one size: .train, .val
    for batch in BatchLoader(prepared.train, order, batch_size=32, workers=2): ...

Knows nothing of networks, losses and devices: what leaves here is NumPy.
"""

from __future__ import annotations

from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.dataset import Dataset
from pixelwise.data.formats import READERS, Format, format_of
from pixelwise.data.reader import LabelledPictures, Reader
from pixelwise.data.remap import remap
from pixelwise.data.splits import Split, make_split


def open_dataset(root: Path | str, config: DataConfig | None = None) -> Dataset:
    """Recognises a folder's format, pairs its files and splits them.

    Masks are decoded only as far as finding the classes needs it.

    Args:
        root: The data set's folder.
        config: Format, class names, mapping and split; all as found where not given.

    Raises:
        DataError: The folder is missing, empty, of no known layout, or its files don't fit together.
        ConfigError: An unknown format, or a mapping or class list that cannot be.
    """
    config = config or DataConfig()
    path = Path(root).expanduser().absolute()  # files are noted by paths that no change of folder alters
    reader = remap(format_of(path, config).open(path, config), config)
    split = make_split(reader.entries.names, reader.splits, config)
    return Dataset(reader, split, config, (*reader.notes, split.rule))


__all__ = [
    "READERS",
    "Dataset",
    "Format",
    "LabelledPictures",
    "Reader",
    "Split",
    "make_split",
    "open_dataset",
]
