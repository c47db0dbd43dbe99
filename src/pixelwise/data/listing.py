"""The picture files of a folder, and which mask belongs to which picture.

Knows paths and endings; opens no picture and reads no class.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.entries import Entries
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.mendable import SKIP_UNPAIRED, MendableError
from pixelwise.errors import DataError

LEAVE_OUT = "; --skip-unpaired leaves them out"
"""Follows the sentence about files that have no other half, where some have one."""

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
        files: Stem (relative path without ending, `/` between the parts) -> ending, sorted by path.
        passed_over: Other files, which have no picture's ending.
    """

    folder: Path
    files: Mapping[str, str]
    passed_over: tuple[str, ...]

    def path(self, stem: str) -> Path:
        """The file of a stem."""
        return self.folder / f"{stem}{self.files[stem]}"


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
    found, passed_over = list_files(folder, PICTURE_ENDINGS)
    if not found:
        others = f" ({len(passed_over)} other files, e.g. {min(passed_over)})" if passed_over else ""
        raise DataError(
            f"{folder}: the folder holds no picture{others}; expected files that end in .jpg, .png, .tif …"
        )
    stems: dict[str, str] = {}
    for path in found:
        stem, _, ending = path.rpartition(".")
        if stem in stems:
            raise DataError(
                f"{folder / (stem + stems[stem])} and {path.rpartition('/')[2]} have the same name up to the "
                "ending; remove or rename one"
            )
        stems[stem] = sys.intern(f".{ending}")
    return Listing(folder, stems, tuple(passed_over))


def list_files(folder: Path, endings: Collection[str]) -> tuple[list[str], list[str]]:
    """The files under a folder with one of the endings, and the others; relative paths with `/`, sorted.

    A hundred thousand files are listed in half a second: nothing is asked of a file but its name.

    Args:
        folder: Looked through at any depth; names that start with a dot don't count.
        endings: In lower case, with the dot.

    Raises:
        DataError: A folder cannot be read.
    """
    wanted: list[str] = []
    others: list[str] = []

    def refuse(error: OSError) -> None:  # `os.walk` passes over what it cannot list, and pictures go missing
        raise DataError(
            f"{error.filename}: the folder cannot be read ({error.strerror}); check its permissions"
        ) from error

    top = str(folder)
    for directory, names, files in os.walk(top, onerror=refuse):
        names[:] = [name for name in names if not name.startswith(".")]
        inner = os.path.relpath(directory, top).replace(os.sep, "/")
        prefix = "" if inner == "." else f"{inner}/"
        for name in files:
            if not name.startswith("."):
                _, dot, ending = name.rpartition(".")
                fits = dot + ending.lower() in endings
                (wanted if fits else others).append(prefix + name)
    return sorted(wanted), sorted(others)


