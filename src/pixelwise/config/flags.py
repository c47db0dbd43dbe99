"""A config as the flags that make it, for a command line that somebody can type again."""

from __future__ import annotations

import dataclasses
from typing import Any

from pixelwise.config.data import DataConfig
from pixelwise.config.train import TrainConfig


def flags(config: TrainConfig | DataConfig) -> list[str]:
    """The words after `pixelwise train DATA` that differ from the defaults, for `shlex.join`.

    Those of a `DataConfig` alone may stand behind every command that reads data.
    """
    return _flags(config, type(config)())


def _flags(config: Any, default: Any) -> list[str]:
    words: list[str] = []
    for field in dataclasses.fields(config):
        value, usual = getattr(config, field.name), getattr(default, field.name)
        if dataclasses.is_dataclass(value):
            words += _flags(value, usual)
        elif value != usual:
            words += _flag(field.name.replace("_", "-"), value)
    return words


def _flag(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, tuple):
        return [f"--{name}", *(str(item) for item in value)]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    text = str(value)
    # A value that begins with a dash would be taken for a flag.
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]
