"""Where the pictures and the panoptic maps of a COCO json are.

Knows file names and folders. Names come from the json and never lead out of the data set's folder; whether
files are there is seen in one listing of their folder, and not by asking for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Texts
from pixelwise.data.formats.coco_index import CocoIndex
from pixelwise.data.inside import within
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.listing import list_files
from pixelwise.errors import DataError

_TRIED = 32
_FOLDERS = ("", "images", "JPEGImages", "data", "input_images")


@dataclass(frozen=True, eq=False)
class Found:
    """The pictures of a json.

    Attributes:
        paths: One for each picture of the json, relative to the data set's folder; empty where it is missing.
        said: Where they are, in words.
        folder: The folder that they were looked for in, relative to the data set's.
        there: All pictures under that folder, relative to it.
    """

    paths: Texts
    said: str
    folder: str
    there: Texts

    def place(self, name: str) -> str:
        """Where a picture of the json should be, relative to the data set's folder."""
        return f"{self.folder}/{within('', name)}".lstrip("/")


def find_pictures(root: Path, index: CocoIndex, split: str, config: DataConfig) -> Found:
    """Looks for the pictures in the usual folders, or in the one that `config.images` names.

    Raises:
        DataError: A name leads out of the folder, or the pictures are in none of the folders.
    """
    beside = index.path.parent.relative_to(root).as_posix() if index.path.is_relative_to(root) else ""
    beside = "" if beside == "." else beside
    usual = [f"{above}{name}" for above in ("", "images/") for name in _of_split(split, index.path.stem)]
    folders = [config.images] if config.images else list(dict.fromkeys([beside, *usual, *_FOLDERS]))
    names = [_inside(name, index) for name in islice(index.names, _TRIED)]
    scores = [
        (sum((root / folder / name).is_file() for name in names), -place, folder)
        for place, folder in enumerate(folders)
    ]
    best = max(scores, default=(0, 0, ""))
    if not best[0]:
        looked = ", ".join(f"{folder or '.'}/" for folder in folders)
        first = names[0] if names else "any picture"
        raise DataError(
            f"{index.path}: {first} is in none of {looked} under {root}; name the picture folder with "
            "--images"
        )
    folder = best[2]
    listed = list_files(root / folder, PICTURE_ENDINGS)[0]
    there = set(listed)
    paths = Texts()
    for name in index.names:
        inner = _inside(name, index)
        paths.append(f"{folder}/{inner}".lstrip("/") if inner in there else "")
    said = f"in {folder}/" if folder else "beside it" if not beside else "under the folder"
    return Found(paths, said, folder, Texts(listed))


def unlisted(found: Sequence[Found]) -> list[str]:
    """Pictures that no json lists, in the folders of those that one lists; relative to the data set's."""
    used = {path for source in found for path in source.paths if path}
    folders = {path.rpartition("/")[0] for path in used}
    there = {f"{source.folder}/{name}".lstrip("/") for source in found for name in source.there}
    return sorted(path for path in there - used if path.rpartition("/")[0] in folders)


def find_maps(root: Path, index: CocoIndex) -> list[str]:
    """The panoptic map of each picture, relative to the data set's folder; empty where there is none.

    Raises:
        DataError: The folder of the maps is not there.
    """
    stem = index.path.stem
    places = [index.path.with_suffix(""), root / stem, index.path.parent / stem.replace("panoptic_", "")]
    folder = next((place for place in places if place.is_dir()), None)
    if folder is None:
        raise DataError(
            f"{index.path}: expected its maps in {index.path.with_suffix('')}/; unpack them there"
        )
    there = set(list_files(folder, {".png"})[0])
    maps: list[str] = []
    for image in range(len(index.names)):
        name = within("", index.map_name(image)) or ""
        maps.append(str(folder / name) if name in there else "")
    return maps


def _of_split(split: str, stem: str) -> list[str]:
    """`train2017` and `train` for instances_train2017."""
    year = stem.rpartition("_")[2]
    return [name for name in (year, split, {"val": "valid"}.get(split, "")) if name]


def _inside(name: str, index: CocoIndex) -> str:
    inner = within("", name)
    if inner is None:
        raise DataError(
            f"{index.path}: the file name {name[:80]!r} leads out of the data set's folder; correct it"
        )
    return inner
