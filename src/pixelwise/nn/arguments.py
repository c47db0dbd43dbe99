"""Arguments that come as JSON values, from a model file or a command line: named, typed, complete.

Knows what a callable's signature says of itself, and nothing of what it builds.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pixelwise.errors import ConfigError
from pixelwise.plain import convert


def complete(
    build: Callable[..., object], given: Mapping[str, Any], *, owner: str, without: tuple[str, ...] = ()
) -> dict[str, Any]:
    """All keyword arguments of `build`, each of the type that it declares, its defaults where none is given.

    Args:
        build: A class or a function whose parameters are annotated keywords.
        given: Names and JSON values.
        owner: Whose arguments they are, for messages.
        without: Parameters that the caller brings himself.

    Raises:
        ConfigError: There is no such argument, one without a default is missing, or a value is of another
            type; the message says what is possible.
    """
    parameters = inspect.signature(build).parameters
    hints = typing.get_type_hints(build.__init__ if inspect.isclass(build) else build)
    possible = [name for name in parameters if name not in without]
    unknown = [name for name in given if name not in possible]
    if unknown:
        raise ConfigError(f"{owner} has no argument {', '.join(unknown)}; it has {', '.join(possible)}")
    missing = [n for n in possible if n not in given and parameters[n].default is inspect.Parameter.empty]
    if missing:
        raise ConfigError(f"{owner} needs {', '.join(missing)}")
    defaults = {name: parameters[name].default for name in possible}
    return {
        **defaults,
        **{name: convert(hints[name], value, f"{owner}: {name}") for name, value in given.items()},
    }


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` pairs of a command line as arguments of `build_model`.

    A value is read as JSON where it is JSON (`8`, `true`, `0.5`), as text otherwise; `encoder.NAME=VALUE` is
    an argument of the encoder.

    Raises:
        ConfigError: A pair without `=` or without a name, or a name given twice.
    """
    arguments: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.removeprefix("encoder."):
            raise ConfigError(f"an argument of the network is NAME=VALUE, got {pair!r}")
        target, key = arguments, name
        if name.startswith("encoder."):
            target, key = arguments.setdefault("encoder_arguments", {}), name.removeprefix("encoder.")
        if key in target:
            raise ConfigError(f"the argument {name} is given twice")
        try:
            target[key] = json.loads(text)
        except ValueError:
            target[key] = text
    return arguments


def format_arguments(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Arguments of `build_model` as the pairs that `parse_arguments` makes them of, by name.

    Arguments of an encoder that is not there (None) have no pair: they are that by default.
    """
    flat = {name: value for name, value in arguments.items() if name != "encoder_arguments"}
    of_encoder: Mapping[str, Any] = arguments.get("encoder_arguments") or {}
    flat |= {f"encoder.{name}": value for name, value in of_encoder.items()}
    return tuple(f"{name}={_format(value)}" for name, value in sorted(flat.items()))


def _format(value: object) -> str:
    """Text as it is, unless it would be read as JSON; anything else as JSON."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except ValueError:
        return value
    return json.dumps(value)
