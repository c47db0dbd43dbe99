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
