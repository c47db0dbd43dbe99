"""Auxiliary heads: a second, cheap answer from the middle of a network, which only training looks at.

A network that has them is built with the argument `auxiliary`, keeps their parameters under the name
`auxiliary`, and answers `forward_auxiliary(x)` with its own logits and theirs by name, all at the input's
size, or as `nn.outputs` says. Model files are written without them. What is said of classes is called
`auxiliary` and learns what the network's own logits learn (H. Zhao et al., "Pyramid Scene Parsing Network",
CVPR 2017, section 4). For any other name, the network says in `extra_loss` which losses read it. Heads
without weights of their own say what they answer in `answers`, and those that change in the course of a
training are told how far it has come.

Knows no network in particular and no loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from pixelwise.nn.outputs import AUXILIARY, LOGITS

ARGUMENT = "auxiliary"
_PREFIX = "auxiliary."


def has_auxiliary(network: nn.Module) -> bool:
    """Whether the network was built with auxiliary heads."""
    return isinstance(getattr(network, ARGUMENT, None), nn.Module)


def forward_with_auxiliary(network: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """The network's logits, and by their names those of its auxiliary heads, if it has any."""
    if has_auxiliary(network):
        return network.forward_auxiliary(x)  # pyright: ignore[reportCallIssue]
    return {LOGITS: network(x)}


def output_names(network: nn.Module) -> frozenset[str]:
    """What `forward_with_auxiliary` answers."""
    if not has_auxiliary(network):
        return frozenset({LOGITS})
    heads = getattr(network, ARGUMENT)
    named = heads if isinstance(heads, nn.ModuleDict) else getattr(heads, "answers", (AUXILIARY,))
    return frozenset({LOGITS, *named})


def note_progress(network: nn.Module, share: float) -> None:
    """Tells heads that anneal how much of the training is done, 0..1; the others hear nothing.

    A function of the step alone, so that a resumed run anneals as the undisturbed one.
    """
    note = getattr(getattr(network, ARGUMENT, None), "note_progress", None)
    if note is not None:
        note(share)


def extra_loss(network: nn.Module) -> str:
    """What the network's outputs beside logits are taught with, as its source has it; empty for none."""
    return getattr(network, "extra_loss", "") if has_auxiliary(network) else ""


def drop_auxiliary(network: nn.Module) -> None:
    """Takes the heads off a network, as its model file has it."""
    if has_auxiliary(network):
        setattr(network, ARGUMENT, None)


def deployed_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A network's arguments without auxiliary heads."""
    return {key: (False if key == ARGUMENT else value) for key, value in arguments.items()}


def deployed_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A network's weights without those of its auxiliary heads."""
    return {name: tensor for name, tensor in state.items() if not name.startswith(_PREFIX)}
