"""Reader `camvid`: the Cambridge driving videos, in SegNet's layout and in the original one.

    train/NAME.png + trainannot/NAME.png (val, test likewise), train.txt …      11 classes, 11 = void
    701_StillsRaw_full/NAME.png + LabeledApproved_full/NAME_L.png               32 colours, merged to the 11

Brostow, Fauqueur, Cipolla: Semantic object classes in video, Pattern Recognition Letters 2009; the 11
classes, their order and their colours are those of Badrinarayanan et al., SegNet, 2017. The lists' paths
start with another root (/SegNet/CamVid/), so only their ends count. The original brings no split. Knows
these two layouts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.found_classes import CLASSES_FILE, names_its_own
from pixelwise.data.listing import Listing, list_pictures, pair, passed_over_note, subfolders
from pixelwise.data.lists import split_by_lists
from pixelwise.data.mapping import LabelTable, parse_map
from pixelwise.data.reader import LabelledPictures
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import DataError
from pixelwise.types import Classes

FORMAT = "camvid"
CLASSES = Classes(
    (
        *("sky", "building", "pole", "road", "pavement", "tree"),
        *("sign_symbol", "fence", "car", "pedestrian", "bicyclist"),
    ),
    (
        *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0)),
        *((192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
    ),
)
VOID = 11

# The original's colours, each with its name there, under the class that SegNet's evaluation counts it to.
MERGED: dict[str, tuple[tuple[str, Colour], ...]] = {
    "sky": (("Sky", (128, 128, 128)),),
    "building": (
        ("Building", (128, 0, 0)),
        ("Bridge", (0, 128, 64)),
        ("Wall", (64, 192, 0)),
        ("Tunnel", (64, 0, 64)),
        ("Archway", (192, 0, 128)),
    ),
    "pole": (("Column_Pole", (192, 192, 128)), ("TrafficCone", (0, 0, 64))),
    "road": (
        ("Road", (128, 64, 128)),
        ("LaneMkgsDriv", (128, 0, 192)),
        ("LaneMkgsNonDriv", (192, 0, 64)),
    ),
    "pavement": (
        ("Sidewalk", (0, 0, 192)),
        ("ParkingBlock", (64, 192, 128)),
        ("RoadShoulder", (128, 128, 192)),
    ),
    "tree": (("Tree", (128, 128, 0)), ("VegetationMisc", (192, 192, 0))),
    "sign_symbol": (
        ("SignSymbol", (192, 128, 128)),
        ("Misc_Text", (128, 128, 64)),
        ("TrafficLight", (0, 64, 64)),
    ),
    "fence": (("Fence", (64, 64, 128)),),
    "car": (
        ("Car", (64, 0, 128)),
        ("SUVPickupTruck", (64, 128, 192)),
        ("Truck_Bus", (192, 128, 192)),
        ("Train", (192, 64, 128)),
        ("OtherMoving", (128, 64, 64)),
    ),
    "pedestrian": (
        ("Pedestrian", (64, 64, 0)),
        ("Child", (192, 128, 64)),
        ("CartLuggagePram", (64, 0, 192)),
        ("Animal", (64, 128, 64)),
    ),
    "bicyclist": (("Bicyclist", (0, 128, 192)), ("MotorcycleScooter", (192, 0, 192))),
}
_VOID_COLOUR: Colour = (0, 0, 0)
_SPLITS = ("train", "val", "test")
_ORIGINAL = ("701_StillsRaw_full", "LabeledApproved_full")
_FRAME = re.compile(r"^(0001TP|0006R0|0016E5|Seq05VD)_f?\d+")
"""How the frames of the four videos are called; no other data set's pictures are."""


def recognises(root: Path) -> bool:
    """Whether the folders are laid out in one of the two ways and hold CamVid's frames."""
    folders = subfolders(root)
    if (root / CLASSES_FILE).is_file():
        return False  # relabelled frames are a data set of their own
    if all(name in folders for name in _ORIGINAL):
        return True
    named = [name for name in _SPLITS if name in folders and f"{name}annot" in folders]
    files = (path for name in named for path in islice(folders[f"{name}annot"].iterdir(), 100))
    return any(_FRAME.match(path.name) for path in files)


def open_camvid(root: Path, config: DataConfig) -> LabelledPictures:
    """Pairs frames and masks; folders and lists become the splits.

    Raises:
        DataError: The layout is another, or a frame has no mask or the reverse.
        ConfigError: A mapping to a class that does not exist.
    """
    folders = subfolders(root)
    classes = Classes(tuple(config.classes)) if names_its_own(config, CLASSES) else CLASSES
    pairs = parse_map(config.map)
    entries = Entries(root)
    if all(name in folders for name in _ORIGINAL):
        stills, masks = (list_pictures(folders[name]) for name in _ORIGINAL)
        said = pair(entries, stills, masks, skip_unpaired=config.skip_unpaired)
        table = LabelTable(len(classes), pairs, _colours(classes))
        said = (*said, "32 colours are merged to 11")
        return _reader(root, classes, table, entries, {}, said, [stills, masks])
    named = [name for name in _SPLITS if name in folders and f"{name}annot" in folders]
    if not named:
        raise DataError(
            f"{root}: format camvid needs train/ + trainannot/, or {_ORIGINAL[0]}/ + {_ORIGINAL[1]}/; for "
            "other folders leave --format away"
        )
    notes: list[str] = []
    listings: list[Listing] = []
    for name in named:
        sides = list_pictures(folders[name]), list_pictures(folders[f"{name}annot"])
        notes += pair(entries, *sides, prefix=f"{name}/", skip_unpaired=config.skip_unpaired)
        listings += sides
    places = entries.places()
    lists = {name: root / f"{name}.txt" for name in named if (root / f"{name}.txt").is_file()}
    splits, missing = split_by_lists(lists, places)
    for name in named:
        within = tuple(index for entry, index in places.items() if entry.startswith(f"{name}/"))
        splits.setdefault(name, within)
    values = {raw: raw for raw in range(len(classes))} | {VOID: IGNORE, IGNORE: IGNORE} | pairs
    table = LabelTable(len(classes), values)
    return _reader(root, classes, table, entries, splits, (*notes, *missing), listings)


def _reader(
    root: Path,
    classes: Classes,
    table: LabelTable,
    entries: Entries,
    splits: dict[str, tuple[int, ...]],
    said: Sequence[str],
    listings: Sequence[Listing],
) -> LabelledPictures:
    named = "CamVid's 11 classes" if classes is CLASSES else f"{len(classes)} classes from --classes"
    notes = (
        f"format camvid: {len(entries):,} frames",
        f"{named}; void is ignored",
        *said,
        *passed_over_note(listings),
    )
    return LabelledPictures(FORMAT, root, classes, table, entries, splits, notes)


def _colours(classes: Classes) -> dict[Colour, int]:
    """The original's colours as ids; with other class names the first of them keep their meaning."""
    merged = enumerate(MERGED.values())
    table = {colour: index for index, parts in merged if index < len(classes) for _, colour in parts}
    return {**table, _VOID_COLOUR: IGNORE}
