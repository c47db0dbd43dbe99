"""A config with a few settings changed, as an error or a finding proposes them.

Knows names and values of settings; why they should change is for whoever proposes it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from pixelwise.config.data import DataConfig


def changed(config: DataConfig, changes: Mapping[str, Any]) -> DataConfig:
    """The config with the changes added to it: tuples are appended to, other values are replaced.

    What stands in a tuple already is not added again. A pair of `map` takes the place of an earlier one for
    the same raw value, since the two would contradict each other; a range gives way only to the same range.

    Args:
        config: What there is.
        changes: Fields of `DataConfig` and their values.

    Raises:
        ConfigError: The values cannot go together.
        TypeError: `DataConfig` has no such field.
    """
    values = dict(changes)
    for name, value in changes.items():
        if isinstance(value, tuple):
            added = cast("tuple[str, ...]", value)
            kept: tuple[str, ...] = getattr(config, name, ())
            if name == "map":
                raws = {_raw(text) for text in added}
                kept = tuple(text for text in kept if _raw(text) not in raws)
            values[name] = (*kept, *(item for item in added if item not in kept))
    return dataclasses.replace(config, **values)


def _raw(pair: str) -> str:
    return pair.partition("=")[0].strip()
