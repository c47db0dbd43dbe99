"""Plain JSON values to dataclasses and typed values, and back.

What a config file, a model file's header and a command line hand over is checked here: an unknown name or a
value of another type is an error that says what is possible. Knows no particular config.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from pixelwise.errors import ConfigError

T = TypeVar("T")


def to_json(config: object) -> dict[str, Any]:
    """A config as plain JSON values; `from_json` reads it back to an equal config."""
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"a config dataclass was expected, got {type(config).__name__}")
    return json.loads(json.dumps(dataclasses.asdict(config), default=str))


def flatten(config: object) -> dict[str, Any]:
    """All settings of a config and of its parts by their own names, as plain JSON values."""
    flat: dict[str, Any] = {}
    for name, value in to_json(config).items():
        flat |= typing.cast("dict[str, Any]", value) if isinstance(value, dict) else {name: value}
    return flat


def from_json(kind: type[T], value: object) -> T:
    """Builds a config of type `kind` from what `to_json` gave.

    Raises:
        ConfigError: The value is not an object, has a key that `kind` lacks, or a value of the wrong type.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(f"{kind.__name__} must be a JSON object, got {type(value).__name__}")
    members = typing.cast("Mapping[str, Any]", value)
    hints = typing.get_type_hints(kind)
    names = [f.name for f in dataclasses.fields(kind)]  # pyright: ignore[reportArgumentType]
    unknown = sorted(str(key) for key in members if key not in names)
    if unknown:
        raise ConfigError(f"{kind.__name__} has no {', '.join(unknown)}; it has {', '.join(names)}")
    return kind(**{key: convert(hints[key], item, key) for key, item in members.items()})


def from_flat(kind: type[T], settings: Mapping[str, Any]) -> T:
    """Builds a config from settings named as the flags are, without saying which part they belong to.

    `from_flat(TrainConfig, {"epochs": 5, "flip": True, "val_last": 195})` sets the flip of `augment` and the
    validation split of `data`. A part may also be given whole, as `{"augment": AugmentConfig(flip=True)}`.

    Raises:
        ConfigError: A name that no part has.
    """
    left = dict(settings)
    config = _take(kind, left)
    if left:
        known = sorted(_flat_names(kind))
        raise ConfigError(f"there is no setting {', '.join(sorted(left))}; there are {', '.join(known)}")
    return config


def _take(kind: type[T], left: dict[str, Any]) -> T:
    """Builds `kind` from the settings that are its own and removes those."""
    hints = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, hint in hints.items():
        if name in left:
            value = left.pop(name)
            whole = dataclasses.is_dataclass(hint) and isinstance(value, typing.cast(type[Any], hint))
            values[name] = value if whole else convert(hint, value, name)
        elif dataclasses.is_dataclass(hint):
            values[name] = _take(typing.cast(type[Any], hint), left)
    return kind(**values)


def _flat_names(kind: Any) -> set[str]:
    names: set[str] = set()
    for name, hint in typing.get_type_hints(kind).items():
        names |= _flat_names(hint) if dataclasses.is_dataclass(hint) else {name}
    return names


def convert(hint: Any, value: Any, name: str) -> Any:
    """One JSON value as the type that a field or a parameter declares.

    Args:
        hint: The declared type: text, number, switch, path, `Literal`, tuple, mapping, dataclass, or one of
            them or None.
        value: The JSON value.
        name: For the message.

    Raises:
        ConfigError: The value is of another type; the message says what is possible.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    wrong = ConfigError(f"{name} must be {_hint_text(hint)}, got {value!r:.100}")
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return convert(next(a for a in arguments if a is not type(None)), value, name)
    if dataclasses.is_dataclass(hint):
        return from_json(typing.cast(type[Any], hint), value)
    if origin is Literal and value in arguments:
        return value
    if origin is tuple and isinstance(value, (list, tuple)):
        items = list(typing.cast("list[Any]", value))
        kinds = [arguments[0]] * len(items) if arguments[1:] == (Ellipsis,) else list(arguments)
        if len(kinds) == len(items):
            return tuple(convert(kind, item, name) for kind, item in zip(kinds, items, strict=True))
        raise wrong
    if origin is Mapping and isinstance(value, Mapping):
        return dict(typing.cast("Mapping[str, Any]", value))
    return _plain(hint, value, wrong)


def _plain(hint: Any, value: Any, wrong: ConfigError) -> Any:
    """A value whose type is a class: text, number, switch or path."""
    if hint is Path and isinstance(value, str):
        return Path(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = _is_class(hint) and isinstance(value, hint)
    if plain and not (hint is int and isinstance(value, bool)):
        return value
    raise wrong


def _hint_text(hint: Any) -> str:
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(str(a) for a in typing.get_args(hint))
    return hint.__name__ if _is_class(hint) else str(hint)


def _is_class(hint: Any) -> bool:
    """Whether a value can be an instance of it; in Python 3.10 `tuple[int, int]` passes for a type too."""
    return isinstance(hint, type) and typing.get_origin(hint) is None
