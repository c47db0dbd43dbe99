"""Tar files that somebody else wrote: their members paired to samples, by the names that WebDataset uses.

A sample's picture and mask share what stands before their endings: `NAME.jpg` and `NAME.mask.png` (or
`.seg.`, `.label.` …), or `NAME.jpg` and `NAME.png`. Other members (`NAME.json`, `NAME.cls`) are passed over.
Knows names and headers; nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelwise.data.inside import SPLITS, within
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.data.mendable import SKIP_UNPAIRED, MendableError
from pixelwise.data.shards.source import FolderSource
from pixelwise.data.shards.table import Located, Member, SampleTable, Shard
from pixelwise.data.shards.tar import LARGEST, scan_tar
from pixelwise.errors import DataError

_MASKS = frozenset(
    (
        "mask",
        "masks",
        "seg",
        "segmentation",
        "label",
        "labels",
        "gt",
        "target",
        "annotation",
        "labelmap",
        "trimap",
    )
)
_LOSSY = frozenset((".jpg", ".jpeg", ".jpe", ".jfif"))


@dataclass(eq=False)
class Gathered:
    """What the tars hold.

    Attributes:
        table: The samples, in the order of the tars and of their members.
        splits: Places by split, where the names of all tars or of their folders say them.
        lonely: Members whose other half is missing, as `SHARD/MEMBER`, which were left out.
        passed_over: Members that are neither pictures nor masks, links and devices among them.
    """

    table: SampleTable = field(default_factory=SampleTable)
    splits: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    lonely: list[str] = field(default_factory=list[str])
    passed_over: int = 0


def gather(root: Path, tars: Sequence[str], *, skip_unpaired: bool) -> Gathered:
    """Reads the headers of all tars.

    Where two tars have a sample of one name, every name gets its tar's before it.

    Args:
        root: The set's folder.
        tars: Their paths relative to it.
        skip_unpaired: Leave out what has no other half.

    Raises:
        DataError: A tar is damaged, or has a member that cannot be; a picture has no mask, or more than one.
    """
    found = Gathered()
    source = FolderSource(root)
    samples: list[tuple[str, Located]] = []
    for number, name in enumerate(tars):
        shard = Shard(name, _size(root / name))
        found.table.shards.append(shard)
        members = _members(source, shard, root, found)
        for stem, (picture, mask) in _paired(members, root / name, found, skip_unpaired).items():
            samples.append((stem, Located(number, picture, mask)))
    prefixed = len({stem for stem, _ in samples}) < len(samples)
    for stem, sample in samples:
        tar = tars[sample.shard].removesuffix(".tar")
        found.table.add(f"{tar}/{stem}" if prefixed else stem, sample)
    double = found.table.seal()
    if double is not None:
        raise DataError(f"{root}: two samples are called {double!r}; give the members names of their own")
    found.splits = _splits(tars, [sample.shard for _, sample in samples])
    return found


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path}: this shard cannot be read ({error.strerror}); restore or remove it"
        ) from error


def _members(source: FolderSource, shard: Shard, root: Path, found: Gathered) -> Iterator[Member]:
    """The files with the ending of a picture."""
    where = str(root / shard.name)
    seen: set[str] = set()
    members = scan_tar(lambda offset, count: source.read(shard, offset, count), shard.size, where)
    for member in members:
        name = within("", member.name)
        if name is None:
            raise DataError(
                f"{where}: the name {member.name[:80]!r} leads out of the archive; write the shard again "
                "with plain names"
            )
        if name in seen:
            raise DataError(f"{where}: there are two members {name[:80]!r}; write the shard again")
        seen.add(name)
        base = name.rpartition("/")[2]
        if not member.plain or base.startswith(".") or _ending(base) not in PICTURE_ENDINGS:
            found.passed_over += 1
            continue
        if member.size > LARGEST:
            raise DataError(
                f"{where}/{name}: {member.size:,} bytes are more than the {LARGEST:,} that a picture may have"
            )
        yield Member(name, member.offset, member.size)


def _paired(
    members: Iterable[Member], tar: Path, found: Gathered, skip_unpaired: bool
) -> dict[str, tuple[Member, Member]]:
    """Picture and mask by what their names share, in the order of the first of the two."""
    groups: dict[str, list[Member]] = {}
    for member in members:
        groups.setdefault(_stem(member.name), []).append(member)
    pairs: dict[str, tuple[Member, Member]] = {}
    for stem, group in groups.items():
        masks = [member for member in group if _marked(member.name)]
        pictures = [member for member in group if not _marked(member.name)]
        if not masks and len(pictures) == 2:
            pictures.sort(key=lambda member: _ending(member.name) not in _LOSSY)
            if _ending(pictures[0].name) in _LOSSY and _ending(pictures[1].name) not in _LOSSY:
                pictures, masks = pictures[:1], pictures[1:]
        if len(pictures) == len(masks) == 1:
            pairs[stem] = pictures[0], masks[0]
        elif len(group) == 1:
            found.lonely.append(f"{tar.name}/{group[0].name}")
        else:
            listed = ", ".join(member.name for member in group[:4])
            raise DataError(
                f"{tar}: of {listed} one must be the picture and one the mask: call them {stem}.jpg and "
                f"{stem}.mask.png"
            )
    if found.lonely and not skip_unpaired:
        raise MendableError(
            f"{tar}: {found.lonely[0].partition('/')[2]} has no other half: a picture NAME.jpg needs its "
            "mask NAME.mask.png in the same shard, and a mask its picture; --skip-unpaired leaves such out",
            SKIP_UNPAIRED,
        )
    return pairs


def _ending(name: str) -> str:
    """The last ending, in small letters."""
    dot = name.rfind(".")
    return name[dot:].lower() if dot >= 0 else ""


def _marked(name: str) -> bool:
    """Whether the ending before the last says that it is a mask."""
    parts = name.rpartition("/")[2].split(".")
    return len(parts) > 2 and parts[-2].lower() in _MASKS


def _stem(name: str) -> str:
    folder, slash, base = name.rpartition("/")
    parts = base.split(".")
    return folder + slash + ".".join(parts[: -2 if _marked(name) else -1])


def _splits(tars: Sequence[str], shard_of: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """`train-00000.tar` or `train/00000.tar`, if all tars are called so."""
    names: list[str] = []
    for tar in tars:
        first = tar.partition("/")[0].removesuffix(".tar").lower()
        name = next((split for split in sorted(SPLITS, key=len, reverse=True) if first.startswith(split)), "")
        if not name or first[len(name) : len(name) + 1].isalpha():
            return {}
        names.append(name)
    splits: dict[str, list[int]] = {}
    for place, shard in enumerate(shard_of):
        splits.setdefault(names[shard], []).append(place)
    return {name: tuple(places) for name, places in splits.items()}


__all__ = ["Gathered", "gather"]
