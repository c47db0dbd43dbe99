"""Reader `oxford_pets`: the Oxford-IIIT Pet data set as its official archives unpack.

    images/NAME.jpg    annotations/trimaps/NAME.png    annotations/trainval.txt, test.txt

Parkhi, Vedaldi, Zisserman, Jawahar: Cats and Dogs, CVPR 2012; https://www.robots.ox.ac.uk/~vgg/data/pets/.
Knows this layout and what its three values mean; a photo of it may be anything that `io` reads, since the
official .jpg files are now and then PNG, GIF or CMYK inside. Every photo of the archive has a trimap, so
one that lacks it is an archive that was not unpacked wholly.
"""

from __future__ import annotations

from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.found_classes import names_its_own
from pixelwise.data.listing import list_pictures, pair, passed_over_note, subfolders
from pixelwise.data.lists import split_by_lists
from pixelwise.data.mapping import LabelTable, parse_map
from pixelwise.data.reader import LabelledPictures
from pixelwise.errors import DataError
from pixelwise.types import Classes

FORMAT = "oxford_pets"
CLASSES = Classes(("pet", "background", "border"), ((230, 159, 0), (0, 114, 178), (240, 228, 66)))
_VALUES = {1: 0, 2: 1, 3: 2}
_LISTS = ("trainval", "test")


def recognises(root: Path) -> bool:
    """Whether there are images/ and annotations/trimaps/."""
    folders = subfolders(root)
    return "images" in folders and (root / "annotations" / "trimaps").is_dir()


def open_pets(root: Path, config: DataConfig) -> LabelledPictures:
    """Pairs photos and trimaps; the official lists become the splits, where they are there.

    Raises:
        DataError: The layout is another, or a photo has no trimap or the reverse.
        ConfigError: A mapping to a class that does not exist.
    """
    if not recognises(root):
        raise DataError(
            f"{root}: format oxford_pets needs images/ and annotations/trimaps/; fetch the data set with "
            "pixelwise download oxford-pets, or leave --format away"
        )
    photos, trimaps = list_pictures(root / "images"), list_pictures(root / "annotations" / "trimaps")
    entries = Entries(root)
    paired = pair(entries, photos, trimaps, skip_unpaired=config.skip_unpaired)
    splits, said = _official(root / "annotations", entries)
    classes = Classes(tuple(config.classes)) if names_its_own(config, CLASSES) else CLASSES
    pairs = parse_map(config.map)
    values = {raw: target for raw, target in _VALUES.items() if target < len(classes)} | pairs
    notes = (
        f"format oxford_pets: {len(entries):,} pictures in images/, trimaps in annotations/trimaps/",
        f"values 1, 2, 3 are {', '.join(classes.names)}" if not pairs else "values as --map says",
        *paired,
        *said,
        *passed_over_note([photos, trimaps]),
    )
    return LabelledPictures(FORMAT, root, classes, LabelTable(len(classes), values), entries, splits, notes)


def _official(folder: Path, entries: Entries) -> tuple[dict[str, tuple[int, ...]], tuple[str, ...]]:
    """The splits of the two lists, none unless both are there; a listed photo may be missing, said aloud."""
    if not all((folder / f"{name}.txt").is_file() for name in _LISTS):
        return {}, ()
    return split_by_lists({name: folder / f"{name}.txt" for name in _LISTS}, entries.places())