def pair(
    entries: Entries, pictures: Listing, masks: Listing, *, prefix: str = "", skip_unpaired: bool = False
) -> tuple[str, ...]:
    """Finds each picture's mask by name, and adds the samples in the order of the pictures' paths.

    Args:
        entries: Where the samples are added.
        pictures: One side.
        masks: The other.
        prefix: Put before the samples' names, e.g. `train/`.
        skip_unpaired: Leave pictures without a mask and masks without a picture out, as `entries.unpaired`.

    Returns:
        Notes about suffixes that were taken off, and about what was left out.

    Raises:
        DataError: No picture has a mask; `MendableError`: some have none, or some masks have no picture.
    """
    taken = mask_taken = ""
    if not pictures.files.keys() & masks.files.keys():
        taken, mask_taken = _common_suffix(pictures.files), _common_suffix(masks.files)
    keys = {stem.removesuffix(taken) for stem in pictures.files} if taken else pictures.files.keys()
    mask_keys = {stem.removesuffix(mask_taken) for stem in masks.files} if mask_taken else masks.files.keys()
    without_mask = [stem for stem in pictures.files if stem.removesuffix(taken) not in mask_keys]
    without_picture = [stem for stem in masks.files if stem.removesuffix(mask_taken) not in keys]
    if without_mask or without_picture:
        mendable = len(without_mask) < len(pictures.files)
        if not (skip_unpaired and mendable):
            text = (
                _lonely_text(without_mask, "picture", "mask", pictures, masks)
                if without_mask
                else _lonely_text(without_picture, "mask", "picture", masks, pictures)
            )
            raise MendableError(f"{text}{LEAVE_OUT}", SKIP_UNPAIRED) if mendable else DataError(text)
    left, right = f"{pictures.folder}{os.sep}", f"{masks.folder}{os.sep}"
    lonely = set(without_mask)
    for stem, ending in pictures.files.items():
        if stem in lonely:
            entries.unpaired.pictures.append(f"{left}{stem}{ending}")
            continue
        other = stem.removesuffix(taken) + mask_taken
        entries.add(prefix + stem, f"{left}{stem}{ending}", f"{right}{other}{masks.files[other]}")
    for stem in without_picture:
        entries.unpaired.labels.append(f"{right}{stem}{masks.files[stem]}")
    suffixes = (
        f"pictures NAME{taken} in {pictures.folder.name}/ are paired with masks NAME{mask_taken} "
        f"in {masks.folder.name}/",
    )
    return (
        *(suffixes if taken or mask_taken else ()),
        *left_out_note("pictures without a mask", [pictures.path(stem).name for stem in without_mask]),
        *left_out_note("masks without a picture", [masks.path(stem).name for stem in without_picture]),
    )


def leave_labels_out(
    entries: Entries, lonely: Sequence[Path], text: str, *, total: int, skip_unpaired: bool
) -> tuple[str, ...]:
    """Puts labels without a picture aside as `entries.unpaired`, for formats that go by their label files.

    Args:
        entries: Where they are noted.
        lonely: The label files; perhaps none.
        text: What is wrong, in a sentence.
        total: How many label files there are.
        skip_unpaired: Whether they may be left out.

    Returns:
        A note about them.

    Raises:
        DataError: None has a picture; `MendableError`: some have none, and are not to be left out.
    """
    if not lonely:
        return ()
    if len(lonely) == total:
        raise DataError(text)
    if not skip_unpaired:
        raise MendableError(f"{text}{LEAVE_OUT}", SKIP_UNPAIRED)
    for path in lonely:
        entries.unpaired.labels.append(path)
    return left_out_note("labels without a picture", [path.name for path in lonely])


def left_out_note(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Says how many were left out by `--skip-unpaired`, if any; `what` is in the plural."""
    if not names:
        return ()
    more = ", …" if len(names) > 3 else ""
    return (f"{len(names):,} {what} are left out: {', '.join(names[:3])}{more}",)


def passed_over_note(listings: Sequence[Listing]) -> tuple[str, ...]:
    """One sentence about files that are no pictures by their ending, if there are any."""
    names = [f"{listing.folder.name}/{name}" for listing in listings for name in listing.passed_over]
    if not names:
        return ()
    more = ", …" if len(names) > 3 else ""
    have, are = ("files have", "are") if len(names) > 1 else ("file has", "is")
    return (f"{len(names)} {have} no picture's ending and {are} passed over: {', '.join(names[:3])}{more}",)


def _common_suffix(stems: Collection[str]) -> str:
    return next((s for s in SUFFIXES if all(stem.endswith(s) and stem != s for stem in stems)), "")


def _lonely_text(lonely: Sequence[str], kind: str, other: str, here: Listing, there: Listing) -> str:
    first = ", ".join(here.path(stem).name for stem in lonely[:3]) + (", …" if len(lonely) > 3 else "")
    return (
        f"{here.folder}: {len(lonely):,} of {len(here.files):,} {kind}s have no {other} ({first}); "
        f"expected {there.folder / lonely[0]}.png or another picture ending: add the {other}s, "
        f"or move the {kind}s away"
    )
