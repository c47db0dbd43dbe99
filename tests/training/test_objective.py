"""What is minimised: the network's own loss, the auxiliary head's share, and what the boundary learns."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from drawn_weights import draw_masks
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.losses import build_extra_loss, build_loss
from pixelwise.models import build_model
from pixelwise.models.auxiliary import forward_with_auxiliary
from pixelwise.nn.outputs import AUXILIARY, BOUNDARY, LOGITS
from pixelwise.training.objective import build_objective


def network(name: str = "pidnet-s", **arguments: object) -> nn.Module:
    own = {"width": 8, **arguments} if name in ("pidnet-s", "unet") else arguments
    return build_model(name, num_classes=3, arguments=own, seed=0)


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    masks = torch.from_numpy(draw_masks(2, 37, 52, 3))
    masks[:, :4] = 255
    return torch.rand(2, 3, 37, 52, generator=generator) * 255, masks


def test_pidnet_is_taught_as_published() -> None:
    pictures, masks = batch()
    net = network()
    weights = torch.tensor([1.0, 2.0, 0.5])
    objective = build_objective(net, TrainConfig(loss="ohem"), weights)
    outputs = forward_with_auxiliary(net, pictures)
    shapes = {name: tuple(out.shape) for name, out in outputs.items()}
    assert shapes == {LOGITS: (2, 3, 37, 52), AUXILIARY: (2, 3, 37, 52), BOUNDARY: (2, 1, 37, 52)}
    with torch.no_grad():
        outputs[BOUNDARY] += 2  # so that some pixels are taken for edges
        assert (outputs[BOUNDARY].sigmoid() > 0.8).any()
        own, total = objective(outputs, masks)
        loss = build_loss("ohem", class_weights=weights)
        parts = [loss(outputs[LOGITS], masks), 0.4 * loss(outputs[AUXILIARY], masks)]
        parts += [
            factor * build_extra_loss(name, class_weights=weights)(outputs, masks)
            for name, factor in (("edge", 20), ("edge_ce", 1))
        ]
    assert own == parts[0]
    assert all(part > 0 for part in parts)
    torch.testing.assert_close(total, torch.stack(parts).sum())


def test_every_head_learns_and_only_where_it_should() -> None:
    pictures, masks = batch()
    net = network()
    config = TrainConfig(aux_weight=0, extra_loss="edge")
    _, total = build_objective(net, config, None)(forward_with_auxiliary(net, pictures), masks)
    total.backward()
    gradients = {name: p.grad for name, p in net.named_parameters()}
    # A weight of zero is a gradient of zeros: ranks wait for every parameter's.
    assert all(gradient is not None for gradient in gradients.values())
    moved = {name for name, g in gradients.items() if g is not None and g.abs().max() > 0}
    assert "auxiliary.boundary.1.conv.weight" in moved
    assert "auxiliary.auxiliary.1.conv.weight" not in moved
    assert "encoder.derivative.0.0.first.conv.weight" in moved
    assert "head.1.conv.weight" in moved


@pytest.mark.parametrize(
    ("name", "arguments", "expression", "said"),
    [
        ("pidnet-s", {}, "edge_ce", "teaches nothing to the boundary head of pidnet-s: add its loss"),
        (
            "pidnet-s",
            {"auxiliary": False},
            "edge",
            "reads the output boundary, which pidnet-s as it is",
        ),
        ("unet", {}, "edge", "reads the output boundary, which unet as it is built .*; it has logits"),
        ("pidnet-s", {}, "dice", "the loss dice reads the network's logits: give it with --loss"),
    ],
)
def test_losses_that_do_not_fit_the_network(
    name: str, arguments: dict[str, object], expression: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        build_objective(network(name, **arguments), TrainConfig(model=name, extra_loss=expression), None)


def test_without_heads_there_is_one_loss() -> None:
    pictures, masks = batch()
    for net in (network(auxiliary=False), network("unet")):
        outputs = forward_with_auxiliary(net, pictures)
        assert set(outputs) == {LOGITS}
        own, total = build_objective(net, TrainConfig(), None)(outputs, masks)
        assert total is own
