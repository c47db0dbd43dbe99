"""Label files of a YOLO data set that have no picture.

Knows folders and names, and of a file no more than whether it begins as labels do: notes and lists of classes
lie beside labels too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from pixelwise.data.io import PICTURE_ENDINGS

_ENDING = ".txt"
_FIRST_BYTES = 1 << 12
_FEWEST_WORDS = 5  # a class and a box


def labels_without_picture(
    root: Path, pictures: Sequence[str], label_path: Callable[[str], str]
) -> list[str]:
    """The label files in the labels' folders whose picture is not there, sorted; relative to the root.

    A picture that is there but in no split is no reason to name its labels.

    Args:
        root: The data set's folder.
        pictures: Those of all splits, relative to it.
        label_path: Where the labels of a picture stand.
    """
    folders: dict[str, set[str]] = {}  # of labels -> of their pictures
    for picture in pictures:
        folder = label_path(picture).rpartition("/")[0]
        folders.setdefault(folder, set()).add(picture.rpartition("/")[0])
    lonely: list[str] = []
    for folder, beside in folders.items():
        stems = {stem for other in beside for stem in _stems(root / other, PICTURE_ENDINGS)}
        for stem in _stems(root / folder, {_ENDING}) - stems:
            path = f"{folder}/{stem}{_ENDING}".lstrip("/")
            if _begins_as_labels(root / path, empty=folder not in beside):
                lonely.append(path)
    return sorted(lonely)


def _stems(folder: Path, endings: frozenset[str] | set[str]) -> set[str]:
    try:
        with os.scandir(folder) as found:
            parts = [item.name.rpartition(".") for item in found if not item.name.startswith(".")]
    except OSError:
        return set()
    return {stem for stem, dot, ending in parts if dot + ending.lower() in endings}


def _begins_as_labels(path: Path, *, empty: bool) -> bool:
    """Whether the first line is a class with coordinates; `empty` is the answer for a file with no line."""
    try:
        with path.open("rb") as file:
            lines = [line.split() for line in file.read(_FIRST_BYTES).splitlines()]
    except OSError:
        return False
    words = next((line for line in lines if line), None)
    if words is None:
        return empty
    return len(words) >= _FEWEST_WORDS and words[0].isdigit()
