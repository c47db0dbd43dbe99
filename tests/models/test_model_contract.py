"""What every network promises, in one place: a new one is tested by standing in MODELS."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch

from drawn_networks import CASES, CLASSES, TIMM_CASES, build, fresh, photos, pictures, with_timm
from pixelwise.models import MODELS, build_model
from pixelwise.models.auxiliary import forward_with_auxiliary
from pixelwise.nn.drop_path import DropPath

every_model = pytest.mark.parametrize("name", with_timm)


def test_every_network_is_tested() -> None:
    assert {name for name, _ in CASES.values()} == set(MODELS)


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
        atol = 1e-4 * together.abs().max().item()
        for i in range(3):
            torch.testing.assert_close(network(batch[i : i + 1]), together[i : i + 1], rtol=1e-4, atol=atol)


@every_model
def test_bytes_are_taken_as_they_are(name: str) -> None:
    network, batch = build(name), pictures(2, 33, 48)
    with torch.no_grad():
        assert torch.equal(network(batch.to(torch.uint8)), network(batch))


@every_model
def test_channels_last_changes_rounding_only(name: str) -> None:
    network = build(name)
    batch = torch.from_numpy(photos(name, 61, 83)).permute(0, 3, 1, 2).float().contiguous()
    with torch.no_grad():
        expected = network(batch)
        turned = copy.deepcopy(network).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        got = turned(batch.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * expected.abs().max().item())


@every_model
def test_gradients_reach_every_parameter(name: str) -> None:
    network = build(name).train()
    for layer in network.modules():
        if isinstance(layer, DropPath):
            layer.share = 0  # a branch that all pictures go around has no gradient
    heads = forward_with_auxiliary(network, pictures(2, 48, 80))
    torch.stack([logits.square().mean() for logits in heads.values()]).sum().backward()
    trained = [(k, p) for k, p in network.named_parameters() if p.requires_grad]
    for key, parameter in trained:
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    # A bias before a batch normalisation has a gradient of zero but for rounding; kernels have not.
    still = [k for k, p in trained if p.ndim > 1 and not p.grad.abs().max() > 0]  # pyright: ignore[reportOptionalMemberAccess]
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
        fresh(name, seed=2),
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
    one, two, other = (fresh(name, seed=s).eval() for s in (5, 5, 6))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    with torch.no_grad():
        assert torch.equal(one(batch), two(batch))


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


@every_model
def test_one_picture_is_a_batch_in_training_too(name: str) -> None:
    logits = build(name).train()(pictures(1, 64, 64))
    assert logits.isfinite().all()
    logits.mean().backward()


@every_model
def test_native_logits_have_the_native_stride(name: str) -> None:
    network = build(name)
    arguments = {**CASES, **TIMM_CASES}[name][1]
    height, width, lost = (100, 68, 184) if arguments.get("padding") == "valid" else (96, 64, 0)
    with torch.no_grad():
        native = network.forward_native(network.normalise(pictures(1, height + lost, width + lost)))
    stride = network.native_stride
    assert native.shape == (1, CLASSES, height // stride, width // stride)


@every_model
def test_the_graph_can_be_exported(name: str) -> None:
    network, batch = build(name), pictures(1, 64, 96)
    program = torch.export.export(network, (batch,), strict=False)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(batch), network(batch), rtol=1e-4, atol=1e-4)
