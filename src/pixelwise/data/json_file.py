"""Json from anybody: bounded in size and depth, and every surprise a sentence.

Knows json and its types; what the members mean is the business of each format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson

from pixelwise.errors import DataError

MAX_BYTES = 256 << 20
"""A file of one picture with its pixels inside is far smaller."""

Kind = TypeVar("Kind")
_NAMES: dict[Any, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a whole number",
    float: "a number",
}


def read_json(path: Path, *, limit: int = MAX_BYTES) -> dict[str, Any]:
    """The object that a json file holds.

    Raises:
        DataError: The file is missing, too large, no text, no json, nested too deeply, or no object.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise DataError(f"{path}: {size:,} bytes are more than the {limit:,} that such a file may have")
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); restore or remove it"
        ) from error
    return parse_object(content, str(path))


def parse_object(content: bytes, where: str) -> dict[str, Any]:
    """The object in a piece of json; `where` begins the messages."""
    try:
        value: object = _parse(content)
    except RecursionError as error:
        raise DataError(f"{where}: the json is nested too deeply; save it anew") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are such
        raise DataError(f"{where}: this is no whole json ({str(error)[:120]}); save it anew") from error
    if not isinstance(value, dict):
        raise DataError(f"{where}: a json object was expected, but this is {type_name(value)}")
    return cast("dict[str, Any]", value)


def _parse(content: bytes) -> object:
    """By the fast parser; what it refuses goes to the one that says why, and knows numbers of any length."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_refuse)


def member(of: dict[str, Any], name: str, kind: type[Kind], where: str) -> Kind:
    """The member of an object that must be there and be of a kind; a whole number is a number, too.

    Raises:
        DataError: It is missing, or of another kind.
    """
    value: Any = of.get(name)
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 1 << 53 else value
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        there = "is missing" if name not in of else f"is {type_name(value)}"
        raise DataError(f"{where}: {name!r} must be {_NAMES.get(kind, kind.__name__)}, but it {there}")
    return cast("Kind", value)


def objects(of: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    """The member of an object that must be a list of objects.

    Raises:
        DataError: It is missing, or something else.
    """
    items = cast("list[Any]", member(of, name, list, where))
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise DataError(f"{where}: {name}[{number}] must be an object, but it is {type_name(item)}")
    return cast("list[dict[str, Any]]", items)


def type_name(value: object) -> str:
    """What a json value is, in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _NAMES.get(type(value), type(value).__name__)


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of json")
