"""What makes an encoder wider: its limits, and how widths are rounded. Knows no encoder."""

from __future__ import annotations

from pixelwise.errors import ConfigError


def check_width(*, in_channels: int, alpha: float = 1.0, depth_multiplier: int = 1) -> None:
    """Raises `ConfigError` where a number is out of its range: 1 to 1024, above 0 to 8, 1 to 16."""
    if not 1 <= in_channels <= 1024:
        raise ConfigError(f"in_channels must lie in 1..1024, got {in_channels}")
    if not 0 < alpha <= 8:
        raise ConfigError(f"alpha must be above 0 and at most 8, got {alpha}")
    if not 1 <= depth_multiplier <= 16:
        raise ConfigError(f"depth_multiplier must lie in 1..16, got {depth_multiplier}")


def divisible_by_8(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and never more than a tenth below (Sandler 2018's code)."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
