"""What every network promises, in one place: a new one is tested by standing in MODELS."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pixelwise.models import MODELS, build_model

CLASSES = 4

every_model = pytest.mark.parametrize("name", MODELS)


def pictures(n: int, height: int, width: int, *, seed: int = 0) -> Tensor:
    """Raw RGB, `(N, 3, H, W) float32` in 0..255."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, height, width), generator=generator).float()


def build(name: str, *, seed: int = 0) -> nn.Module:
    """A network whose batch statistics are those of a few pictures, as after training."""
    network = build_model(name, num_classes=CLASSES, seed=seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # a plain mean over what it sees
        network.train()(pictures(4, 64, 64, seed=9))
    return network.eval()


@every_model
@pytest.mark.parametrize("size", [(61, 83), (64, 32), (1, 1), (1, 40), (17, 16)])
def test_logits_have_the_size_of_the_input(name: str, size: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = build(name)(pictures(2, *size))
    assert logits.shape == (2, CLASSES, *size)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()


@every_model
def test_a_picture_gets_the_same_logits_alone_and_in_a_batch(name: str) -> None:
    network, batch = build(name), pictures(3, 61, 83)
    with torch.no_grad():
        together = network(batch)
        for i in range(3):
            torch.testing.assert_close(network(batch[i : i + 1]), together[i : i + 1], rtol=1e-4, atol=1e-4)


@every_model
def test_bytes_are_taken_as_they_are(name: str) -> None:
    network, batch = build(name), pictures(2, 33, 48)
    with torch.no_grad():
        assert torch.equal(network(batch.to(torch.uint8)), network(batch))


@every_model
def test_channels_last_changes_rounding_only(name: str) -> None:
    network, batch = build(name), pictures(2, 61, 83)
    with torch.no_grad():
        expected = network(batch)
        turned = copy.deepcopy(network).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        got = turned(batch.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@every_model
def test_gradients_reach_every_parameter(name: str) -> None:
    network = build(name).train()
    network(pictures(2, 48, 80)).square().mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    # A bias before a batch normalisation has a gradient of zero but for rounding; kernels have not.
    still = [k for k, p in network.named_parameters() if p.ndim > 1 and not p.grad.abs().max() > 0]  # pyright: ignore[reportOptionalMemberAccess]
    assert not still


@every_model
def test_the_input_is_left_alone(name: str) -> None:
    batch = pictures(2, 32, 32)
    before = batch.clone()
    build(name).train()(batch).sum().backward()
    assert torch.equal(batch, before)


@every_model
def test_state_dict_round_trip(name: str, tmp_path: Path) -> None:
    network, other, batch = (
        build(name, seed=1),
        build_model(name, num_classes=CLASSES, seed=2),
        pictures(1, 61, 83),
    )
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(other.eval()(batch), network(batch))


@every_model
def test_same_seed_same_logits_and_the_global_generator_is_left_alone(name: str) -> None:
    batch = pictures(1, 32, 48)
    state = torch.get_rng_state()
    one, two, other = (build_model(name, num_classes=CLASSES, seed=s).eval() for s in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    with torch.no_grad():
        assert torch.equal(one(batch), two(batch))
        assert not torch.equal(one(batch), other(batch))


@every_model
def test_architecture_rebuilds_it_through_json(name: str) -> None:
    network = build(name)
    architecture = network.architecture
    arguments = json.loads(json.dumps(dict(architecture.arguments)))  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    again = build_model(architecture.name, num_classes=CLASSES, arguments=arguments)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    again.load_state_dict(network.state_dict())
    assert again.architecture == architecture
    with torch.no_grad():
        assert torch.equal(again.eval()(pictures(1, 32, 32)), network(pictures(1, 32, 32)))
