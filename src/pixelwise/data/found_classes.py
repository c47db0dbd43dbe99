"""Which classes a set of masks holds: from the configuration, classes.txt, or the masks themselves.

Knows masks and names; not how folders are laid out. What the masks don't say plainly is an error with a
proposal, never a guess.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.ahead import in_order
from pixelwise.data.classes_file import read_classes
from pixelwise.data.entries import Entry
from pixelwise.data.io import RawMask, UnreadableError, read_mask_values
from pixelwise.data.mapping import (
    LabelTable,
    UnknownValueError,
    build_table,
    count_values,
    grey_only,
    parse_map,
)
from pixelwise.data.mendable import MendableError, data_error
from pixelwise.data.remedy import propose
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError, DataError
from pixelwise.types import MAX_CLASSES, Classes

CLASSES_FILE = "classes.txt"
_NAME_THEM = f"or name the classes with --classes, or in {CLASSES_FILE}"


def _read_file(entry: Entry) -> RawMask:
    return read_mask_values(entry.labels)


def decide_classes(
    root: Path, entries: Sequence[Entry], config: DataConfig, *, read: Callable[[Entry], RawMask] = _read_file
) -> tuple[Classes, LabelTable, tuple[str, ...]]:
    """The classes, the table from raw values to their ids, and sentences that say where they come from.

    Args:
        root: Where a classes.txt may be.
        entries: The samples.
        config: How the set is read.
        read: Gives the mask of a sample; decodes its file where not given.

    Raises:
        DataError: The masks' values leave open what they mean; a `MendableError` proposes the mapping.
        ConfigError: A mapping to a class that does not exist, or a tolerance that joins two classes.
    """
    pairs = parse_map(config.map)
    path = root / CLASSES_FILE
    if config.classes:
        classes = Classes(tuple(config.classes))
        colours: Mapping[Colour, int] = {}
        origin = f"{len(classes)} classes from --classes"
    elif path.is_file():
        listed = read_classes(path)
        classes, colours = listed.classes, listed.colours
        origin = f"{len(classes)} classes from {CLASSES_FILE}"
    else:
        return _from_masks(entries, pairs, config, read)
    table = build_table(len(classes), pairs, colours)
    if IGNORE not in pairs:
        _refuse_binary(entries, classes, config, read)
    return classes, table, (origin,)


def names_its_own(config: DataConfig, known: Classes) -> bool:
    """Whether `--classes` gives ids new names; naming one of `known` chooses among those, in `remap`."""
    return bool(config.classes) and not set(config.classes) & set(known.names)


def _from_masks(
    entries: Sequence[Entry], pairs: Mapping[int, int], config: DataConfig, read: Callable[[Entry], RawMask]
) -> tuple[Classes, LabelTable, tuple[str, ...]]:
    """Names classes after their ids, where the masks' values are 0, 1, 2 … without a gap."""
    seen: Counter[int | Colour] = Counter()
    for counts in _each_mask(entries, config, read):
        seen.update(counts)
        if len(seen) > MAX_CLASSES + 1:
            break  # no set of ids any more
    first = entries[0].labels
    folder = first.parent
    if not seen:
        raise DataError(f"{folder}: none of the {len(entries):,} masks can be read; {_NAME_THEM[3:]}")
    if config.snap and pairs:
        return _from_pairs(seen, pairs, config.snap, folder)
    ids = sorted({pairs.get(value, value) for value in seen if isinstance(value, int)} - {IGNORE})
    count = len(ids)
    coloured = [value for value in seen if isinstance(value, tuple)]
    if coloured or ids != list(range(count)) or count < 2:
        unknown = coloured or [value for value in seen if value not in pairs]
        proposal = propose(seen, unknown, classes=None, values=pairs, colours={}, path=first)
        said = f"{folder}: the masks hold {_listed(seen)}, but without names the values must be 0, 1, 2 …: "
        if len(seen) < 2:
            raise DataError(f"{said}there is nothing to tell apart; {_NAME_THEM}")
        text = f"{said}{proposal.text}; {_NAME_THEM}"
        if coloured and not proposal.changes:
            raise UnknownValueError(text, seen, first, {})
        raise data_error(text, proposal.changes)
    table = build_table(count, pairs)
    _refuse_unknown(seen, table, folder)
    ignored = " and 255, which is ignored" if IGNORE in seen and IGNORE not in pairs else ""
    note = (
        f"{count} classes from the values 0 to {count - 1}{ignored} in {len(entries):,} masks: they are "
        f"called class_0 to class_{count - 1} until {CLASSES_FILE} or --classes names them"
    )
    return Classes(tuple(f"class_{i}" for i in range(count))), table, (note,)


