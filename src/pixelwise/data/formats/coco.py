"""Reader `coco`: instances (polygons, run lengths, crowds) and panoptic maps, as COCO and many tools write.

    annotations/instances_train2017.json, instances_val2017.json + train2017/, val2017/
    annotations/panoptic_train2017.json + annotations/panoptic_train2017/*.png + train2017/ …
    train/_annotations.coco.json with the pictures beside it (valid/, test/)
    annotations.json, or another name, with file names relative to it, or pictures in images/

Lin et al.: Microsoft COCO, ECCV 2014; Kirillov et al.: Panoptic Segmentation, CVPR 2019. Polygons are drawn
by the official library. A later annotation lies over an earlier one, as in COCO-Stuff's conversion of
instances; crowds lie below everything, since single objects are drawn finer. Unlabelled pixels follow
`background`; in panoptic maps they are ignored. Knows these layouts; what stands where in a json is known
to `coco_index`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.background import colours_of, number_names
from pixelwise.data.entries import Entries
from pixelwise.data.formats.coco_gather import index_coco, kind_of
from pixelwise.data.formats.coco_index import DAMAGED, INSTANCES, PANOPTIC, Category, CocoIndex
from pixelwise.data.formats.coco_labels import CocoPanoptic, CocoShapes
from pixelwise.data.formats.coco_pictures import Found, find_maps, find_pictures, unlisted
from pixelwise.data.formats.published import published
from pixelwise.data.found_classes import names_its_own
from pixelwise.data.listing import subfolders
from pixelwise.data.mapping import LabelTable
from pixelwise.data.mendable import MendableError
from pixelwise.data.reader import LabelledPictures
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import Classes

FORMAT = "coco"
_HEAD = re.compile(rb'\s*\{\s*"(info|licenses|licences|images|annotations|categories|type)"\s*:')
_OTHERS = re.compile(
    r"^(captions|person_keypoints|image_info|images_info|stuff)_"
)  # of COCO's own, not masks
_SPLIT = re.compile(r"(?:^|[_\-.])(train|val|valid|test)(?:2014|2017)?(?:$|[_\-.])")
_FEW = 64


@dataclass(frozen=True)
class _Source:
    """A json that is read, and the split that it is."""

    index: CocoIndex
    split: str
    pictures: Found


def recognises(root: Path) -> bool:
    """Whether a json at one of the usual places begins as COCO's do and has annotations with masks."""
    return any(kind_of(path) for path in _candidates(root))


def open_coco(root: Path, config: DataConfig) -> LabelledPictures:
    """Indexes the json files and finds their pictures; train, val and test in their names are the splits.

    Raises:
        DataError: There is no such json, it is damaged, its pictures are not there, or it has boxes only.
        ConfigError: Mask values were mapped, or no class given is one of the data set's.
    """
    if config.map:
        raise ConfigError("coco has named categories and no mask values: use --merge and --ignore, not --map")
    chosen, others = _choose(root, config)
    sources = [_source(root, path, config) for path in chosen]
    kind = sources[0].index.kind
    categories, dropped = _categories([source.index for source in sources])
    classes, table = _classes(categories, kind)
    if names_its_own(config, classes):
        raise ConfigError(f"{root}: the classes are {', '.join(classes.names[:12])} …; choose among them")
    entries, splits, places, missing = _entries(root, sources)
    # Where one json was chosen, the pictures that it does not list may be another's.
    strays = [] if config.annotations else unlisted([source.pictures for source in sources])
    for path in strays:
        entries.unpaired.pictures.append(path)
    raws = {category.id: raw for raw, category in enumerate(categories, start=1)}
    indices = tuple(source.index for source in sources)
    labels = (CocoShapes if kind == INSTANCES else CocoPanoptic)(indices, places, raws)
    listed = ", ".join(path.relative_to(root).as_posix() for path in chosen)
    lists = " and ".join(dict.fromkeys(source.pictures.said for source in sources))
    rest = ", ".join(path.relative_to(root).as_posix() for path in others[:3])
    notes = (
        f"format coco, {kind}: {len(entries):,} pictures of {listed}, {lists}",
        _said(classes, table, kind),
        *((f"{missing:,} pictures of the json are not there and left out",) if missing else ()),
        *((f"{len(strays):,} pictures beside them are in no json and left out",) if strays else ()),
        *(
            (f"{', '.join(dropped)} is no class: it is another's supercategory and nothing has it",)
            if dropped
            else ()
        ),
        *((f"{rest} is there too: --annotations NAME reads it",) if others else ()),
    )
    shared = tuple(index.path for index in indices) if kind == PANOPTIC else ()
    return LabelledPictures(FORMAT, root, classes, table, entries, splits, notes, labels, shared=shared)


def _candidates(root: Path) -> list[Path]:
    """Json files at the usual places that begin as COCO's do."""
    folders = subfolders(root)
    places = [root, *(folders[name] for name in folders if name == "annotations" or _SPLIT.search(name))]
    found = [
        path
        for place in places
        for path in sorted(islice((p for p in place.iterdir() if p.suffix.lower() == ".json"), _FEW))
    ]
    return [path for path in found if not _OTHERS.match(path.name) and _begins(path)][:_FEW]


