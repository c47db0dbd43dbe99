"""data.yaml of a YOLO data set: the classes' names, and where the pictures of each split lie.

Knows the members of such a file; which of the folders are there is `yolo`'s business. Anchors and aliases of
YAML are refused: no data set needs them, and a few lines of them can stand for gigabytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from pixelwise.data.json_file import type_name
from pixelwise.errors import DataError
from pixelwise.types import MAX_CLASSES

SPLITS = ("train", "val", "test")
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class YoloYaml:
    """What a data.yaml says.

    Attributes:
        path: The file.
        base: Its `path`: the folder that the others are relative to, as written; empty where there is none.
        names: The classes in the order of their indices.
        invented: Whether it gives their number only, so that the names are made up.
        splits: train, val, test -> folders or lists of pictures, as written.
    """

    path: Path
    base: str
    names: tuple[str, ...]
    invented: bool
    splits: Mapping[str, tuple[str, ...]]


class _PlainLoader(yaml.SafeLoader):
    """YAML's plain values, without aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        events: Any = self  # the parser half of the loader, whose types are loose
        if events.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it uses an alias (*), which no data.yaml needs")
        return super().compose_node(parent, index)


def read_members(path: Path) -> dict[str, object]:
    """The file's members.

    Raises:
        DataError: It cannot be read, is too large, no YAML, or no mapping.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{path}: {size:,} bytes are more than the {MAX_BYTES:,} that a data.yaml may have"
            )
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text; save it anew") from error
    try:
        value = cast("object", yaml.load(text, Loader=_PlainLoader))  # a safe loader
    except Exception as error:  # foreign text: besides its own errors PyYAML raises KeyError, ValueError …
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DataError(f"{path}: this is no YAML that can be read ({reason}); correct it") from error
    if not isinstance(value, dict):
        raise DataError(f"{path}: members like names and train were expected, but this is {_kind(value)}")
    members = cast("dict[object, object]", value)
    return {name: member for name, member in members.items() if isinstance(name, str)}


def parse_yaml(path: Path) -> YoloYaml:
    """Reads a data.yaml.

    Raises:
        DataError: As `read_members`; also for names or folders that cannot be.
    """
    members = read_members(path)
    base = members.get("path")
    if base is not None and not isinstance(base, str):
        raise DataError(f"{path}: path must be a folder, but it is {_kind(base)}")
    # Roboflow writes `val`, its folder being called valid.
    named = {split: members.get(split) for split in SPLITS}
    if named["val"] is None:
        named["val"] = members.get("valid", members.get("validation"))
    splits = {
        split: _places(value, f"{path}: {split}") for split, value in named.items() if value is not None
    }
    if not any(splits.values()):
        raise DataError(f"{path}: it names no pictures; add train: images/train, val: images/val")
    names = _names(members, path)
    return YoloYaml(path, base or "", names, members.get("names") is None, splits)


def _names(members: Mapping[str, object], path: Path) -> tuple[str, ...]:
    value, count = members.get("names"), members.get("nc")
    if count is not None and not (type(count) is int and 0 < count <= MAX_CLASSES):
        raise DataError(
            f"{path}: nc must be a number of classes in 1..{MAX_CLASSES}, but it is {_kind(count)}"
        )
    if value is None and isinstance(count, int):
        return tuple(f"class_{index}" for index in range(count))
    if isinstance(value, list):
        listed = cast("list[object]", value)
    elif isinstance(value, dict):
        listed = _in_order(cast("dict[object, object]", value), path)
    else:
        raise DataError(
            f"{path}: names must list the classes, but it is {_kind(value)}; add names: [cat, dog]"
        )
    if not 0 < len(listed) <= MAX_CLASSES:
        raise DataError(f"{path}: 1 to {MAX_CLASSES} names can be told apart, but there are {len(listed):,}")
    names = tuple(_name(name, index, path) for index, name in enumerate(listed))
    if isinstance(count, int) and count != len(names):
        raise DataError(f"{path}: nc says {count} classes, but {len(names)} names stand there; correct one")
    return names


def _in_order(names: dict[object, object], path: Path) -> list[object]:
    """`{0: cat, 1: dog}` as a list; the numbers may be texts."""
    by_index: dict[int, object] = {}
    for key, name in names.items():
        digits = isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 6
        index = int(key) if digits and isinstance(key, str) else key
        if type(index) is not int or index in by_index:
            raise DataError(f"{path}: names must be numbered 0, 1, 2 …, but one is {_kind(key)}")
        by_index[index] = name
    missing = next((index for index in range(len(by_index)) if index not in by_index), None)
    if missing is not None:
        raise DataError(
            f"{path}: names must be numbered 0 to {len(by_index) - 1}, but {missing} is missing; add it"
        )
    return [by_index[index] for index in range(len(by_index))]


def _name(name: object, index: int, path: Path) -> str:
    if type(name) in (int, float):  # 7 is a name as good as seven
        return str(name)
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise DataError(
            f"{path}: the name of class {index} must be a text, but it is {_kind(name)}; put it in quotes"
        )
    return name.strip()


def _places(value: object, where: str) -> tuple[str, ...]:
    """A folder or list of pictures, or several of them."""
    found = cast("Sequence[object]", value) if isinstance(value, list) else [value]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) != len(found):
        other = next(text for text in found if not isinstance(text, str))
        raise DataError(
            f"{where} must be a folder of pictures, or a list of such, but it holds {_kind(other)}"
        )
    return tuple(text for text in texts if text.strip())


def _kind(value: object) -> str:
    """What a value is; its own words only where they are few."""
    if isinstance(value, str):
        return f"{value[:40]!r}"
    if isinstance(value, bool | int | float):
        return str(value)[:40].lower()
    return type_name(value)
