"""What training minimises: functions of logits and train ids, one number out, and sums of them by name.

All take logits `(N, K, H, W)` of any floating type, computed in float32 even under autocast, and targets
`(N, H, W)` of train ids as uint8 or int64, 255 = ignore. An ignored pixel adds neither value nor gradient,
and a batch without a counted pixel costs exactly 0. Knows no network, no optimiser and no data set.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from torch import Tensor

from pixelwise.config.loss import parse_loss
from pixelwise.errors import ConfigError
from pixelwise.losses.boundary import Boundary
from pixelwise.losses.cross_entropy import CrossEntropy, cross_entropy
from pixelwise.losses.focal import Focal
from pixelwise.losses.lovasz import LovaszSoftmax
from pixelwise.losses.ohem import OHEM
from pixelwise.losses.overlap import Dice, Jaccard, Tversky
from pixelwise.nn.arguments import complete

__all__ = ["LOSSES", "Loss", "build_loss", "cross_entropy"]


class Term(Protocol):
    """One loss with its parameters; a frozen dataclass whose fields are the parameters."""

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """A float32 scalar; `class_weights` are `(K,)`, not negative."""
        ...


LOSSES: dict[str, Callable[..., Term]] = {
    "ce": CrossEntropy,
    "focal": Focal,
    "dice": Dice,
    "jaccard": Jaccard,
    "lovasz": LovaszSoftmax,
    "tversky": Tversky,
    "ohem": OHEM,
    "boundary": Boundary,
}


@dataclass(frozen=True)
class Loss:
    """A sum of losses; `build_loss` makes it.

    Attributes:
        terms: Name, factor and loss of each summand.
        class_weights: `(K,) float32`, or None; handed to every summand.
    """

    terms: tuple[tuple[str, float, Term], ...]
    class_weights: Tensor | None

    def __call__(self, logits: Tensor, target: Tensor) -> Tensor:
        """The sum, a float32 scalar; shapes as the module says."""
        parts = [factor * term(logits, target, self.class_weights) for _, factor, term in self.terms]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def build_loss(expression: str, *, class_weights: Tensor | None) -> Loss:
    """A loss from its text, such as `ce + 0.5*dice` or `tversky(alpha=0.3, beta=0.7)`.

    Args:
        expression: A sum of names of `LOSSES`, each perhaps with a factor and parameters.
        class_weights: `(K,) float32`, or None for none.

    Raises:
        ConfigError: The text is no such sum, names a loss or a parameter that there is not, or gives a
            parameter a value out of its range.
    """
    terms = []
    for term in parse_loss(expression):
        if term.name not in LOSSES:
            close = difflib.get_close_matches(term.name, LOSSES, n=1)
            hint = f"did you mean {close[0]}? " if close else ""
            raise ConfigError(f"there is no loss {term.name!r}: {hint}There are {', '.join(LOSSES)}")
        kind = LOSSES[term.name]
        loss = kind(**complete(kind, term.arguments, owner=f"the loss {term.name}"))
        terms.append((term.name, term.factor, cast("Term", loss)))
    return Loss(tuple(terms), class_weights)
