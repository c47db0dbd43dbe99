"""Which of an encoder's features a decoder takes, by stride. Knows no encoder and no decoder."""

from __future__ import annotations

from typing import Protocol

from pixelwise.errors import ConfigError


class Strided(Protocol):
    """What has features."""

    strides: tuple[int, ...]


def level_at(encoder: Strided, stride: int, *, of: str, decoder: str) -> int:
    """The place, from 0, of the finest feature with this stride.

    Args:
        encoder: Whose features they are.
        stride: Which is meant.
        of: The encoder's name, for the message.
        decoder: The decoder's name, for the message.

    Raises:
        ConfigError: It has none.
    """
    if stride not in encoder.strides:
        raise ConfigError(
            f"{decoder} takes the features of stride {stride}, but {of} has those of "
            f"{', '.join(map(str, encoder.strides))}: take another encoder"
        )
    return encoder.strides.index(stride)


def halving(encoder: Strided, *, of: str, decoder: str) -> tuple[int, ...]:
    """The encoder's strides, where the first is 2 or 4, each is twice the one before, and 4 is among them.

    Raises:
        ConfigError: They are others, as in a dilated encoder.
    """
    strides = encoder.strides
    if strides not in {
        tuple(2**power for power in range(first, last + 1)) for first in (1, 2) for last in range(2, 6)
    }:
        raise ConfigError(f"{decoder} halves its maps, but {of} here has strides {strides}")
    return strides
