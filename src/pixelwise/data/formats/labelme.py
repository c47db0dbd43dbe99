"""Reader `labelme`: pictures with a json of LabelMe each, versions 3 to 6.

    NAME.jpg + NAME.json            anywhere under the folder; the picture may lie in the json instead
    labels.txt                      beside the jsons or in the folder that is opened: the classes' order
    train/… val/… test/…            first folders that are called so hold the splits

Russell et al.: LabelMe: a database and web-based tool for image annotation, IJCV 2008; the program is
Wada's, https://github.com/wkentaro/labelme. Knows this layout; what is in a json is known to `labelme_files`.
Where every json has a picture of its own name and labels.txt names the classes, no json is read before its
sample is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.ahead import in_order
from pixelwise.data.entries import Entries
from pixelwise.data.formats.labelme_files import (
    Documents,
    LabelMePictures,
    LabelMeShapes,
    choose_picture,
    is_labelme,
)
from pixelwise.data.formats.labelme_names import LABELS_FILE, found_names, read_labels
from pixelwise.data.formats.labelme_shapes import labels_of
from pixelwise.data.formats.named_classes import LabelNames, name_classes
from pixelwise.data.inside import own_splits
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.json_file import read_json
from pixelwise.data.listing import left_out_note, list_files, subfolders
from pixelwise.data.mendable import MendableError
from pixelwise.data.reader import LabelledPictures
from pixelwise.errors import ConfigError, DataError

FORMAT = "labelme"
_ENDING = ".json"
_FIRST = 8
_FIRST_BYTES = 128 << 10
_FIRST_NAMES = 50_000
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"\s*(:?)|[{}\[\]]|"', re.DOTALL)
_OTHERS = frozenset({b"images", b"annotations", b"categories"})  # of COCO


def recognises(root: Path) -> bool:
    """Whether one of the first jsons under the folder begins as LabelMe's do."""
    subfolders(root)  # says what is wrong with a folder that is none
    return any(_begins_like_labelme(path) for path in islice(_first_jsons(root), _FIRST))


def open_labelme(root: Path, config: DataConfig) -> LabelledPictures:
    """Finds the jsons, their pictures, and the classes.

    Raises:
        DataError: There is no json, one has no picture, or the list of labels cannot be.
        ConfigError: `--map` is given, or `--classes` names nothing that there is.
    """
    if config.map:
        raise ConfigError(
            "--map is for the values of masks, but labelme has named shapes: use --merge or --ignore instead"
        )
    subfolders(root)
    files, _ = list_files(root, {_ENDING, *PICTURE_ENDINGS})
    jsons = [name for name in files if name.lower().endswith(_ENDING)]
    pictures = _by_stem(name for name in files if not name.lower().endswith(_ENDING))
    lists = _label_lists(root, jsons)
    entries = Entries(root)
    labels: set[str] = set()
    foreign: list[str] = []
    lonely: list[str] = []
    surveyed = _survey(
        *(root, jsons, pictures),
        read_all=not lists,
        workers=config.workers,
        skip_unpaired=config.skip_unpaired,
    )
    for json, found in surveyed:
        if found.lonely:
            lonely.append(json)
            entries.unpaired.labels.append(json)
        elif found.image:
            entries.add(json[: -len(_ENDING)], found.image, json)
            labels |= found.labels
        else:
            foreign.append(json)
    if not entries:
        raise DataError(
            f"{root}: format labelme needs jsons beside the pictures, as LabelMe saves them, and has none; "
            "for other folders leave --format away"
        )
    if len(entries.places()) != len(entries):
        raise DataError(
            f"{root}: two jsons differ only in how their ending is written; remove one of each pair"
        )
    names, origin = _names(root, lists, labels, config)
    notes = (
        f"format labelme: {len(entries):,} pictures with shapes",
        *origin,
        names.note(),
        *left_out_note("jsons without a picture", lonely),
        *_left_out(entries, pictures, foreign),
    )
    documents = Documents()
    return LabelledPictures(
        *(FORMAT, root, names.classes, names.table(), entries, own_splits(entries.names), notes),
        labels=LabelMeShapes(names, documents),
        pictures=LabelMePictures(root, documents),
        shared=lists,
    )


@dataclass(frozen=True)
class _Found:
    """What a json is about.

    Attributes:
        image: The file that holds its picture; empty where it is no json of LabelMe.
        labels: Those of its shapes, where they were looked at.
        lonely: Whether it has no picture, and is to be left out.
    """

    image: str
    labels: frozenset[str] = frozenset()
    lonely: bool = False


