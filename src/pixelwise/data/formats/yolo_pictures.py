"""Where the pictures of a YOLO data set lie, as its data.yaml says.

Knows folders and lists of pictures, and the ways in which people write them: relative to `path`, to the file
itself, or with Roboflow's `../`. `path` is often one of the machine that the file was written on. What leads
out of the data set's folder is not there. Knows nothing of labels.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pixelwise.data.formats.yolo_yaml import YoloYaml
from pixelwise.data.inside import is_file, is_folder, within
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.listing import list_files
from pixelwise.errors import DataError

_MAX_LIST_BYTES = 64 << 20


def find_pictures(root: Path, said: YoloYaml) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """The pictures of each split, relative to the root, and what there is to say.

    Raises:
        DataError: There is none at all, or a list cannot be read.
    """
    home = os.path.relpath(said.path.parent, root).replace(os.sep, "/")
    base = within(home, said.base, root=root) if said.base else home
    notes: list[str] = []
    if base is None or not is_folder(root / base):
        notes.append(
            f"the path {said.base[:80]!r} in {said.path.name} is no folder of this data set: its own counts"
        )
        base = home
    splits: dict[str, list[str]] = {}
    for split, places in said.splits.items():
        for place in places:
            found = _find(root, (base, home), place)
            if found is None:
                notes.append(f"{split}: {place[:80]} is not there")
                continue
            pictures, missing = _list(root, base, found)
            splits.setdefault(split, []).extend(pictures)
            notes += [missing] if missing else []
    if not any(splits.values()):
        why = "; ".join(notes[:4]) or "its folders are empty"
        raise DataError(
            f"{said.path}: none of the pictures that it names is there ({why}); correct train and val, which "
            "are relative to path, and lie in the data set's folder"
        )
    return {split: list(dict.fromkeys(found)) for split, found in splits.items() if found}, tuple(notes)


def _find(root: Path, bases: Iterable[str], place: str) -> str | None:
    """The folder or list that is there; `../train/images` also means train/images, as Roboflow writes it."""
    plain = place.strip().replace("\\", "/")
    for base in bases:
        for written in (plain, plain.removeprefix("../")):
            inner = within(base, written, root=root)
            if inner is not None and (is_file(root / inner) or is_folder(root / inner)):
                return inner
    return None


def _list(root: Path, base: str, place: str) -> tuple[list[str], str]:
    """The pictures of a folder or list, relative to the root, and a sentence about missing ones."""
    if (root / place).is_dir():
        prefix = "" if place == "." else f"{place}/"
        return [prefix + name for name in list_files(root / place, PICTURE_ENDINGS)[0]], ""
    pictures: list[str] = []
    missing: list[str] = []
    folder = place.rpartition("/")[0]
    for line in _lines(root / place):
        candidates = (within(start, line, root=root) for start in (folder, base))
        found = next((c for c in candidates if c is not None and is_file(root / c)), None)
        if found is None:
            missing.append(line)
        else:
            pictures.append(found)
    if not missing:
        return pictures, ""
    more = ", …" if len(missing) > 3 else ""
    count = f"{len(missing):,} of the {len(missing) + len(pictures):,} pictures in {place}"
    return pictures, f"{count} are not there: {', '.join(line[:80] for line in missing[:3])}{more}"


def _lines(path: Path) -> Iterator[str]:
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise DataError(f"{path}: {path.stat().st_size:,} bytes are more than a list of pictures has")
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: a folder or a list of pictures was expected; correct the path in data.yaml"
        ) from error
    return (line.strip() for line in lines if line.strip())
