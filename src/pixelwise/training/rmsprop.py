"""RMSprop as Keras computes it.

PyTorch's own adds eps outside the root, which is another step where gradients are small.

Source: G. Hinton, "Neural networks for machine learning", lecture 6e, 2012; keras.optimizers.RMSprop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from pixelwise.training.shards import local


class KerasRMSprop(torch.optim.Optimizer):
    """`v = rho v + (1 - rho) g²`, then `w = w - lr g / sqrt(v + eps)`.

    With eps inside the root the step stays bounded by `lr / sqrt(1 - rho)` and falls to zero with the
    gradient; with eps 1e-7 that begins at gradients of some 3e-4, which batch-normalised kernels do reach.

    Args:
        params: Parameters or groups of them.
        lr: Learning rate.
        rho: Share of the old average that is kept.
        eps: Added to the average before the root.
        weight_decay: L2: added to the gradient, times the weight.
    """

    def __init__(
        self, params: Any, *, lr: float = 1e-3, rho: float = 0.9, eps: float = 1e-7, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            weights = [local(p) for p in moved]
            gradients = [local(p.grad) for p in moved]
            averages = [local(self._average(p)) for p in moved]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])
            torch._foreach_mul_(averages, group["rho"])
            torch._foreach_addcmul_(averages, gradients, gradients, value=1 - group["rho"])
            roots = torch._foreach_add(averages, group["eps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(weights, gradients, roots, value=-group["lr"])
        return loss

    def _average(self, parameter: torch.Tensor) -> torch.Tensor:
        state = self.state[parameter]
        if not state:
            state["square_average"] = torch.zeros_like(parameter, memory_format=torch.preserve_format)
        return state["square_average"]
