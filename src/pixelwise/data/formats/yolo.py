"""Reader `yolo`: polygons in the text files of YOLO's segmentation, as Ultralytics and Roboflow lay them out.

    data.yaml                       names: …, path: …, train: images/train, val: images/val
    images/train/NAME.jpg           labels/train/NAME.txt        (the last `images` of a path is `labels`)
    train/images/… train/labels/…   Roboflow's order of the folders; or lists of pictures, train: train.txt

Ultralytics documents both at https://docs.ultralytics.com/datasets/segment/. A class's raw value is its index
plus one; 0 is what lies in no polygon. Knows this layout; `yolo_yaml` reads data.yaml, `yolo_labels` the text
files, none before its sample is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.formats.named_classes import LabelNames, name_classes
from pixelwise.data.formats.yolo_labels import YoloLabels
from pixelwise.data.formats.yolo_lonely import labels_without_picture
from pixelwise.data.formats.yolo_pictures import find_pictures
from pixelwise.data.formats.yolo_yaml import SPLITS, YoloYaml, parse_yaml, read_members
from pixelwise.data.inside import is_file, within
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.listing import left_out_note, subfolders
from pixelwise.data.mapping import LabelTable
from pixelwise.data.reader import LabelledPictures
from pixelwise.errors import ConfigError, DataError

FORMAT = "yolo"
_YAMLS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_GLANCE = 50


def recognises(root: Path) -> bool:
    """Whether there is a data.yaml, or another YAML with its members, and no masks in labels/."""
    folders = subfolders(root)
    return bool(_yamls(root)) and not any(_holds_pictures(folder) for folder in _label_folders(folders))


def open_yolo(root: Path, config: DataConfig) -> LabelledPictures:
    """Finds the pictures of each split and their label files.

    Raises:
        DataError: There is no data.yaml, it says what cannot be, or its pictures or labels are not there.
        ConfigError: `--map` is given.
    """
    if config.map:
        raise ConfigError(
            "--map is for the values of masks, but yolo has named shapes: use --merge or --ignore instead"
        )
    subfolders(root)
    said = parse_yaml(_yaml(root, config))
    names = name_classes(said.names, str(said.path))
    splits, notes = find_pictures(root, said)
    entries = Entries(root)
    pictures = sorted({picture for found in splits.values() for picture in found})
    places = {picture: place for place, picture in enumerate(pictures)}
    for picture in pictures:
        entries.add(picture.rpartition(".")[0], picture, label_path(picture))
    if len(entries.places()) != len(entries):
        raise DataError(
            f"{root}: two pictures differ in their ending only and share a label file; remove one"
        )
    present = _present(root, pictures)
    lonely = labels_without_picture(root, pictures, label_path)
    for path in lonely:
        entries.unpaired.labels.append(path)
    return LabelledPictures(
        *(FORMAT, root, names.classes, _table(said, names), entries),
        {split: tuple(sorted(places[picture] for picture in found)) for split, found in splits.items()},
        (
            f"format yolo: {len(entries):,} pictures of {len(said.names)} classes in {said.path.name}",
            *((f"{said.path.name} has no names, so they are called class_0 …",) if said.invented else ()),
            names.note(),
            *notes,
            *left_out_note("label files without a picture", lonely),
            *_notes(root, splits, present),
        ),
        YoloLabels(len(said.names), present),
        shared=(said.path,),
    )


def label_path(picture: str) -> str:
    """Where the labels of a picture stand: its last folder `images` is `labels`; without one, beside it."""
    folders = picture.rpartition(".")[0].split("/")
    for place in range(len(folders) - 2, -1, -1):
        if folders[place] == "images":
            return "/".join((*folders[:place], "labels", *folders[place + 1 :])) + ".txt"
    return "/".join(folders) + ".txt"


def _table(said: YoloYaml, names: LabelNames) -> LabelTable:
    values = {place: names.values[name] for place, name in enumerate(said.names, start=1)}
    return LabelTable(len(names.classes), {0: names.unlabelled, **values})


def _yamls(root: Path) -> list[Path]:
    """The files that may be the data.yaml: of that name, else any YAML with its members."""
    named = [path for name in _YAMLS if (path := root / name).is_file()]
    if named and _may_describe_data(named[0]):
        return named[:1]
    endings = (".yaml", ".yml")
    try:
        others = [
            path for path in sorted(root.iterdir()) if path.suffix.lower() in endings and path.is_file()
        ]
    except OSError:
        return []
    return [path for path in others[:_GLANCE] if _may_describe_data(path, sure=True)]


def _may_describe_data(path: Path, *, sure: bool = False) -> bool:
    """Whether a YAML has the members of a data.yaml; a damaged one may, unless that must be `sure`."""
    try:
        members = read_members(path)
    except DataError:
        return not sure
    return bool({"names", "nc"} & members.keys()) and any(members.get(split) for split in SPLITS)


def _yaml(root: Path, config: DataConfig) -> Path:
    if config.annotations:
        inner = within("", config.annotations, root=root)
        if inner is None or not is_file(root / inner):
            raise ConfigError(f"--annotations {config.annotations}: there is no such file in {root}")
        return root / inner
    found = _yamls(root)
    if len(found) != 1:
        there = f"there are {', '.join(path.name for path in found[:4])}" if found else "there is none"
        raise DataError(
            f"{root}: format yolo needs a data.yaml, but {there}; name it with --annotations FILE"
        )
    return found[0]


def _label_folders(folders: Mapping[str, Path]) -> Iterator[Path]:
    if "labels" in folders:
        yield folders["labels"]
        yield from subfolders(folders["labels"]).values()
    yield from (path / "labels" for path in folders.values() if (path / "labels").is_dir())


def _holds_pictures(folder: Path) -> bool:
    """Whether there are pictures among the first files, as in a folder of masks."""
    try:
        with os.scandir(folder) as found:
            return any(Path(item.name).suffix.lower() in PICTURE_ENDINGS for item in islice(found, _GLANCE))
    except OSError:
        return False


def _present(root: Path, pictures: Iterable[str]) -> bytes:
    """One byte for each picture: whether it has a label file. Folders are listed, no file is asked for."""
    listed: dict[str, frozenset[str]] = {}
    found = bytearray()
    for picture in pictures:
        folder, _, name = label_path(picture).rpartition("/")
        if folder not in listed:
            listed[folder] = _names_in(root / folder)
        found.append(name in listed[folder])
    return bytes(found)


def _names_in(folder: Path) -> frozenset[str]:
    try:
        with os.scandir(folder) as found:
            return frozenset(item.name for item in found)
    except OSError:
        return frozenset()


def _notes(root: Path, splits: Mapping[str, Sequence[str]], present: bytes) -> Iterator[str]:
    """Says which pictures have no labels, and which are in several splits.

    Raises:
        DataError: None has labels.
    """
    without = present.count(0)
    if without == len(present):
        first = next(iter(splits.values()))[0]
        raise DataError(
            f"{root}: none of the {without:,} pictures has a label file; expected {label_path(first)} "
            f"for {first}"
        )
    if without:
        yield f"{without:,} of {len(present):,} pictures have no label file, so there is no object on them"
    twice = sum(map(len, splits.values())) - len(present)
    if twice:
        yield f"{twice:,} pictures are in more than one split"
