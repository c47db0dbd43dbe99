"""`pixelwise download`: official archives of public data sets, resumable and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Download:
    """Fetch a public data set; goes on where it broke off, and checks every byte."""

    name: Positional[
        Literal["oxford-pets", "voc2012", "ade20k", "coco-instances", "coco-panoptic", "coco-stuff"]
    ]
    """The data set."""
    folder: Positional[Path]
    """Where to unpack it."""

    def run(self) -> int:
        """Downloads, checks and unpacks; 0."""
        from pixelwise.cli.terminal import Display
        from pixelwise.data.download import download
        from pixelwise.data.sources import SOURCES

        source = SOURCES[self.name]
        with Display() as display:
            display.note(f"{self.name}: {source.licence}")
            folder = download(self.name, self.folder, progress=display.work)
        print(f"data  {folder}\nnext  {' '.join(['pixelwise train', str(folder), source.hint]).strip()}")
        return 0
