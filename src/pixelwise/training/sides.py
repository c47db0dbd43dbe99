"""What is trained and validated on: the data set opened, both of its sides prepared and checked.

Knows no network.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from pixelwise.config import TrainConfig
from pixelwise.data import Dataset, open_dataset
from pixelwise.data.cache import prepare
from pixelwise.data.prepared import Prepared
from pixelwise.errors import ConfigError, DataError
from pixelwise.training import guard
from pixelwise.training.events import Listener
from pixelwise.training.ranks import Ranks


def opened(data: Path, config: TrainConfig, listener: Listener) -> Dataset:
    """The data set, what it says of itself, and class weights that fit it."""
    dataset = open_dataset(data, config.data)
    for note in dataset.notes:
        listener.note(note)
    names = dataset.reader.classes.names
    if config.class_weights and len(config.class_weights) != len(names):
        raise ConfigError(
            f"--class-weights gives {len(config.class_weights)} weights for {len(names)} classes: "
            f"{', '.join(names)}"
        )
    return dataset


def prepared_sides(
    dataset: Dataset, config: TrainConfig, listener: Listener, ranks: Ranks
) -> tuple[Prepared, Prepared, str]:
    """Both sides at the network's size, every picture decoded and checked once on each machine."""
    with ranks.in_turn() if config.data.cache else nullcontext():
        prepared = prepare(dataset, config.size, config.data, progress=listener.work)
    if ranks.tell(prepared.data_hash) != prepared.data_hash:
        raise DataError(
            f"{dataset.reader.root}: rank {ranks.rank} sees other pictures or masks than the first machine "
            "does: give all machines the same files"
        )
    for note in prepared.notes:
        listener.note(note)
    train, val = prepared.train, prepared.val
    if len(train) < config.batch_size:
        raise DataError(
            f"{dataset.reader.root}: {len(train)} training pictures are fewer than one batch of "
            f"{config.batch_size}; use --batch-size {len(train)} or less"
        )
    if not val.class_counts.any():
        raise DataError(
            f"{dataset.reader.root}: every validation pixel is ignored (255), so nothing can be measured: "
            "check the masks, or take another split with --val-share"
        )
    for side, name in ((train, "training"), (val, "validation")):
        sentence = guard.unseen_classes(side.class_counts.tolist(), dataset.reader.classes, name)
        if sentence:
            listener.warning(sentence)
    return train, val, prepared.data_hash
