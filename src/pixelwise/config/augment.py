"""How training pictures are changed at random."""

from __future__ import annotations

from dataclasses import dataclass

from pixelwise.config.checks import require


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of the training pictures, drawn anew for each picture and epoch; none by default."""

    flip: bool = False
    """Mirror left-right, every second time."""
    scale: tuple[float, float] = (1.0, 1.0)
    """Enlarge by a factor drawn (evenly on a log scale) between these two."""
    rotate: float = 0.0
    """Rotate by up to this many degrees either way."""
    shift: float = 0.0
    """Move by up to this share of the size, each way and axis."""
    crop: tuple[int, int] | None = None
    """Height and width of the random piece that a training step sees; the whole picture where not given."""
    crop_max_share: float = 1.0
    """Draw the piece anew, up to ten times, while one class has more than this share of it; 0.75 is usual."""
    colour: float = 0.0
    """Strength of brightness, contrast, saturation and hue changes; 0.4 is usual."""
    blur: float = 0.0
    """Blur every second picture, by a Gaussian of up to this standard deviation in pixels."""
    jpeg: int = 100
    """Compress every second picture to a JPEG quality between this and 100; 100 leaves them alone."""
    cutout: float = 0.0
    """Grey out a rectangle of up to this share of the picture, whose pixels then count for nothing."""
    mix: float = 0.0
    """Share of pictures that get half the classes of another picture pasted over them (ClassMix)."""

    def __post_init__(self) -> None:
        low, high = self.scale
        require(0 < low <= high <= 16, f"scale must be LOW HIGH with 0 < LOW <= HIGH <= 16, got {self.scale}")
        require(0 <= self.rotate <= 180, f"rotate must lie between 0 and 180 degrees, got {self.rotate}")
        require(0 <= self.shift < 1, f"shift must lie between 0 and 1, got {self.shift}")
        height, width = self.crop or (1, 1)
        require(
            1 <= height <= 16384 and 1 <= width <= 16384, f"crop must lie in 1..16384, got {height} {width}"
        )
        require(
            self.crop is None or self.shift == 0,
            "shift and crop exclude each other: a crop's place is random already",
        )
        share = self.crop_max_share
        require(0 < share <= 1, f"crop-max-share must lie between 0 and 1, got {share}")
        require(share == 1 or self.crop is not None, "crop-max-share needs --crop")
        require(0 <= self.colour <= 1, f"colour must lie between 0 and 1, got {self.colour}")
        require(0 <= self.blur <= 16, f"blur must lie between 0 and 16 pixels, got {self.blur}")
        require(1 <= self.jpeg <= 100, f"jpeg must lie between 1 and 100, got {self.jpeg}")
        require(0 <= self.cutout <= 0.9, f"cutout must lie between 0 and 0.9, got {self.cutout}")
        require(0 <= self.mix <= 1, f"mix must lie between 0 and 1, got {self.mix}")

    @property
    def geometric(self) -> bool:
        """Whether pictures and masks are resampled or mirrored at all."""
        return self.flip or self.scale != (1.0, 1.0) or self.rotate > 0 or self.shift > 0
