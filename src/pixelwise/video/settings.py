"""How a video is to be segmented, and what came of it. Plain values; knows no video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError, DataError
from pixelwise.video.smooth import Smoother


@dataclass(frozen=True, kw_only=True)
class VideoSettings:
    """How a video is segmented.

    Attributes:
        smooth: Weight of the past in the mean of probabilities over time, 0 <= smooth < 1; see `Smoother`.
        opacity: Of the class colours, 0..1.
        legend: Whether all classes are named below the picture, where that takes no more than a third of it.
        start: Seconds to pass over.
        seconds: Ends after so many of the video's; None for all.
        frames: Ends after so many; None for all.
        masks: Folder for a label PNG of each frame at its own size, `000000.png` for the first;
            None for none.
        live: Whether frames that come faster than they are computed are dropped; where it is None for cameras
            and streams alone.
    """

    smooth: float = 0.0
    opacity: float = 0.45
    legend: bool = True
    start: float = 0.0
    seconds: float | None = None
    frames: int | None = None
    masks: Path | None = None
    live: bool | None = None

    def __post_init__(self) -> None:
        Smoother(self.smooth)
        if not 0 <= self.opacity <= 1:
            raise ConfigError(f"opacity must be in 0..1, got {self.opacity}")
        if self.start < 0 or (self.seconds is not None and self.seconds <= 0):
            raise ConfigError(f"start and seconds must be positive, got {self.start} and {self.seconds}")
        if self.frames is not None and self.frames < 1:
            raise ConfigError(f"frames must be at least 1, got {self.frames}")


@dataclass(frozen=True, kw_only=True)
class VideoResult:
    """What was written.

    Attributes:
        out: The video.
        frames: In it.
        size: `(height, width)` of its frames.
        codec: FFmpeg's name of its encoder.
        seconds: That it took.
        dropped: Frames of a live source that came too fast.
        live: Whether the source is.
        has_legend: Whether there is one.
        ways: How frames met the network, and why, in words.
    """

    out: Path
    frames: int
    size: tuple[int, int]
    codec: str
    seconds: float
    dropped: int
    live: bool
    has_legend: bool
    ways: tuple[str, ...] = ()


class VideoEndedEarlyError(DataError):
    """The video could not be read to its end; what could is written.

    Attributes:
        result: What is.
    """

    def __init__(self, message: str, result: VideoResult) -> None:
        super().__init__(message)
        self.result = result
