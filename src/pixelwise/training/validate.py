"""Validation at the network's size: loss and confusion, streamed, so that it holds one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pixelwise.data.loader import Batch
from pixelwise.losses import cross_entropy
from pixelwise.metrics import ConfusionMatrix


@dataclass(frozen=True)
class Validation:
    """What one pass over the validation pictures gave.

    Attributes:
        loss: Mean cross-entropy over all counted pixels of the set (weighted as in training).
        confusion: `(K, K) int64`, rows the truth, columns the prediction.
    """

    loss: float
    confusion: npt.NDArray[np.int64]


def validate(
    network: torch.nn.Module,
    batches: Iterable[Batch],
    *,
    num_classes: int,
    class_weights: torch.Tensor | None,
    device: torch.device,
    on_batch: Callable[[int], None],
) -> Validation:
    """Runs the network in evaluation mode over the batches and leaves it in training mode.

    The loss is averaged over the pixels of the whole set, not over batches, so the batch size cannot change
    it. `on_batch` hears the number of pictures done.
    """
    network.eval()
    confusion = ConfusionMatrix(num_classes)
    total = torch.zeros((), dtype=torch.float64, device=device)
    weight, done = 0.0, 0
    with torch.inference_mode():
        for batch in batches:
            images = torch.from_numpy(batch.images).to(device).permute(0, 3, 1, 2).float()
            masks = torch.from_numpy(batch.masks).to(device)
            logits = network(images)
            batch_weight = counted_weight(batch.masks, num_classes, class_weights)
            total += cross_entropy(logits, masks, class_weights=class_weights).double() * batch_weight
            weight += batch_weight
            confusion.update(logits.argmax(1), masks)
            done += len(batch.images)
            on_batch(done)
    network.train()
    return Validation(loss=float(total) / max(weight, 1e-12), confusion=confusion.counts)


def counted_weight(
    masks: npt.NDArray[np.uint8], num_classes: int, class_weights: torch.Tensor | None
) -> float:
    """The weight of a batch in a mean over pixels: its counted pixels, each times its class weight."""
    pixels = np.bincount(masks.ravel(), minlength=256)[:num_classes]
    if class_weights is None:
        return float(pixels.sum())
    return float(pixels @ class_weights.cpu().double().numpy())
