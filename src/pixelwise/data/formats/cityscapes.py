"""Reader `cityscapes`: the street scenes of 50 cities, fine and coarse labels.

    leftImg8bit/SPLIT/CITY/X_leftImg8bit.png
    gtFine/SPLIT/CITY/X_gtFine_labelIds.png, or X_gtFine_labelTrainIds.png, or X_gtFine_polygons.json
    gtCoarse/SPLIT/CITY/X_gtCoarse_…         with --masks gtCoarse

Cordts et al.: The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016. Raw ids 0..33
become the 19 train ids of the official label table; all others are ignored. A picture without labels (the
test cities) is no sample, nor are labels without a picture. Polygons are drawn as the official scripts draw
them: filled, in their order, `…group` labels as the single one. Knows this layout.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries, Entry
from pixelwise.data.formats.published import published
from pixelwise.data.found_classes import CLASSES_FILE, names_its_own
from pixelwise.data.io import PICTURE_ENDINGS, RawMask
from pixelwise.data.json_file import member, objects, read_json
from pixelwise.data.listing import list_files, subfolders
from pixelwise.data.mapping import LabelTable, parse_map
from pixelwise.data.reader import LabelledPictures, MaskFiles
from pixelwise.data.shapes import check_inside, parse_points
from pixelwise.drawing import IGNORE
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import size_text

FORMAT = "cityscapes"
_PICTURES = "leftImg8bit"
_LABELS = ("gtFine", "gtCoarse")
_KINDS = ("labelIds.png", "labelTrainIds.png", "polygons.json")  # the first that is there is taken
_UNLABELED = 0


def recognises(root: Path) -> bool:
    """Whether there are leftImg8bit/ and gtFine/ or gtCoarse/, and no classes of the user's own."""
    folders = subfolders(root)
    return (
        _PICTURES in folders
        and any(name in folders for name in _LABELS)
        and not (root / CLASSES_FILE).is_file()
    )


def open_cityscapes(root: Path, config: DataConfig) -> LabelledPictures:
    """Pairs pictures and labels by city and frame; the folders are the splits.

    Raises:
        DataError: The layout is another, or no picture has labels.
        ConfigError: A mapping to a class that does not exist, or classes that the data set does not have.
    """
    table = published(FORMAT)
    if names_its_own(config, table.classes):
        raise ConfigError(f"cityscapes has the classes {', '.join(table.classes.names)}; choose among them")
    folders = subfolders(root)
    kind = _which(root, config, [name for name in _LABELS if name in folders])
    if _PICTURES not in folders:
        raise DataError(
            f"{root}: format cityscapes needs {_PICTURES}/ beside {kind}/; unpack both archives here"
        )
    pictures, _ = list_files(folders[_PICTURES], PICTURE_ENDINGS)
    labels = _labels(folders[kind], kind)
    entries = Entries(root)
    splits: dict[str, list[int]] = {}
    for picture in pictures:
        name = picture.rpartition(".")[0].removesuffix(f"_{_PICTURES}")
        ending = labels.pop(name, None)
        if ending is not None:
            splits.setdefault(name.partition("/")[0], []).append(len(entries))
            entries.add(name, f"{_PICTURES}/{picture}", f"{kind}/{name}_{kind}_{ending}")
    without = len(pictures) - len(entries)
    if not entries:
        raise DataError(
            f"{root}: none of the {len(pictures):,} pictures in {_PICTURES}/ has labels in {kind}/; expected "
            f"{kind}/SPLIT/CITY/X_{kind}_labelIds.png beside {_PICTURES}/SPLIT/CITY/X_{_PICTURES}.png"
        )
    other = next((name for name in _LABELS if name in folders and name != kind), None)
    notes = (
        f"format cityscapes: {len(entries):,} pictures with labels in {kind}/",
        "the 19 classes of the official evaluation; all others are ignored",
        *((f"{without:,} pictures without labels are left out",) if without else ()),
        *((f"{len(labels):,} labels without a picture are left out",) if labels else ()),
        *((f"{other}/ is there too: --masks {other} reads it",) if other else ()),
    )
    values = LabelTable(len(table.classes), {**table.values, **parse_map(config.map)})
    own = {name: tuple(indices) for name, indices in splits.items()}
    return LabelledPictures(FORMAT, root, table.classes, values, entries, own, notes, CityscapesLabels())


class CityscapesLabels:
    """Id maps as they are, train ids turned back into ids, polygons drawn."""

    drawn = False

    def raw(self, index: int, entry: Entry, size: tuple[int, int]) -> RawMask:
        """Raw ids 0..33 `(H, W)`."""
        if entry.labels.suffix == ".json":
            return draw_polygons(entry.labels, size)
        raw = MaskFiles().raw(index, entry, size)
        return _from_train_ids(raw, entry.labels) if entry.labels.name.endswith("TrainIds.png") else raw


def draw_polygons(path: Path, size: tuple[int, int]) -> RawMask:
    """The id map of a polygons.json, for a picture of `size` = (height, width).

    Raises:
        DataError: The json is damaged, for another size, or has a label that Cityscapes does not have.
    """
    names = published(FORMAT).names
    document, where = read_json(path), str(path)
    stated = member(document, "imgHeight", int, where), member(document, "imgWidth", int, where)
    if stated != tuple(size):
        raise DataError(
            f"{path} is for a picture of {size_text(stated)}, but that has {size_text(size)}; pair the right "
            "files"
        )
    canvas = Image.new("L", (size[1], size[0]), _UNLABELED)
    draw = ImageDraw.Draw(canvas)
    for number, item in enumerate(objects(document, "objects", where)):
        here = f"{path}, object {number}"
        if item.get("deleted"):
            continue
        label = member(item, "label", str, here)
        value = names.get(label, names.get(label.removesuffix("group")))
        if value is None:
            raise DataError(f"{here}: Cityscapes has no label {label!r}; correct it, or remove the object")
        if value < 0:
            continue  # the license plate: not in id maps
        points = parse_points(item.get("polygon"), here, at_least=3)
        check_inside(points, size, here)
        draw.polygon([(float(x), float(y)) for x, y in points], fill=value)
    return np.asarray(canvas)


def _from_train_ids(raw: RawMask, path: Path) -> RawMask:
    """Ids again, so that one table serves every kind of file; 255 becomes unlabeled."""
    table = published(FORMAT)
    back = {train: value for value, train in table.values.items() if train != IGNORE} | {IGNORE: _UNLABELED}
    ids = LabelTable(IGNORE, back)  # its "classes" are the ids here
    return ids.apply(raw, path)


def _labels(folder: Path, kind: str) -> dict[str, str]:
    """Frame -> the kind of label file that is taken for it."""
    found: dict[str, str] = {}
    paths, _ = list_files(folder, {".png", ".json"})
    for ending in reversed(_KINDS):
        suffix = f"_{kind}_{ending}"
        found |= {path.removesuffix(suffix): ending for path in paths if path.endswith(suffix)}
    return found


def _which(root: Path, config: DataConfig, there: list[str]) -> str:
    if config.masks:
        if config.masks not in there:
            raise DataError(
                f"{root}: there is no {config.masks}/; there is {' and '.join(there) or 'no label folder'}"
            )
        return config.masks
    if not there:
        raise DataError(f"{root}: format cityscapes needs gtFine/ or gtCoarse/; unpack the labels here")
    return there[0]