def _from_pairs(
    seen: Mapping[int | Colour, int], pairs: Mapping[int, int], snap: int, folder: Path
) -> tuple[Classes, LabelTable, tuple[str, ...]]:
    """As many classes as `--map` has ids; values between theirs are noise, which `--snap` takes away."""
    count = max((target for target in pairs.values() if target != IGNORE), default=-1) + 1
    if count < 2:
        raise ConfigError(
            f"--snap {snap} needs to know the values that are meant: give each class its own with --map, "
            f"e.g. --map 0=0 255=1, {_NAME_THEM}"
        )
    table = replace(build_table(count, pairs), tolerance=snap)
    _refuse_unknown(seen, table, folder)
    note = (
        f"{count} classes from --map: they are called class_0 to class_{count - 1} until {CLASSES_FILE} or "
        "--classes names them"
    )
    return Classes(tuple(f"class_{i}" for i in range(count))), table, (note,)


def _refuse_unknown(seen: Mapping[int | Colour, int], table: LabelTable, folder: Path) -> None:
    if table.unknown(seen):
        raise data_error(table.explain(seen, folder), table.propose(seen).changes)


def _refuse_binary(
    entries: Sequence[Entry], classes: Classes, config: DataConfig, read: Callable[[Entry], RawMask]
) -> None:
    """Stops where 255 would be ignored although it is plainly a class: all masks hold one id and 255.

    Ends as soon as a second id is seen, mostly in the first mask; then 255 is void, as in PASCAL VOC.
    """
    seen: Counter[int | Colour] = Counter()
    for counts in _each_mask(entries, config, read):
        seen.update(counts)
        if len(set(seen) - {IGNORE}) > 1:
            return
    if IGNORE not in seen:
        return
    second = classes.names[1] if len(classes) > 1 else "the second class"
    raise MendableError(
        f"{entries[0].labels.parent}: the masks hold only {_listed(seen)}, and 255 would be ignored; if 255 "
        f"means {second}, add --map 255=1, or if it is to be ignored, --map 255=ignore",
        {"map": ("255=1" if len(classes) > 1 else "255=ignore",)},
    )


def _each_mask(
    entries: Sequence[Entry], config: DataConfig, read: Callable[[Entry], RawMask]
) -> Iterator[Counter[int | Colour]]:
    """Counts the values of one mask after the other, a few ahead in threads."""

    def count(entry: Entry) -> Counter[int | Colour]:
        try:
            raw = read(entry)
        except UnreadableError:
            if config.skip_broken:
                return Counter()
            raise
        return count_values(raw[..., 0] if raw.ndim == 3 and grey_only(raw) else raw)

    yield from in_order(count, entries, workers=config.workers)


def _listed(seen: Mapping[int | Colour, int]) -> str:
    shown = sorted(seen.items(), key=lambda item: (-item[1], str(item[0])))[:8]
    shown.sort(key=lambda item: str(item[0]).rjust(16))
    kind = "the colours" if any(isinstance(value, tuple) for value in seen) else "the values"
    more = f" and {len(seen) - 8} more" if len(seen) > 8 else ""
    return f"{kind} " + ", ".join(f"{value} ({count:,} pixels)" for value, count in shown) + more
