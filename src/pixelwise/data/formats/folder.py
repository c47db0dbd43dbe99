"""Reader `folder`: pictures in one folder, masks of the same names in another.

    images/ + masks/                 and the usual other names, or the two that the configuration gives
    train/ + trainannot/             (val/ + valannot/, test/ + testannot/): the split is the data set's own
    train/images/ + train/masks/     likewise, and so images/train/ + masks/train/

Knows this layout; what classes the masks hold is found out in `found_classes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.found_classes import decide_classes
from pixelwise.data.listing import Listing, list_pictures, pair, passed_over_note, subfolders
from pixelwise.data.mendable import MendableError
from pixelwise.data.reader import LabelledPictures
from pixelwise.errors import DataError

FORMAT = "folder"
_PICTURES = ("images", "image", "imgs", "img", "jpegimages", "pictures", "photos")
_MASKS = (
    *("masks", "mask", "labels", "label", "annotations", "annots", "annotation"),
    *("segmentationclass", "segmentation", "gt", "groundtruth", "ground_truth", "targets", "target"),
)
_SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")


def recognises(root: Path) -> bool:
    """Whether the folder is laid out in one of the ways above, by the names of its subfolders alone."""
    return bool(_layout(root, DataConfig()))


def open_folder(root: Path, config: DataConfig) -> LabelledPictures:
    """Pairs the files and finds the classes.

    Raises:
        DataError: No such layout, a picture without a mask or the reverse, or masks that explain themselves
            neither by classes.txt nor by their values.
        ConfigError: A class list or mapping that cannot be.
    """
    sides = _layout(root, config)
    if not sides:
        raise DataError(nothing_found(root))
    entries = Entries(root)
    listings: list[Listing] = []
    notes: list[str] = []
    for prefix, pictures, masks in sides:
        left, right = list_pictures(pictures), list_pictures(masks)
        notes += pair(entries, left, right, prefix=prefix, skip_unpaired=config.skip_unpaired)
        listings += [left, right]
    named = " and ".join(f"{_short(p, root)} + {_short(m, root)}" for _, p, m in sides)
    classes, table, said = decide_classes(root, entries, config)
    notes = [
        f"format folder: {len(entries):,} pictures in {named}",
        *notes,
        *said,
        *passed_over_note(listings),
    ]
    return LabelledPictures(FORMAT, root, classes, table, entries, _own_splits(entries.names), tuple(notes))


def nothing_found(root: Path) -> str:
    """Says what was expected and what there is instead."""
    names = list(subfolders(root))
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    there = f"there is only {listed}" if names else "it has no subfolders"
    return (
        f"{root}: no data set was recognised: expected images/ + masks/, or train/ + trainannot/, "
        f"but {there}; name the two folders with --images and --masks"
    )


def _layout(root: Path, config: DataConfig) -> list[tuple[str, Path, Path]]:
    """The pairs of folders, each with the prefix of its samples' names."""
    folders = subfolders(root)
    if config.images or config.masks:
        pictures = _named(root, config.images) if config.images else _synonym(folders, _PICTURES, "images")
        masks = _named(root, config.masks) if config.masks else _synonym(folders, _MASKS, "masks")
        return [("", pictures, masks)] if pictures is not None and masks is not None else []
    annotated = [
        (f"{name}/", folders[name], folders[f"{name}annot"])
        for name in _SPLITS
        if name in folders and f"{name}annot" in folders
    ]
    if annotated:
        return annotated
    pictures, masks = _synonym(folders, _PICTURES, "images"), _synonym(folders, _MASKS, "masks")
    if pictures is not None and masks is not None:
        return [("", pictures, masks)]
    inner: list[tuple[str, Path, Path]] = []
    for name in (name for name in _SPLITS if name in folders):
        within = subfolders(folders[name])
        pictures, masks = _synonym(within, _PICTURES, "images"), _synonym(within, _MASKS, "masks")
        if pictures is not None and masks is not None:
            inner.append((f"{name}/", pictures, masks))
    return inner


def _named(root: Path, name: str) -> Path:
    folder = root / name
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; --images and --masks name folders under {root}")
    return folder


def _synonym(folders: Mapping[str, Path], names: Sequence[str], flag: str) -> Path | None:
    """The one folder whose name is usual for pictures, or for masks."""
    found = [path for name, path in folders.items() if name.lower() in names]
    if len(found) > 1:
        listed = " and ".join(f"{path.name}/" for path in found)
        raise MendableError(
            f"{found[0].parent}: {listed} could each be the {flag}; say which with --{flag} {found[0].name}",
            {flag: found[0].name},
        )
    return found[0] if found else None


def _own_splits(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Splits by the first part of the names, if all names have such a part."""
    splits: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        first, _, rest = name.partition("/")
        if first not in _SPLITS or not rest:
            return {}
        splits.setdefault(first, []).append(index)
    return {name: tuple(indices) for name, indices in splits.items()}


def _short(path: Path, root: Path) -> str:
    try:
        return path.relative_to(root).as_posix() + "/"
    except ValueError:
        return f"{path}/"
