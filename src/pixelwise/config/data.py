"""How labelled pictures are found, read and split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pixelwise.config.checks import require


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """How a folder of labelled pictures is read."""

    format: str = "auto"
    """The data set's format; auto recognises it from the folder and says which."""
    images: str = ""
    """Name of the picture folder under DATA, where it is neither images/ nor train/ + val/."""
    masks: str = ""
    """Name of the mask folder under DATA."""
    classes: tuple[str, ...] = ()
    """Class names in the order of their train ids; where the data set names its classes, those to keep."""
    map: tuple[str, ...] = ()
    """RAW=ID pairs that say what a mask's raw value means, e.g. 255=1 or 7=ignore."""
    merge: tuple[str, ...] = ()
    """Classes to make one of, e.g. pole,sign=post; the new one stands where its first stood."""
    ignore: tuple[str, ...] = ()
    """Classes whose pixels count for nothing."""
    binary: str = ""
    """The one class to tell from all others, which become background."""
    annotations: str = ""
    """Name of the annotation file or table under DATA, where there are several."""
    val_last: int | None = None
    """Sort by name and validate on the last N."""
    val_share: float | None = None
    """Validate on this share, drawn by val-seed; 0.2 where the data set brings no split of its own."""
    val_groups: bool = False
    """Draw whole films or folders: pictures whose names differ only in the number stay on one side."""
    val_seed: int = 0
    """Seed of that draw."""
    snap: int = 0
    """Take mask values or colours that no class has for the nearest that one has, if no channel is more than
    this off; for masks that were compressed to JPEG or smoothed."""
    fit_masks: bool = False
    """Bring masks to their picture's size where only its EXIF turn or a scale lies between the two."""
    skip_unpaired: bool = False
    """Leave pictures without labels and labels without a picture out, and count them, instead of stopping."""
    skip_broken: bool = False
    """Leave unreadable pictures out, and list them, instead of stopping."""
    leave_out: tuple[Path, ...] = ()
    """Text files that name samples to leave out, one a line; `check` writes such lists."""
    cache: bool = True
    """Keep decoded, resized pictures on disk, so that the second epoch decodes nothing."""
    cache_dir: Path | None = None
    """Where; the user's cache folder where not given."""
    workers: int = 2
    """Threads that load pictures."""

    def __post_init__(self) -> None:
        require(self.val_last is None or self.val_share is None, "val-last and val-share exclude each other")
        require(
            self.val_last is None or self.val_last > 0, f"val-last must be at least 1, got {self.val_last}"
        )
        require(self.val_last is None or not self.val_groups, "val-last and val-groups exclude each other")
        share = self.val_share
        require(share is None or 0 < share < 1, f"val-share must lie between 0 and 1, got {share}")
        require(0 <= self.snap <= 255, f"snap must lie between 0 and 255, got {self.snap}")
        require(self.workers >= 1, f"workers must be at least 1, got {self.workers}")
