"""Data sets with mask files, written: the layouts `folder` and `voc`.

Masks are palette PNGs whose values are the train ids, 255 = ignore, and whose palette has the class colours.
Knows these two layouts; the samples come from `convert`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelwise.drawing import palette_image
from pixelwise.files import write_whole
from pixelwise.types import Classes


class FolderWriter:
    """`images/` + `masks/` + classes.txt; with splits `train/images/` + `train/masks/` and so on."""

    def __init__(self, root: Path, classes: Classes, with_splits: bool) -> None:
        self._root, self._classes, self._with_splits = root, classes, with_splits

    def picture_path(self, name: str, split: str, ending: str) -> Path:
        """`images/NAME`, below the split's folder."""
        return self._base(split) / "images" / f"{name}{ending}"

    def add(self, name: str, split: str, picture: Path, mask: npt.NDArray[np.uint8]) -> None:
        """`masks/NAME.png`."""
        _save_mask(self._base(split) / "masks" / f"{name}.png", mask, self._classes)

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """classes.txt; the folders are the splits."""
        write_whole(self._root / "classes.txt", _classes_text(self._classes))

    def _base(self, split: str) -> Path:
        return self._root / split if self._with_splits else self._root


class VocWriter:
    """`JPEGImages/` + `SegmentationClass/` + `ImageSets/Segmentation/*.txt`, and classes.txt."""

    def __init__(self, root: Path, classes: Classes, with_splits: bool) -> None:
        self._root, self._classes, self._with_splits = root, classes, with_splits
        self._names: list[str] = []

    def picture_path(self, name: str, split: str, ending: str) -> Path:
        """`JPEGImages/NAME`, whatever the picture's format."""
        return self._root / "JPEGImages" / f"{name}{ending}"

    def add(self, name: str, split: str, picture: Path, mask: npt.NDArray[np.uint8]) -> None:
        """`SegmentationClass/NAME.png`."""
        self._names.append(name)
        _save_mask(self._root / "SegmentationClass" / f"{name}.png", mask, self._classes)

    def finish(self, splits: Mapping[str, Sequence[str]]) -> None:
        """The lists: one for each split, else trainval.txt with all names."""
        write_whole(self._root / "classes.txt", _classes_text(self._classes))
        for split, names in (splits if self._with_splits else {"trainval": self._names}).items():
            text = "".join(f"{name}\n" for name in names)
            write_whole(self._root / "ImageSets" / "Segmentation" / f"{split}.txt", text.encode())


def _save_mask(path: Path, mask: npt.NDArray[np.uint8], classes: Classes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    palette_image(mask, classes.colours).save(path, format="PNG")


def _classes_text(classes: Classes) -> bytes:
    """One line a class, with its colour where the colours tell all classes apart."""
    distinct = len(set(classes.colours)) == len(classes)
    lines = (
        f"{name} {' '.join(map(str, colour))}\n" if distinct else f"{name}\n"
        for name, colour in zip(classes.names, classes.colours, strict=True)
    )
    return "".join(lines).encode()
