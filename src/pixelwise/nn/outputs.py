"""Names of what a network answers in training: its logits, and what heads say that only training looks at.

Networks answer by these names and losses read by them; neither knows the other.
"""

from __future__ import annotations

LOGITS = "logits"
"""`(N, K, H, W)`: the network's own answer."""

AUXILIARY = "auxiliary"
"""`(N, K, H, W)`: the same, from the middle of the network."""

BOUNDARY = "boundary"
"""`(N, 1, H, W)`: logits of whether a class ends near the pixel."""

QUERY_CLASSES = "query_classes"
"""`(N, L, K + 1, Q)`: logits of each query's class, the last one "no object", after each of L blocks."""

QUERY_MASKS = "query_masks"
"""`(N, L, Q, ceil(H / 4), ceil(W / 4))`: logits of each query's mask, in cells of `QUERY_STRIDE` pixels."""

QUERY_STRIDE = 4
