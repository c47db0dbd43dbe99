"""Pretrained encoders learn at their own pace, stage by stage, or not at all."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pixelwise.config import TrainConfig
from pixelwise.encoders import ENCODERS, build_encoder
from pixelwise.errors import ConfigError
from pixelwise.models import MODELS, build_model
from pixelwise.training.encoder_layers import freeze, learning_rate_factors, to_training_mode
from pixelwise.training.optim import build_optimizer, set_learning_rate


def deeplab() -> nn.Module:
    arguments = {"output_stride": 16, "encoder_arguments": {"alpha": 0.35}}
    return build_model("deeplabv3plus", num_classes=3, arguments=arguments, seed=0)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_parameter_lies_in_one_stage_and_stages_lead_to_features(name: str) -> None:
    encoder = build_encoder(name)
    assert isinstance(encoder, nn.Module)
    stages = encoder.stages()
    assert len(stages) == len(encoder.channels)
    found = [p for stage in stages for layer in stage for p in layer.parameters()]
    assert len(found) == len(set(found))
    assert set(found) == set(encoder.parameters())
    # The gradient of feature i reaches the stages up to i, and no later one.
    features = encoder(torch.rand(2, 3, 64, 64))
    for number, feature in enumerate(features):
        encoder.zero_grad()
        feature.sum().backward(retain_graph=True)
        reached = [any(p.grad is not None for layer in stage for p in layer.parameters()) for stage in stages]
        assert reached == [place <= number for place in range(len(stages))]


def test_factors_by_hand() -> None:
    network = deeplab()
    factors = learning_rate_factors(network, TrainConfig(encoder_lr=0.5, layer_decay=0.1))
    blocks = network.encoder.blocks  # pyright: ignore[reportAttributeAccessIssue]
    # Five stages; the last one has 0.5, the first one 0.5 x 0.1^4. Blocks 3 and 4 end in the feature of
    # stride 8, two stages before the last.
    weights = {0: 0.5e-4, 1: 0.5e-3, 3: 0.5e-2, 12: 0.5e-1, 16: 0.5}
    for block, factor in weights.items():
        assert factors[blocks[block].project.conv.weight] == pytest.approx(factor)  # pyright: ignore[reportArgumentType, reportIndexIssue, reportAttributeAccessIssue]
    assert network.head.weight not in factors  # pyright: ignore[reportAttributeAccessIssue, reportOperatorIssue]
    assert len(factors) == len(list(network.encoder.parameters()))  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]


def test_the_optimiser_steps_by_the_factors() -> None:
    network = deeplab()
    optimizer = build_optimizer(network, TrainConfig(optimizer="sgd", momentum=0, encoder_lr=0.5))
    set_learning_rate(optimizer, 0.2)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(list(network.parameters()))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        moved = (before[name] - parameter).detach()
        expected = 0.1 if name.startswith("encoder.") else 0.2
        torch.testing.assert_close(moved, torch.full_like(moved, expected), rtol=0, atol=1e-5)


def test_a_frozen_encoder_stays_and_costs_no_gradient() -> None:
    network = deeplab()
    config = TrainConfig(encoder_lr=0, freeze_bn="encoder", optimizer="adamw", weight_decay=0.1)
    frozen = freeze(network, config)
    optimizer = build_optimizer(network, config)
    to_training_mode(network, frozen)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network(torch.rand(2, 3, 32, 32) * 255).square().mean().backward()
    optimizer.step()
    for name, tensor in network.state_dict().items():
        if name.startswith("encoder."):
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(network.head.weight, before["head.weight"])  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    assert all(p.grad is None for p in network.encoder.parameters())  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]


@pytest.mark.parametrize("where", ["encoder", "all"])
def test_frozen_batch_normalisation(where: str) -> None:
    network = deeplab()
    frozen = freeze(network, TrainConfig(freeze_bn=where))  # pyright: ignore[reportArgumentType]
    norms = {n: m for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
    meant = {n for n in norms if where == "all" or n.startswith("encoder.")}
    assert {n for n, m in norms.items() if m in frozen} == meant
    to_training_mode(network, frozen)
    assert {n for n, m in norms.items() if not m.training} == meant
    before = {n: m.running_mean.clone() for n, m in norms.items()}  # pyright: ignore[reportOptionalMemberAccess]
    network(torch.rand(2, 3, 32, 32) * 255).sum().backward()
    for name, norm in norms.items():
        kept = name in meant
        assert torch.equal(norm.running_mean, before[name]) == kept, name  # pyright: ignore[reportArgumentType]
        assert (norm.weight.grad is None) == kept


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("settings", [{"encoder_lr": 0.1}, {"layer_decay": 0.5}])
def test_every_network_takes_it_or_says_that_it_has_no_encoder(name: str, settings: dict[str, float]) -> None:
    with torch.device("meta"):
        network = build_model(name, num_classes=2)
    config = TrainConfig(**settings)  # pyright: ignore[reportArgumentType]
    if name in ("unet", "unet-xception"):
        with pytest.raises(ConfigError, match="--encoder-lr and --layer-decay is for networks with a named"):
            build_optimizer(network, config)
    else:
        count = sum(len(group["params"]) for group in build_optimizer(network, config).param_groups)
        assert count == sum(p.requires_grad for p in network.parameters())  # FCN's last upsampling is fixed


def test_freezing_what_is_not_there() -> None:
    network = build_model("unet-xception", num_classes=2, seed=0)
    for config in (TrainConfig(encoder_lr=0), TrainConfig(freeze_bn="encoder")):
        with pytest.raises(ConfigError, match="is for networks with a named encoder"):
            freeze(network, config)
