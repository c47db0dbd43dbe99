"""Single settings by the flat names that their flags have, whichever part of the config they belong to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pixelwise.config.train import TrainConfig


def with_settings(base: TrainConfig, values: Mapping[str, Any]) -> TrainConfig:
    """The base with other values, by the flat names that flags have.

    Raises:
        ConfigError: The values do not go together.
    """
    own = {field.name for field in dataclasses.fields(TrainConfig)}
    augment = {name: value for name, value in values.items() if name not in own}
    rest = {name: value for name, value in values.items() if name in own}
    return dataclasses.replace(base, augment=dataclasses.replace(base.augment, **augment), **rest)


def setting_of(config: TrainConfig, name: str) -> Any:
    """A setting by the flat name that its flag has."""
    return getattr(config if hasattr(config, name) else config.augment, name)