def _survey(
    root: Path,
    jsons: Sequence[str],
    pictures: Mapping[str, tuple[str, ...]],
    *,
    read_all: bool,
    workers: int,
    skip_unpaired: bool,
) -> Iterator[tuple[str, _Found]]:
    """Each json with its picture; those are read whose picture is not plain, or all."""

    def beside(json: str) -> tuple[str, ...]:
        return pictures.get(json[: -len(_ENDING)], ())

    def read(json: str) -> _Found:
        path = root / json
        document = read_json(path)
        if not is_labelme(document):
            return _Found("")
        labels = frozenset(label for label, _, _ in labels_of(document, path))
        try:
            image = choose_picture(document, path, root, [root / name for name in beside(json)])
        except MendableError:
            if not skip_unpaired:
                raise
            return _Found("", lonely=True)
        return _Found(str(image.relative_to(root)), labels)

    doubtful = (json for json in jsons if read_all or len(beside(json)) != 1)
    results = in_order(read, doubtful, workers=workers)
    for json in jsons:
        yield json, next(results) if read_all or len(beside(json)) != 1 else _Found(beside(json)[0])


def _by_stem(files: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Pictures by their paths without ending."""
    found: dict[str, tuple[str, ...]] = {}
    for name in files:
        stem = name.rpartition(".")[0]
        found[stem] = (*found.get(stem, ()), name)
    return found


def _label_lists(root: Path, jsons: Sequence[str]) -> tuple[Path, ...]:
    """The labels.txt of the folder that was opened, else those beside the jsons, which must agree."""
    if (root / LABELS_FILE).is_file():
        return (root / LABELS_FILE,)
    folders = sorted({json.rpartition("/")[0] for json in jsons})
    lists = tuple(path for folder in folders if (path := root / folder / LABELS_FILE).is_file())
    for other in lists[1:]:
        if read_labels(other) != read_labels(lists[0]):
            raise DataError(f"{lists[0]} and {other} differ; put one {LABELS_FILE} for all into {root}")
    return lists


def _names(
    root: Path, lists: Sequence[Path], labels: Iterable[str], config: DataConfig
) -> tuple[LabelNames, tuple[str, ...]]:
    if lists:
        names = name_classes(read_labels(lists[0]), str(lists[0]))
        return names, (f"{len(names.classes)} classes in the order of {lists[0].relative_to(root)}",)
    names, said = found_names(labels, config.classes)
    count = len(names.classes)
    return names, (
        f"{count} classes from the labels in the jsons, each of which was read for it; {LABELS_FILE} spares "
        "that, and says their order",
        *said,
    )


def _left_out(
    entries: Entries, pictures: Mapping[str, tuple[str, ...]], foreign: Sequence[str]
) -> Iterator[str]:
    others = pictures.keys() - set(entries.names)
    used = {entry.image for entry in entries}
    folders = {name.rpartition("/")[0] for name in entries.names}
    for stem in sorted(others):
        for name in pictures[stem]:
            if stem.rpartition("/")[0] in folders and entries.root / name not in used:
                entries.unpaired.pictures.append(name)
    without = len(others)
    if without:
        yield f"{without:,} pictures without a json of their own are left out, or belong to another's"
    if foreign:
        listed = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        yield f"{len(foreign):,} json files are none of LabelMe's and are passed over: {listed}"


def _first_jsons(root: Path) -> Iterator[Path]:
    """The jsons under a folder as they come, among its first so many files."""
    seen = 0
    for folder, inner, files in os.walk(root):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        seen += len(files)
        for name in sorted(files)[:_FIRST_NAMES]:
            if name.lower().endswith(_ENDING) and not name.startswith("."):
                yield Path(folder, name)
        if seen > _FIRST_NAMES:
            return


def _begins_like_labelme(path: Path) -> bool:
    """Judges by the names of the first members: a json with its picture inside has megabytes."""
    try:
        with path.open("rb") as file:
            start = file.read(_FIRST_BYTES)
    except OSError:
        return False
    members = _first_members(start)
    if members & _OTHERS:
        return False
    return bool(members & {b"shapes", b"imageData"}) or {b"version", b"flags"} <= members


def _first_members(start: bytes) -> set[bytes]:
    """The names of the outermost object's members, as far as the bytes reach."""
    depth, names = 0, set[bytes]()
    for token in _TOKEN.finditer(start):
        text = token.group()
        if text in (b"{", b"["):
            depth += 1
        elif text in (b"}", b"]"):
            depth -= 1
        elif text == b'"':  # a text that goes on behind the end
            break
        elif depth == 1 and token.group(1):
            names.add(text[1 : text.rindex(b'"')])
    return names
