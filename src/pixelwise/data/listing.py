"""The picture files of a folder, and which mask belongs to which picture.

Knows paths and endings; opens no picture and reads no class.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.reader import Entry
from pixelwise.errors import DataError

SUFFIXES = (
    *("_mask", "-mask", "_masks", "_label", "_labels", "_labelIds", "_gt", "_seg", "_segmentation", "_L"),
    *("_image", "_img", "_sat", "_rgb", "_photo", "_leftImg8bit"),
)
"""What names carry after the part that pairs; taken off only where all files of a folder carry it."""


@dataclass(frozen=True)
class Listing:
    """The picture files of one folder.

    Attributes:
        folder: Where they lie.
        files: Stem (relative path without ending, `/` between the parts) -> file, sorted by path.
        passed_over: Other files, which have no picture's ending.
    """

    folder: Path
    files: Mapping[str, Path]
    passed_over: tuple[str, ...]


def subfolders(root: Path) -> dict[str, Path]:
    """The visible folders right under `root`, by name, sorted.

    Raises:
        DataError: `root` is missing, no folder, or may not be read.
    """
    if not root.exists():
        raise DataError(f"{root}: there is no such folder; check the path")
    if not root.is_dir():
        raise DataError(f"{root}: a folder of pictures was expected, but this is a file")
    try:
        found = sorted(root.iterdir())
    except OSError as error:
        raise DataError(
            f"{root}: the folder cannot be read ({error.strerror}); check its permissions"
        ) from error
    return {path.name: path for path in found if path.is_dir() and not path.name.startswith(".")}


def list_pictures(folder: Path) -> Listing:
    """All picture files under a folder, at any depth; names that start with a dot (`._*` too) are no files.

    Raises:
        DataError: The folder holds no picture, or two pictures whose names differ in the ending only.
    """
    paths: list[Path] = []
    passed_over: list[str] = []

    def refuse(error: OSError) -> None:  # `os.walk` passes over what it cannot list, and pictures go missing
        raise DataError(
            f"{error.filename}: the folder cannot be read ({error.strerror}); check its permissions"
        ) from error

    for directory, names, files in os.walk(folder, onerror=refuse):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for name in files:
            if name.startswith("."):
                continue
            path = Path(directory) / name
            if path.suffix.lower() in PICTURE_ENDINGS:
                paths.append(path)
            else:
                passed_over.append(path.relative_to(folder).as_posix())
    if not paths:
        others = f" ({len(passed_over)} other files, e.g. {min(passed_over)})" if passed_over else ""
        raise DataError(
            f"{folder}: the folder holds no picture{others}; expected files that end in .jpg, .png, .tif …"
        )
    stems: dict[str, Path] = {}
    for path in sorted(paths, key=lambda p: p.relative_to(folder).as_posix()):
        stem = path.relative_to(folder).with_suffix("").as_posix()
        if stem in stems:
            raise DataError(
                f"{stems[stem]} and {path.name} have the same name up to the ending; remove or rename one"
            )
        stems[stem] = path
    return Listing(folder, stems, tuple(sorted(passed_over)))


def pair(pictures: Listing, masks: Listing, *, prefix: str = "") -> tuple[list[Entry], tuple[str, ...]]:
    """Finds each picture's mask by name.

    Args:
        pictures: One side.
        masks: The other.
        prefix: Put before the samples' names, e.g. `train/`.

    Returns:
        The samples, sorted by the picture's path, and notes about suffixes that were taken off.

    Raises:
        DataError: A picture without a mask, or a mask without a picture.
    """
    notes: tuple[str, ...] = ()
    keys, mask_keys = {stem: stem for stem in pictures.files}, {stem: stem for stem in masks.files}
    if not keys.keys() & mask_keys.keys():
        taken, mask_taken = _common_suffix(list(keys)), _common_suffix(list(mask_keys))
        keys = {stem.removesuffix(taken): stem for stem in keys}
        mask_keys = {stem.removesuffix(mask_taken): stem for stem in mask_keys}
        if (taken or mask_taken) and keys.keys() & mask_keys.keys():
            notes = (
                f"pictures NAME{taken} in {pictures.folder.name}/ are paired with masks NAME{mask_taken} "
                f"in {masks.folder.name}/",
            )
    lonely = [pictures.files[stem] for key, stem in keys.items() if key not in mask_keys]
    if lonely:
        raise DataError(_lonely_text(lonely, "picture", "mask", pictures, masks))
    lonely = [masks.files[stem] for key, stem in mask_keys.items() if key not in keys]
    if lonely:
        raise DataError(_lonely_text(lonely, "mask", "picture", masks, pictures))
    entries = [
        Entry(prefix + stem, pictures.files[stem], masks.files[mask_keys[key]]) for key, stem in keys.items()
    ]
    return entries, notes


def passed_over_note(listings: Sequence[Listing]) -> tuple[str, ...]:
    """One sentence about files that are no pictures by their ending, if there are any."""
    names = [f"{listing.folder.name}/{name}" for listing in listings for name in listing.passed_over]
    if not names:
        return ()
    more = ", …" if len(names) > 3 else ""
    have, are = ("files have", "are") if len(names) > 1 else ("file has", "is")
    return (f"{len(names)} {have} no picture's ending and {are} passed over: {', '.join(names[:3])}{more}",)


def _common_suffix(stems: Sequence[str]) -> str:
    return next((s for s in SUFFIXES if all(stem.endswith(s) and stem != s for stem in stems)), "")


def _lonely_text(lonely: Sequence[Path], kind: str, other: str, here: Listing, there: Listing) -> str:
    first = ", ".join(path.name for path in lonely[:3]) + (", …" if len(lonely) > 3 else "")
    example = lonely[0].relative_to(here.folder).with_suffix("").as_posix()
    return (
        f"{here.folder}: {len(lonely):,} of {len(here.files):,} {kind}s have no {other} ({first}); "
        f"expected {there.folder / example}.png or another picture ending: add the {other}s, "
        f"or move the {kind}s away"
    )
