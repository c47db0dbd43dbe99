"""The one way in which a configuration refuses a value."""

from __future__ import annotations

from pixelwise.errors import ConfigError


def require(condition: bool, message: str) -> None:
    """Raises `ConfigError` with the message unless the condition holds."""
    if not condition:
        raise ConfigError(message)
