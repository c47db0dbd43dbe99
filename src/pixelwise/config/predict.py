"""How pictures of any size go through a network, and what is done with its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pixelwise.config.checks import require

TILE_STEP = 32
"""Sides and places of tiles are multiples of this: a multiple of every network's stride.

A network answers the same for a picture that is shifted by its stride, and otherwise a little differently; so
tiles that lie on this grid agree with the untiled picture, but for what they don't see beyond their border.
"""

LARGEST_TILE = 8192

Sizing = Literal["auto", "native", "resize", "tile"]
Blend = Literal["gaussian", "linear", "flat"]
Change = Literal["hflip", "vflip", "rot90", "scales"]
Refinement = Literal["none", "guided", "crf"]


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """How pictures of any size are predicted; the defaults do what validation in training did."""

    sizing: Sizing = "auto"
    """What the network gets of a photo: resize, the photo brought to the size trained at; native, the photo
    as it is; tile, overlapping windows of it, whatever its size; auto chooses, and says why."""
    tile: int = 512
    """Side of a tile in pixels, a multiple of 32."""
    overlap: float = 0.25
    """Share of a tile's side that it has in common with the next, in 0 to 0.75."""
    blend: Blend = "gaussian"
    """How tiles that overlap are averaged: by a Gaussian or a linear slope to their borders, or evenly."""
    tta: tuple[Change, ...] = ()
    """Test-time augmentation: mean of the answers for a flipped (hflip, vflip), turned (rot90) or scaled
    (scales) picture; several combine. What that costs is printed."""
    scales: tuple[float, ...] = (0.75, 1.0, 1.25)
    """With --tta scales: how large the picture is made for each answer."""
    bands: tuple[int, int, int] | None = None
    """Which bands of a GeoTIFF are red, green and blue, from 1 on; where not given, what the file says."""
    value_range: tuple[float, float] | None = None
    """The values of a GeoTIFF that become black and white, e.g. 0 3000; where not given 8 bits stay what they
    are, and 16 bits lose their lower 8."""
    refine: Refinement = "none"
    """Draw the borders of masks along those of the photo: guided, a guided filter; crf, a fully connected
    CRF, slower. evaluate says whether it helps your model."""

    def __post_init__(self) -> None:
        require(
            self.tile % TILE_STEP == 0 and TILE_STEP <= self.tile <= LARGEST_TILE,
            f"tile must be a multiple of {TILE_STEP}, the stride of the networks, up to {LARGEST_TILE}, got "
            f"{self.tile}: take 512",
        )
        require(0 <= self.overlap <= 0.75, f"overlap must lie in 0..0.75, got {self.overlap}")
        require(self.bands is None or min(self.bands) >= 1, f"bands count from 1, got {self.bands}")
        low, high = self.value_range or (0.0, 1.0)
        require(low < high, f"value-range needs a lower and a higher number, got {low:g} {high:g}")
        require(bool(self.scales), "scales needs at least one number")
        for scale in self.scales:
            require(0.1 <= scale <= 4, f"a scale must lie in 0.1..4, got {scale}")
