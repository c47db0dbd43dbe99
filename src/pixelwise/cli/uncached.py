"""How data are read by commands that look at every picture once: nothing is worth keeping there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import Suppress

from pixelwise.config import DataConfig


@dataclass(frozen=True, kw_only=True)
class UncachedData(DataConfig):
    """A `DataConfig` without the flags of the cache, for as many workers as there are cores."""

    cache: Suppress[bool] = False
    cache_dir: Suppress[Path | None] = None
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes, or threads, that look at pictures."""
