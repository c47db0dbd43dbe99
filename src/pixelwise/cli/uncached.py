"""How data are read by commands that look at every picture once: nothing is worth keeping there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from tyro.conf import Suppress

from pixelwise.config import DataConfig


@dataclass(frozen=True, kw_only=True)
class UncachedData(DataConfig):
    """How a folder of labelled pictures is read; each is looked at once, and none is kept."""

    cache: Suppress[bool] = False
    cache_dir: Suppress[Path | None] = None
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes, or threads, that look at pictures."""
