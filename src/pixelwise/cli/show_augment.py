"""`pixelwise show-augment`: what the network sees of a data set, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from pixelwise.config import AugmentConfig, DataConfig
from pixelwise.errors import ConfigError

if TYPE_CHECKING:
    from pixelwise.data.prepared import Prepared
    from pixelwise.report.augmented import Variants


@dataclass(frozen=True, kw_only=True)
class ShowAugment:
    """Draw what the network sees of the training pictures, with the flags of `train`.

    One line a picture: as it is, then as the first epochs change it. Ignored pixels are striped.
    """

    data: Annotated[Positional[Path], arg(metavar="DATA")]
    """Folder of the labelled pictures."""
    out: Path = Path("augmented.png")
    """The picture to write."""
    count: int = 4
    """Pictures to show, spread evenly over the training pictures."""
    epochs: int = 5
    """Epochs to show of each."""
    size: tuple[int, int] = (160, 160)
    """Height and width to which pictures are resized for the network."""
    seed: int = 0
    """Seed of the run whose pictures are shown."""
    json: bool = False
    """Print the result for machines."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    config: DataConfig = field(default_factory=DataConfig)

    def run(self) -> int:
        """Draws and writes; 0."""
        if not 1 <= self.count <= 100 or not 1 <= self.epochs <= 20:
            raise ConfigError(
                f"count must lie in 1..100 and epochs in 1..20, got {self.count} and {self.epochs}"
            )
        if self.augment == AugmentConfig():
            raise ConfigError(
                "no augmentation is switched on: give the flags of train, e.g. --flip --rotate 10"
            )
        from pixelwise.cli.terminal import Display, print_json
        from pixelwise.data import open_dataset
        from pixelwise.data.cache import prepare
        from pixelwise.files import write_whole
        from pixelwise.report.augmented import variants_sheet

        with Display() as display:
            dataset = open_dataset(self.data, self.config)
            for note in dataset.notes:
                display.note(note)
            train = prepare(dataset, self.size, self.config, progress=display.work).train
        rows = self._rows(train, dataset.reader.entries.names)
        write_whole(self.out, _png(variants_sheet(rows, dataset.reader.classes)))
        result = {
            "picture": str(self.out),
            "pictures": [row.name for row in rows],
            "epochs": self.epochs,
            "seed": self.seed,
        }
        if self.json:
            print_json(result)
        else:
            print(f"{len(rows)} pictures, {self.epochs} epochs each: {self.out}")
        return 0

    def _rows(self, train: Prepared, names: Any) -> list[Variants]:
        from pixelwise.report.augmented import Variants

        count = min(self.count, len(train))
        rows: list[Variants] = []
        for place in ((2 * i + 1) * len(train) // (2 * count) for i in range(count)):
            image, mask = train.pair(place)
            cells = [("as it is", image, mask)]
            for epoch in range(self.epochs):
                cells.append((f"epoch {epoch + 1}", *self._seen(train, place, epoch)))
            rows.append(Variants(name=names[int(train.indices[place])], cells=cells))
        return rows

    def _seen(self, train: Prepared, place: int, epoch: int) -> Any:
        """One picture as a training step of an even batch size sees it, with its neighbour beside it."""
        import numpy as np
        import torch

        from pixelwise.augment import augment
        from pixelwise.data.loader import epoch_order

        order = epoch_order(len(train), seed=self.seed, epoch=epoch).tolist()
        at = order.index(place)
        pair = [order[i] for i in (at & ~1, at | 1) if i < len(order)]
        loaded = [train.pair(position) for position in pair]
        images, masks = augment(
            torch.from_numpy(np.stack([image for image, _ in loaded])),
            torch.from_numpy(np.stack([mask for _, mask in loaded])),
            train.indices[pair].tolist(),
            config=self.augment,
            seed=self.seed,
            epoch=epoch,
        )
        own = pair.index(place)
        return images[own].permute(1, 2, 0).round().to(torch.uint8).numpy(), masks[own].numpy()


def _png(picture: Any) -> bytes:
    import io

    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
