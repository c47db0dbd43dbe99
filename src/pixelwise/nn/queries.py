"""Masks that queries ask for, and what they say of each pixel's class (mask classification).

Source: B. Cheng et al., "Per-Pixel Classification is Not All You Need for Semantic Segmentation", NeurIPS
2021 (arXiv:2107.06278), section 3.4. Functions of our own for whoever watches (`graph.capture`).
Knows no network and no loss.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

from pixelwise.nn.exact import no_autocast

LEAST = 1e-6
"""Added to scores before their logarithm; half precision has it too."""


def query_masks(queries: Tensor, x: Tensor) -> Tensor:
    """How much each pixel is like each query.

    Args:
        queries: `(N, C, 1, Q)`.
        x: `(N, C, H, W)`.

    Returns:
        `(N, Q, H, W)`, logits.
    """
    given = (queries, x)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(query_masks, given, queries, x))
    return torch.einsum("ncq,nchw->nqhw", queries[:, :, 0], x)


def query_votes(classes: Tensor, masks: Tensor) -> Tensor:
    """Logits of classes: the logarithm of the sum over queries of p(class) times p(mask).

    The scores' order is that of the source, and a softmax of these logits is the scores, normalised.

    Args:
        classes: `(N, K + 1, 1, Q)`, logits; the last class is "no object".
        masks: `(N, Q, H, W)`, logits.

    Returns:
        `(N, K, H, W)`, in float32 unless the inputs are float64.
    """
    given = (classes, masks)
    if has_torch_function(given):
        return cast("Tensor", handle_torch_function(query_votes, given, classes, masks))
    with no_autocast(masks.device):
        classes, masks = (x if x.dtype == torch.float64 else x.float() for x in (classes, masks))
        shares = classes.softmax(1)[:, :-1, 0]  # (N, K, Q)
        return (torch.einsum("nkq,nqhw->nkhw", shares, masks.sigmoid()) + LEAST).log()
