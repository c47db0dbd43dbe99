"""Errors that a setting would mend, with the setting: for whoever goes on where reading stops today.

Knows names of settings only. What an error proposes is a proposal: nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pixelwise.errors import DataError


class MendableError(DataError):
    """An error that a change of the `DataConfig` would mend.

    Attributes:
        changes: Fields of `DataConfig` and what to add or set (`pixelwise.config.changed`), never empty.
            Where several would do, the one that the message names first.
    """

    def __init__(self, message: str, changes: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.changes: Mapping[str, Any] = MappingProxyType(dict(changes))

    def __reduce__(self) -> tuple[Any, ...]:  # an error of a worker process is raised in its parent
        return type(self), (str(self), dict(self.changes))


def data_error(message: str, changes: Mapping[str, Any]) -> DataError:
    """A `MendableError`, or a plain `DataError` where there is no change to propose."""
    return MendableError(message, changes) if changes else DataError(message)


SKIP_UNPAIRED: Mapping[str, Any] = MappingProxyType({"skip_unpaired": True})
SKIP_BROKEN: Mapping[str, Any] = MappingProxyType({"skip_broken": True})
FIT_MASKS: Mapping[str, Any] = MappingProxyType({"fit_masks": True})
