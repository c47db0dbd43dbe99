"""Which layers of an encoder lead to which of its features, found by asking the gradients.

For encoders whose layers are not ours to know. Knows no encoder.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn


def leading_layers(encoder: nn.Module, picture: Tensor) -> list[list[nn.Module]]:
    """The layers by the first feature that they lead to, finest first; every parameter lies in one of them.

    Nothing is computed: shapes without data ("meta" tensors) go through a copy, and the gradient of a feature
    reaches the parameters that it was made with. A parameter that no feature needs counts to the last one.

    Args:
        encoder: Answers a list of features, finest first; it is left as it was.
        picture: An input that it takes; its shape counts, not its values.
    """
    outline = _without_data(encoder)
    parameters = list(outline.parameters())
    features = cast("Callable[[Tensor], list[Tensor]]", outline)(picture.to("meta"))
    level = [len(features) - 1] * len(parameters)
    for number in reversed(range(len(features))):
        reached = torch.autograd.grad(
            features[number].sum(), parameters, retain_graph=True, allow_unused=True
        )
        level = [
            number if gradient is not None else known for known, gradient in zip(level, reached, strict=True)
        ]
    levels = dict(zip(encoder.parameters(), level, strict=True))
    stages: list[list[nn.Module]] = [[] for _ in features]
    _share_out(encoder, levels, stages)
    return stages


def _share_out(module: nn.Module, levels: dict[nn.Parameter, int], stages: list[list[nn.Module]]) -> None:
    """Puts a module into the stage of its parameters; its parts, where they are of several."""
    found = {levels[parameter] for parameter in module.parameters()}
    if len(found) == 1:
        stages[found.pop()].append(module)
        return
    for parameter in module.parameters(recurse=False):
        stages[levels[parameter]].append(nn.ParameterList([parameter]))
    for child in module.children():
        _share_out(child, levels, stages)


def _without_data(encoder: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose tensors have shapes alone, and all of whose parameters are trained."""
    memo: dict[int, object] = {id(p): nn.Parameter(p.detach().to("meta")) for p in encoder.parameters()}
    memo |= {id(b): b.detach().to("meta") for b in encoder.buffers()}
    return copy.deepcopy(encoder, memo).eval()
