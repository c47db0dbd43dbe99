"""What training minimises: functions of logits and train ids, one number out, and sums of them by name.

All take logits `(N, K, H, W)` of any floating type, computed in float32 even under autocast, and targets
`(N, H, W)` of train ids as uint8 or int64, 255 = ignore. An ignored pixel adds neither value nor gradient,
and a batch without a counted pixel costs exactly 0. A few read what heads say that only training has, by the
names of `nn.outputs`. Knows no network, no optimiser and no data set.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from pixelwise.config.loss import parse_loss
from pixelwise.errors import ConfigError
from pixelwise.losses.boundary import Boundary
from pixelwise.losses.cross_entropy import CrossEntropy, cross_entropy
from pixelwise.losses.edge import Edge, EdgeCrossEntropy
from pixelwise.losses.focal import Focal
from pixelwise.losses.lovasz import LovaszSoftmax
from pixelwise.losses.mask_classification import MaskClassification
from pixelwise.losses.ohem import OHEM
from pixelwise.losses.overlap import Dice, Jaccard, Tversky
from pixelwise.nn.arguments import complete

__all__ = ["EXTRA_LOSSES", "LOSSES", "ExtraLoss", "Loss", "build_extra_loss", "build_loss", "cross_entropy"]


class Term(Protocol):
    """One loss with its parameters; a frozen dataclass whose fields are the parameters."""

    def __call__(self, logits: Tensor, target: Tensor, class_weights: Tensor | None) -> Tensor:
        """A float32 scalar; `class_weights` are `(K,)`, not negative."""
        ...


class ExtraTerm(Protocol):
    """One loss of a network's outputs by name; a frozen dataclass whose fields are the parameters."""

    reads: ClassVar[tuple[str, ...]]
    """Names of the outputs."""
    teaches: ClassVar[tuple[str, ...]]
    """Names of the outputs that get a gradient."""

    def __call__(self, outputs: Mapping[str, Tensor], target: Tensor, class_weights: Tensor | None) -> Tensor:
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

EXTRA_LOSSES: dict[str, Callable[..., ExtraTerm]] = {
    "edge": Edge,
    "edge_ce": EdgeCrossEntropy,
    "mask_classification": MaskClassification,
}
"""Of outputs that a network has in training beside its logits."""


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
    return Loss(tuple(_terms(expression, LOSSES)), class_weights)


@dataclass(frozen=True)
class ExtraLoss:
    """A sum of losses of a network's outputs; `build_extra_loss` makes it.

    Attributes:
        terms: Name, factor and loss of each summand.
        class_weights: `(K,) float32`, or None; handed to every summand.
    """

    terms: tuple[tuple[str, float, ExtraTerm], ...]
    class_weights: Tensor | None

    @property
    def reads(self) -> frozenset[str]:
        """Names of the outputs that the summands read."""
        return frozenset(name for _, _, term in self.terms for name in term.reads)

    @property
    def teaches(self) -> frozenset[str]:
        """Names of the outputs that get a gradient."""
        return frozenset(name for _, _, term in self.terms for name in term.teaches)

    def __call__(self, outputs: Mapping[str, Tensor], target: Tensor) -> Tensor:
        """The sum, a float32 scalar; `outputs` as `nn.outputs` names them."""
        parts = [factor * term(outputs, target, self.class_weights) for _, factor, term in self.terms]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


def build_extra_loss(expression: str, *, class_weights: Tensor | None) -> ExtraLoss:
    """A loss of a network's outputs from its text, such as `20*edge + edge_ce`; as `build_loss`."""
    return ExtraLoss(tuple(_terms(expression, EXTRA_LOSSES)), class_weights)


def _terms(expression: str, known: Mapping[str, Callable[..., Any]]) -> list[tuple[str, float, Any]]:
    terms: list[tuple[str, float, Any]] = []
    for term in parse_loss(expression):
        if term.name not in known:
            raise ConfigError(_unknown(term.name, known))
        kind = known[term.name]
        loss = kind(**complete(kind, term.arguments, owner=f"the loss {term.name}"))
        terms.append((term.name, term.factor, loss))
    return terms


def _unknown(name: str, known: Mapping[str, object]) -> str:
    if name in EXTRA_LOSSES:
        return f"the loss {name} reads a head that only training has: give it with --extra-loss"
    if name in LOSSES:
        return f"the loss {name} reads the network's logits: give it with --loss"
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no loss {name!r}: {hint}There are {', '.join(known)}"