def _begins(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return _HEAD.match(file.read(512).removeprefix(b"\xef\xbb\xbf")) is not None
    except OSError:
        return False


def _choose(root: Path, config: DataConfig) -> tuple[list[Path], list[Path]]:
    """The json files to read, and those of another kind that could be read instead."""
    candidates = _candidates(root)
    if config.annotations:
        path = root / config.annotations
        if not path.is_file() or not path.is_relative_to(root):
            raise DataError(f"{path}: there is no such file; --annotations names a json under {root}")
        return [path], []
    kinds = {path: kind_of(path) for path in candidates}
    for kind in (INSTANCES, PANOPTIC, DAMAGED):  # reading the last says what is wrong with it
        chosen = [path for path in candidates if kinds[path] == kind]
        if chosen:
            splits = [_split(root, path) for path in chosen]
            if len(chosen) > 1 and ("" in splits or len(set(splits)) < len(splits)):
                names = ", ".join(path.relative_to(root).as_posix() for path in chosen[:4])
                raise MendableError(
                    f"{root}: {names} could each be the annotations; say which with --annotations NAME",
                    {"annotations": chosen[0].relative_to(root).as_posix()},
                )
            return chosen, [path for path in candidates if kinds[path] not in ("", kind)]
    raise DataError(
        f"{root}: format coco needs a json with images, categories and annotations: "
        "annotations/instances_*.json, "
        "_annotations.coco.json in train/, or one named with --annotations"
    )


def _split(root: Path, path: Path) -> str:
    found = _SPLIT.search(path.stem) or (_SPLIT.search(path.parent.name) if path.parent != root else None)
    return {"valid": "val"}.get(found[1], found[1]) if found else ""


def _source(root: Path, path: Path, config: DataConfig) -> _Source:
    index = index_coco(path)
    if not index.kind:
        raise DataError(
            f"{path}: the json has no annotations, so there are no masks; export it with its shapes"
        )
    if index.kind == INSTANCES and not index.shapes:
        raise DataError(
            f"{path}: the annotations are boxes only, without segmentation; export the data set as "
            "segmentation"
        )
    split = _split(root, path)
    return _Source(index, split, find_pictures(root, index, split, config))


def _categories(indices: list[CocoIndex]) -> tuple[list[Category], list[str]]:
    """The categories of all files, which must agree, less the empty supercategory that some tools add."""
    first = indices[0]
    for other in indices[1:]:
        if [(c.id, c.name) for c in other.categories] != [(c.id, c.name) for c in first.categories]:
            raise DataError(
                f"{first.path} and {other.path} have different categories; export both from the same project"
            )
    above = {category.supercategory for category in first.categories}
    used = {number for index in indices for number in index.used}
    dropped = [c for c in first.categories if c.id == 0 and c.name in above and c.id not in used]
    dropped = [c for c in dropped if all(o.supercategory == c.name for o in first.categories if o is not c)]
    kept = [category for category in first.categories if category not in dropped]
    if not kept:
        raise DataError(f"{first.path}: the json has no categories; export the data set again")
    return kept, [category.name for category in dropped]


def _classes(categories: list[Category], kind: str) -> tuple[Classes, LabelTable]:
    if kind == PANOPTIC:  # every pixel belongs to a segment, or counts for nothing
        names = tuple(category.name for category in categories)
        values = {0: IGNORE, **{raw: raw - 1 for raw in range(1, len(names) + 1)}}
    else:
        names, values = number_names([category.name for category in categories])
    try:
        classes = Classes(names, _colours(names, categories))
    except ConfigError as error:
        raise DataError(f"the json's categories cannot be classes: {error}") from error
    return classes, LabelTable(len(classes), values)


def _colours(names: tuple[str, ...], categories: list[Category]) -> tuple[Colour, ...]:
    """The file's own colours, or COCO's for its 80 things; black for the background; else the palette's."""
    own = {category.name: category.colour for category in categories if category.colour is not None}
    official = published("coco_things").classes
    if {category.name for category in categories} == set(official.names):
        own = dict(zip(official.names, official.colours, strict=True)) | own
    wanted = [own.get(name) or ((0, 0, 0) if place == 0 else None) for place, name in enumerate(names)]
    chosen = [colour for colour in wanted if colour is not None]
    if len(own) and len(chosen) == len(names) == len(set(chosen)):
        return tuple(chosen)
    return colours_of(names)


def _entries(
    root: Path, sources: list[_Source]
) -> tuple[Entries, dict[str, tuple[int, ...]], list[tuple[int, int]], int]:
    """Samples in the order of the files, their splits, and for each the file and picture number.

    What the other half is missing of is noted as unpaired.
    """
    entries = Entries(root)
    splits: dict[str, tuple[int, ...]] = {}
    places: list[tuple[int, int]] = []
    missing = 0
    several = len(sources) > 1
    for number, source in enumerate(sources):
        begun = len(entries)
        maps = find_maps(root, source.index) if source.index.kind == PANOPTIC else None
        for image, path in enumerate(source.pictures.paths):
            labels = str(source.index.path) if maps is None else maps[image]
            if not path or not labels:
                missing += 1
                half = entries.unpaired.pictures if path else entries.unpaired.labels
                half.append(path or source.pictures.place(source.index.names[image]))
                continue
            name = source.index.names[image].replace("\\", "/").rpartition(".")[0]
            entries.add(f"{source.split}/{name}" if several else name, path, labels)
            places.append((number, image))
        if source.split:
            splits[source.split] = tuple(range(begun, len(entries)))
    if not entries:
        raise DataError(f"{root}: none of the pictures of {sources[0].index.path.name} is there")
    return entries, splits, places, missing


def _said(classes: Classes, table: LabelTable, kind: str) -> str:
    target = table.values[0]
    text = (
        "unlabelled pixels are ignored"
        if target == IGNORE
        else f"unlabelled pixels are {classes.names[target]}"
    )
    return (
        f"{len(classes)} classes; {text}" if kind == INSTANCES else f"{len(classes)} classes; void is ignored"
    )
