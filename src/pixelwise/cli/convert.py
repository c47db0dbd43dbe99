"""`pixelwise convert`: one data set written as another."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from pixelwise.config import DataConfig


@dataclass(frozen=True, kw_only=True)
class Convert:
    """Write a data set in another layout: the same pictures, classes, masks and splits, to the pixel.

    With --merge, --ignore, --binary or --classes the new data set has the classes that these make.
    """

    source: Annotated[Positional[Path], arg(metavar="SRC")]
    """Folder of the labelled pictures."""
    target: Annotated[Positional[Path], arg(metavar="DST")]
    """Folder for the new data set; it must not exist yet. With --to shards also s3://… or gs://…"""
    to: Literal["folder", "voc", "coco", "labelme", "shards"]
    """The layout to write."""
    shard_size: int = 256
    """About how many MiB a tar file of --to shards has."""
    config: DataConfig = field(default_factory=DataConfig)

    def run(self) -> int:
        """Converts and says what was written; 0."""
        from pixelwise.cli.terminal import Display
        from pixelwise.data import open_dataset
        from pixelwise.data.writers import convert

        with Display() as display:
            dataset = open_dataset(self.source, self.config)
            for note in dataset.reader.notes:
                display.note(note)
            done = convert(dataset, self.target, self.to, shard_mib=self.shard_size, progress=display.work)
            for note in done.notes:
                display.warning(note)
        said = f"{done.pictures:,} pictures, {len(dataset.classes)} classes, layout {self.to}"
        print(f"data  {done.folder}  {said}")
        print(f"next  pixelwise train {done.folder}")
        return 0
