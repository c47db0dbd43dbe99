"""One format = one file, and the literal dict of all of them.

Each file offers `recognises(root)` and `open_…(root, config)`; what they share (listings, tables, shapes,
json) lies above, in `pixelwise.data`. The parts of a larger format stand beside it under its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pixelwise.address import url_of
from pixelwise.config import DataConfig
from pixelwise.data.formats import (
    ade20k,
    camvid,
    cityscapes,
    coco,
    coco_stuff,
    csv_table,
    folder,
    labelme,
    oxford_pets,
    pascal_context,
    shards,
    voc,
    yolo,
)
from pixelwise.data.reader import LabelledPictures
from pixelwise.errors import ConfigError, DataError


@dataclass(frozen=True)
class Format:
    """How a data format is recognised from a folder, and opened.

    Attributes:
        recognises: Whether a folder is laid out so; cheap.
        open: Makes the reader.
        named: Whether it has folders of its own that `--images` and `--masks` choose among.
    """

    recognises: Callable[[Path], bool]
    open: Callable[[Path, DataConfig], LabelledPictures]
    named: bool = False


READERS: dict[str, Format] = {  # in the order in which they are tried
    "oxford_pets": Format(oxford_pets.recognises, oxford_pets.open_pets),
    "pascal_context": Format(pascal_context.recognises, pascal_context.open_pascal_context),
    "voc": Format(voc.recognises, voc.open_voc),
    "cityscapes": Format(cityscapes.recognises, cityscapes.open_cityscapes, named=True),
    "ade20k": Format(ade20k.recognises, ade20k.open_ade20k),
    "camvid": Format(camvid.recognises, camvid.open_camvid),
    "csv": Format(csv_table.recognises, csv_table.open_csv),
    "yolo": Format(yolo.recognises, yolo.open_yolo),
    "coco_stuff": Format(coco_stuff.recognises, coco_stuff.open_coco_stuff),
    "coco": Format(coco.recognises, coco.open_coco, named=True),
    "labelme": Format(labelme.recognises, labelme.open_labelme),
    "folder": Format(folder.recognises, folder.open_folder),
    "shards": Format(shards.recognises, shards.open_shards),
}


def format_of(root: Path, config: DataConfig) -> Format:
    """The format that the configuration names, or that recognises the folder.

    Raises:
        DataError: The folder is missing, empty, or of no known layout.
        ConfigError: There is no format of that name.
    """
    name = config.format.replace("-", "_")
    if url_of(root) is not None:
        if name not in ("auto", shards.FORMAT):
            raise ConfigError(f"--format {config.format} is for folders; on a server a set must be shards")
        return READERS[shards.FORMAT]
    if name != "auto":
        if name not in READERS:
            raise ConfigError(
                f"there is no data format {config.format!r}; there are auto, {', '.join(sorted(READERS))}"
            )
        return READERS[name]
    if root.is_dir() and not any(root.iterdir()):
        raise DataError(f"{root}: the folder is empty; expected images/ + masks/, or another known layout")
    chosen = bool(config.images or config.masks)
    tried = [reader for reader in READERS.values() if reader.named or not chosen]
    found = next(
        (reader for reader in tried if reader.recognises(root)), READERS["folder"] if chosen else None
    )
    if found is None:
        raise DataError(folder.nothing_found(root))
    return found


__all__ = ["READERS", "Format", "format_of"]
