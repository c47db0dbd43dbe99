"""`pixelwise download`: official archives of public data sets, resumable and checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class Download:
    """Fetch a public data set; goes on where it broke off, and checks every byte."""

    name: Positional[Literal["oxford-pets"]]
    """The data set."""
    folder: Positional[Path]
    """Where to unpack it."""

    def run(self) -> int:
        """Downloads, checks and unpacks; 0."""
        from pixelwise.cli.terminal import Display
        from pixelwise.data.download import download

        with Display() as display:
            folder = download(self.name, self.folder, progress=display.work)
        print(f"data  {folder}\nnext  pixelwise train {folder} --val-last 1000")
        return 0
