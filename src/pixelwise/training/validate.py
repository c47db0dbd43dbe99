"""Validation at the network's size: loss and confusion, streamed, so that it holds one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from pixelwise.data.loader import Batch
from pixelwise.metrics import ConfusionMatrix
from pixelwise.nn.outputs import LOGITS
from pixelwise.training.objective import Objective
from pixelwise.training.ranks import ALONE, Ranks
from pixelwise.training.sharding import fold


@dataclass(frozen=True, eq=False)
class Example:
    """One validation picture `(H, W, 3) uint8`, its truth and what was predicted, both `(H, W) uint8` ids."""

    image: npt.NDArray[np.uint8]
    truth: npt.NDArray[np.uint8]
    predicted: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Validation:
    """What one pass over the validation pictures gave.

    Attributes:
        loss: Mean over the batches, each by its counted pixels and their class weights. For cross-entropy
            and whatever else is a mean over pixels that is the mean over the set, whatever the batch size.
        confusion: `(K, K) int64`, rows the truth, columns the prediction.
        examples: The pictures that were asked for.
    """

    loss: float
    confusion: npt.NDArray[np.int64]
    examples: tuple[Example, ...]


def validate(
    engine: nn.Module,
    batches: Iterable[Batch],
    *,
    num_classes: int,
    objective: Objective,
    device: torch.device,
    keep: Collection[int] = (),
    on_batch: Callable[[int], None],
    ranks: Ranks = ALONE,
    sharded: bool = False,
) -> Validation:
    """Runs the network over the batches in evaluation mode, in which it is left.

    Loss and confusion are those of all ranks' batches, the examples those of this rank. A batch of no picture
    counts for nothing: a rank that has no more of them runs a network in shards along with the others.

    Args:
        engine: `Heads` of the network, on its device.
        batches: The validation pictures.
        num_classes: K.
        objective: What training minimises; auxiliary heads are silent here.
        device: Of the network.
        keep: Places, in the order of the batches, of pictures to hand back with their predictions.
        on_batch: Hears the number of pictures done.
        ranks: Who else has batches.
        sharded: The network is in shards: all ranks have equally many batches.
    """
    engine.eval()
    confusion = ConfusionMatrix(num_classes)
    total = torch.zeros((), dtype=torch.float64, device=device)
    weight = torch.zeros((), dtype=torch.float64, device=device)
    examples: list[Example] = []
    done = 0
    # What is gathered in inference mode could not be trained on.
    with torch.no_grad() if sharded else torch.inference_mode():
        for batch in batches:
            if not len(batch):
                engine(torch.zeros(1, 3, *batch.images.shape[1:3], device=device))
                continue
            images = torch.from_numpy(batch.images).to(device).permute(0, 3, 1, 2).float()
            masks = torch.from_numpy(batch.masks).to(device)
            logits = engine(images)[LOGITS]
            batch_weight = objective.weight(masks)
            total += objective.loss(logits, masks).double() * batch_weight
            weight += batch_weight
            predicted = logits.argmax(1)
            confusion.update(predicted, masks)
            examples += [
                Example(batch.images[row], batch.masks[row], predicted[row].cpu().numpy().astype(np.uint8))
                for row in range(len(batch))
                if done + row in keep
            ]
            done += len(batch)
            on_batch(done)
    if sharded:
        fold(engine)
    ranks.wait()  # one may need longer for its pictures than a sum may take
    total, weight = ranks.sum(total), ranks.sum(weight)
    counts = ranks.sum(torch.from_numpy(confusion.counts).to(device)).cpu().numpy()
    return Validation(loss=float(total / weight.clamp(min=1e-12)), confusion=counts, examples=tuple(examples))
