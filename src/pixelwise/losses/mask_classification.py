"""What queries learn: each class of a picture is matched with one query, which learns its mask and its name.

Source: B. Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation", CVPR 2022
(arXiv:2112.01527), section 3.2 and appendix; its factors are EoMT's too. The mask of a class is all of its
pixels. The answer of every block that queries were read by is matched and taught by itself.

Mask2Former compares masks at 12,544 points drawn for each mask, most of them where it is in doubt. Here they
are compared everywhere, at the masks' own size: what a cell's pixels say, each pixel as much. Its sums run
over the masks of a batch; here over those of each picture, and a picture counts by its counted pixels, so
that a step does not depend on how its batch is cut into pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.errors import ConfigError
from pixelwise.losses.assignment import assign
from pixelwise.nn.outputs import QUERY_CLASSES, QUERY_MASKS, QUERY_STRIDE
from pixelwise.types import IGNORE


@dataclass(frozen=True, kw_only=True)
class MaskClassification:
    """The sum over blocks of three losses of the matched queries; the factors decide the matching too.

    Class weights multiply the three losses of a class's query.

    Attributes:
        classes: Factor of the cross-entropy of all queries' classes.
        mask: Factor of the binary cross-entropy of masks.
        dice: Factor of one minus their Dice coefficient.
        no_object: What a query without a match counts in the cross-entropy, whose class is then "no object".
    """

    classes: float = 2.0
    mask: float = 5.0
    dice: float = 5.0
    no_object: float = 0.1

    reads: ClassVar[tuple[str, ...]] = (QUERY_CLASSES, QUERY_MASKS)
    teaches: ClassVar[tuple[str, ...]] = (QUERY_CLASSES, QUERY_MASKS)

    def __post_init__(self) -> None:
        for name in ("classes", "mask", "dice", "no_object"):
            value = getattr(self, name)
            if not 0 < value <= 1000:
                raise ConfigError(f"mask_classification's {name} must lie in 0..1000, got {value}")

    def __call__(self, outputs: Mapping[str, Tensor], target: Tensor, class_weights: Tensor | None) -> Tensor:
        """The loss, a float32 scalar."""
        classes, masks = outputs[QUERY_CLASSES], outputs[QUERY_MASKS]
        with torch.autocast(masks.device.type, enabled=False):
            # Nothing counted costs 0, and has a gradient of zeros.
            total = 0 * (classes.float().sum() + masks.float().sum())
            counted = (target != IGNORE).sum((1, 2))
            shares = (counted / counted.sum().clamp(min=1)).tolist()
            for number, share in enumerate(shares):
                if share:
                    loss = self._of_picture(
                        classes[number].float(), masks[number].float(), target[number], class_weights
                    )
                    total = total + share * loss
            return total

    def _of_picture(
        self, classes: Tensor, masks: Tensor, target: Tensor, class_weights: Tensor | None
    ) -> Tensor:
        """The loss of one picture.

        Args:
            classes: `(L, K + 1, Q)`, logits of L blocks.
            masks: `(L, Q, h, w)`, logits.
            target: `(H, W)`, with a counted pixel.
            class_weights: `(K,)`, or None.
        """
        ids, areas, counted = cells(target, tuple(masks.shape[2:]))
        masks = masks.flatten(2)  # (L, Q, P)
        with torch.no_grad():
            entropy, dice = mask_losses(masks, areas, counted)
            named = -classes.softmax(1)[:, ids]  # (L, T, Q)
            costs = self.classes * named + self.mask * entropy + self.dice * dice
        queries, rows = matched(costs)
        weights = classes.new_ones(classes.shape[1])
        if class_weights is not None:
            weights[:-1] = class_weights
        weights[-1] = self.no_object
        blocks = torch.arange(len(masks), device=masks.device)[:, None]
        wanted = torch.full_like(classes[:, 0], classes.shape[1] - 1, dtype=torch.int64)  # (L, Q)
        wanted[blocks, queries] = ids[rows]
        of_names = F.cross_entropy(classes, wanted, weights, reduction="none").sum(1)
        of_names = of_names / weights[wanted].sum(1).clamp(min=1e-12)
        # Only the matched queries' masks have a gradient; each of them is compared with its own class.
        entropy, dice = mask_losses(masks[blocks, queries][:, :, None], areas[rows][:, :, None], counted)
        of_masks = (self.mask * entropy + self.dice * dice).flatten(1)  # (L, T)
        counts = weights[ids[rows]]
        of_masks = (of_masks * counts).sum(1) / counts.sum(1).clamp(min=1e-12)
        return (self.classes * of_names + of_masks).sum()


def cells(target: Tensor, size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """The classes of a picture and their shares of each cell, `QUERY_STRIDE` pixels wide and high.

    Args:
        target: `(H, W)` train ids, 255 = ignore.
        size: Cells in rows and columns, which cover the picture.

    Returns:
        `(T,) int64`, the ids that are there; `(T, P)`, the share of each cell that is of each; `(P,)`, the
        share that is counted.
    """
    height, width = target.shape
    frame = (0, size[1] * QUERY_STRIDE - width, 0, size[0] * QUERY_STRIDE - height)
    framed = F.pad(target, frame, value=IGNORE)
    ids = target[target != IGNORE].unique().long()
    found = torch.cat([framed[None] == ids.view(-1, 1, 1), (framed != IGNORE)[None]])
    shares = F.avg_pool2d(found[None].float(), QUERY_STRIDE)[0].flatten(1)
    return ids, shares[:-1], shares[-1]


def mask_losses(masks: Tensor, areas: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """Binary cross-entropy, and one minus the Dice coefficient, of every mask with every class.

    Args:
        masks: `(..., Q, P)`, logits.
        areas: `(..., T, P)`, the share of each cell that is of a class.
        counted: `(P,)`, the share that counts.

    Returns:
        Two of `(..., T, Q)`.
    """
    inside = masks.sigmoid() * counted
    overlap = areas @ inside.mT
    # A pixel of the class costs softplus(-x) = softplus(x) - x, another one softplus(x).
    anywhere = (F.softplus(masks) * counted).sum(-1)[..., None, :]
    entropy = (anywhere - areas @ masks.mT) / counted.sum()
    sizes = areas.sum(-1)[..., :, None] + inside.sum(-1)[..., None, :]
    return entropy, 1 - (2 * overlap + 1) / (sizes + 1)


def matched(costs: Tensor) -> tuple[Tensor, Tensor]:
    """The query of each class, for each block; where queries are too few, some classes go without.

    Args:
        costs: `(L, T, Q)`.

    Returns:
        Two of `(L, M) int64`, M the smaller one of T and Q: queries, and the places of their classes.
    """
    tables = costs.cpu().numpy()
    few = tables.shape[1] <= tables.shape[2]
    found = torch.from_numpy(np.stack([assign(table if few else table.T) for table in tables]))
    order = torch.arange(found.shape[1]).expand_as(found)
    queries, rows = (found, order) if few else (order, found)
    return queries.to(costs.device), rows.to(costs.device)
