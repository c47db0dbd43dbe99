"""Batch normalisation by the statistics of the whole batch, which several processes share.

PyTorch's own `SyncBatchNorm` works on GPUs only. Here the ranks' counts, means and squared deviations are
gathered and put together (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing
sample variances", 1979), which loses no digits, and the two sums of the backward pass are added up; so a
batch in pieces gives what the whole one gives, but for rounding. Knows no network and no loop.
"""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelwise.errors import ConfigError
from pixelwise.nn.conv import BatchNorm
from pixelwise.training.ranks import Ranks

_Norm = torch.nn.modules.batchnorm._BatchNorm


class SyncedBatchNorm(nn.BatchNorm2d):
    """Takes the place of a layer, with its own parameters and statistics, which stay those of the network.

    While `ranks.present` is False a rank's input counts for nothing: it has no picture of this batch and runs
    along because the others' sums wait for it.
    """

    def __init__(self, layer: nn.BatchNorm2d, ranks: Ranks) -> None:
        super().__init__(
            layer.num_features,
            eps=layer.eps,
            momentum=layer.momentum,
            affine=False,
            track_running_stats=False,
        )
        self.affine, self.track_running_stats = layer.affine, layer.track_running_stats
        self.weight, self.bias = layer.weight, layer.bias
        self._buffers.update(layer._buffers)
        self.train(layer.training)
        self._ranks = ranks

    def forward(self, input: Tensor) -> Tensor:
        """`(N, C, H, W)` to the same."""
        if not self.training:
            return super().forward(input)
        found = _Statistics.of(input.detach(), self._ranks)
        if found.single:  # one value has no variance; see `BatchNorm`
            return F.batch_norm(
                input, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
        self._follow(found)
        return cast("Tensor", _Normalise.apply(input, self.weight, self.bias, found, self.eps, self._ranks))

    def _follow(self, found: _Statistics) -> None:
        """Moves the running statistics as the layer does by itself: the variance without its bias."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        unbiased = found.variance * (found.count / (found.count - 1))
        self.running_mean.lerp_(found.mean.to(self.running_mean), share)
        self.running_var.lerp_(unbiased.to(self.running_var), share)


class _Statistics:
    """Of all ranks' inputs together: values per channel, mean `(C,)`, biased variance `(C,)`."""

    def __init__(self, count: Tensor, mean: Tensor, variance: Tensor, *, single: bool) -> None:
        self.count, self.mean, self.variance, self.single = count, mean, variance, single

    @staticmethod
    def of(x: Tensor, ranks: Ranks) -> _Statistics:
        """Of `(N, C, H, W)`, each rank's values weighted by how many there are; all ranks must ask."""
        x = x if x.dtype == torch.float64 else x.float()
        values = x.numel() // x.shape[1] if ranks.present else 0
        variance, mean = torch.var_mean(x, dim=(0, 2, 3), correction=0)
        parts = ranks.gather(torch.cat([mean, variance, mean.new_full((1,), values)]))
        means, variances, counts = parts.split([len(mean), len(mean), 1], dim=1)
        count = counts.sum()
        mean = (means * counts).sum(0) / count
        variance = ((variances + (means - mean) ** 2) * counts).sum(0) / count
        # One value in all means one at most everywhere: elsewhere a GPU need not be waited for.
        single = x.numel() == x.shape[1] and int(count) == 1
        return _Statistics(count, mean, variance, single=single)


class _Normalise(torch.autograd.Function):
    """`(x - mean) / sqrt(variance + eps) * weight + bias`, and its gradient through mean and variance."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        found: _Statistics,
        eps: float,
        ranks: Ranks,
    ) -> Tensor:
        """Normalises by statistics that are there already."""
        mean, variance = found.mean, found.variance
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), found.count)
        ctx.ranks, ctx.present = ranks, ranks.present
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradient of x sums over all ranks; those of weight and bias are this rank's own."""
        x, weight, mean, deviation, count = ctx.saved_tensors
        shape = (1, -1, 1, 1)
        gradient = gradients[0].to(mean)
        normal = (x.to(mean) - mean.view(shape)) * deviation.view(shape)
        own = torch.stack([gradient.sum((0, 2, 3)), (gradient * normal).sum((0, 2, 3))])
        own = own * float(ctx.present)
        total = ctx.ranks.sum(own) / count
        scale = deviation if weight is None else deviation * weight.to(mean)
        back = gradient - total[0].view(shape) - normal * total[1].view(shape)
        back = back * (scale.view(shape) * float(ctx.present))
        of_weight, of_bias = (None, None) if weight is None else (own[1].to(weight), own[0].to(weight))
        return back.to(x), of_weight, of_bias, None, None, None


def synchronise(network: nn.Module, frozen: tuple[nn.Module, ...], ranks: Ranks) -> None:
    """Lets every batch normalisation that is not frozen see all ranks' pictures; one rank stays as it is.

    Raises:
        ConfigError: The network has a kind of batch normalisation that is not known here.
    """
    if ranks.count == 1:
        return
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _Norm) and layer not in frozen:
                setattr(parent, name, _synced(layer, ranks))


def _synced(layer: _Norm, ranks: Ranks) -> nn.Module:
    if type(layer) in (nn.BatchNorm2d, BatchNorm):
        return SyncedBatchNorm(cast("nn.BatchNorm2d", layer), ranks)
    raise ConfigError(
        f"the network has a {type(layer).__name__}, whose statistics several devices cannot share: "
        "keep them as they are with --freeze-bn all, or train on one device"
    )
