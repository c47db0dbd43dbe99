"""An opened data set: its reader, its split, and what there is to say about them.

Knows no format and no folder; `open_dataset` makes one.
"""

from __future__ import annotations

from dataclasses import dataclass

from pixelwise.config import DataConfig
from pixelwise.data.reader import Reader
from pixelwise.data.splits import Split
from pixelwise.errors import ConfigError
from pixelwise.types import Classes


@dataclass(frozen=True, eq=False)
class Dataset:
    """An opened data set.

    Attributes:
        reader: Decodes samples at full size.
        split: Which samples train and which validate.
        config: How it was opened.
        notes: Sentences to say aloud: the format, what was passed over, the classes' origin, the split.
    """

    reader: Reader
    split: Split
    config: DataConfig
    notes: tuple[str, ...]

    @property
    def classes(self) -> Classes:
        """Names and colours of the train ids."""
        return self.reader.classes

    def indices(self, split: str) -> tuple[int, ...]:
        """The reader's indices of `train`, `val`, `all`, or one of the data set's own splits, e.g. `test`.

        Raises:
            ConfigError: There is no such split.
        """
        own = self.reader.splits
        chosen = {**own, "train": self.split.train, "val": self.split.val, "all": range(len(self.reader))}
        if split not in chosen:
            raise ConfigError(
                f"{self.reader.root}: there is no split {split!r}; there are {', '.join(chosen)}"
            )
        return tuple(chosen[split])
