"""Which samples train and which validate: the last N, a drawn share, whole groups, or the set's own lists.

Knows names and numbers of samples only, and opens no file. The same configuration gives the same split on
every machine: the draw sorts by a hash of each name, so it depends on no random generator, and adding
pictures to a data set moves few of the old ones to the other side. A group that grows may move whole.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pixelwise.config import DataConfig
from pixelwise.data.groups import group_of
from pixelwise.errors import DataError

DEFAULT_SHARE = 0.2
_TRAIN = ("train", "trainval", "training")
_VAL = ("val", "valid", "validation", "test", "testing")


@dataclass(frozen=True)
class Split:
    """Indices of the samples on either side, in the order of the data set, and the rule in a sentence."""

    train: tuple[int, ...]
    val: tuple[int, ...]
    rule: str

    def renumbered(self, kept: Sequence[int]) -> Split:
        """The split of the samples that are kept, by their place in `kept`."""
        new = {old: place for place, old in enumerate(kept)}
        train = tuple(new[index] for index in self.train if index in new)
        val = tuple(new[index] for index in self.val if index in new)
        return Split(train, val, self.rule)

    def without(self, broken: set[int]) -> Split:
        """The split less the broken samples; who is left stays on his side."""
        if not broken:
            return self
        train = tuple(index for index in self.train if index not in broken)
        val = tuple(index for index in self.val if index not in broken)
        return Split(train, val, self.rule)


def make_split(names: Sequence[str], official: Mapping[str, tuple[int, ...]], config: DataConfig) -> Split:
    """The split that the configuration asks for, else the data set's own, else a seeded draw.

    Args:
        names: One per sample, in the order of the data set.
        official: The data set's own splits, perhaps none.
        config: Its `val_last`, `val_share`, `val_groups` and `val_seed` count here.

    Raises:
        DataError: `val_last` leaves nothing to train on, or `val_groups` finds a single group.
    """
    count = len(names)
    if config.val_last is not None:
        return _last(count, config.val_last)
    if config.val_groups:
        return _grouped(names, config.val_share or DEFAULT_SHARE, config.val_seed)
    if config.val_share is not None:
        return _drawn(names, range(count), config.val_share, config.val_seed)
    train = next((name for name in _TRAIN if official.get(name)), None)
    val = next((name for name in _VAL if official.get(name)), None)
    if train is not None and val is not None:
        rest = count - len(official[train]) - len(official[val])
        left = f"; {rest:,} pictures of neither list are left out" if rest > 0 else ""
        rule = (
            f"the data set's own split: {len(official[train]):,} pictures of {train} to train on, "
            f"{len(official[val]):,} of {val} to validate on{left}"
        )
        return Split(official[train], official[val], rule)
    pool = official[train] if train is not None else range(count)
    return _drawn(names, pool, DEFAULT_SHARE, config.val_seed)


def _last(count: int, last: int) -> Split:
    if last >= count:
        raise DataError(
            f"--val-last {last} leaves no picture to train on: the data set has {count}; take fewer"
        )
    rule = f"sorted by name, the last {last:,} of {count:,} pictures validate"
    return Split(tuple(range(count - last)), tuple(range(count - last, count)), rule)


def _drawn(names: Sequence[str], pool: Sequence[int], share: float, seed: int) -> Split:
    if len(pool) == 1:
        return Split(tuple(pool), (), "a single picture cannot be split, so none validates")
    wanted = min(max(round(len(pool) * share), 1), len(pool) - 1)
    by_hash = sorted(pool, key=lambda i: (_rank(seed, names[i]), i))
    val = set(by_hash[:wanted])
    rule = f"{wanted:,} of {len(pool):,} pictures, drawn with seed {seed}, validate"
    return Split(tuple(i for i in pool if i not in val), tuple(sorted(val)), rule)


def _grouped(names: Sequence[str], share: float, seed: int) -> Split:
    """Whole groups in the order of their draw, each if it brings the validation nearer to its share."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(names):
        groups[group_of(name)[0]].append(index)
    if len(groups) < 2:
        raise DataError(
            f"--val-groups finds one group only, {next(iter(groups), 'of no picture')!r}, by folder and "
            "name, and a group is not split; take --val-last N for the end of a film"
        )
    wanted = min(max(round(len(names) * share), 1), len(names) - 1)
    ranked = sorted(groups, key=lambda group: (_rank(seed, group), group))
    val: list[int] = []
    drawn = 0
    for group in ranked:
        total = len(val) + len(groups[group])
        if total < len(names) and abs(total - wanted) < abs(len(val) - wanted):
            val += groups[group]
            drawn += 1
    if not val:
        val, drawn = groups[min(ranked, key=lambda group: len(groups[group]))], 1
    chosen = set(val)
    train = tuple(index for index in range(len(names)) if index not in chosen)
    rule = (
        f"{drawn:,} of {len(groups):,} groups, drawn with seed {seed}, validate: {len(val):,} of "
        f"{len(names):,} pictures"
    )
    return Split(train, tuple(sorted(val)), rule)


def _rank(seed: int, name: str) -> bytes:
    """The name's place in the draw; a file name need not be valid UTF-8."""
    return hashlib.sha256(f"{seed}:{name}".encode("utf-8", "surrogateescape")).digest()
