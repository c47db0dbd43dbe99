"""Which layers are sharded together, and that every network runs in shards: one rank, in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

from drawn_networks import CASES, fresh, pictures
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.models import MODELS, build_model
from pixelwise.training import resume, sharding
from pixelwise.training.engine import Heads
from pixelwise.training.sharding import check_sharded, fold, groups, shard
from pixelwise.training.shards import gathered, local, part_like, whole

NETWORKS = (
    *("unet-xception", "mobilenet-segnet-f5", "segnet", "fcn-8s-mobilenet"),
    *("unet-valid", "unet-resnet", "deeplabv3plus-auxiliary", "fpn", "upernet"),
    *("lraspp-small", "pidnet-s", "segformer-b2", "eomt-s"),
)


@pytest.fixture(scope="module")
def mesh() -> Generator[DeviceMesh, None, None]:
    """A group of this process alone."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    assert dist.group.WORLD is not None
    yield DeviceMesh.from_group(dist.group.WORLD, "cpu")
    dist.destroy_process_group()


def test_every_network_is_tried() -> None:
    assert {MODELS[CASES[case][0]].build for case in NETWORKS} == {info.build for info in MODELS.values()}


@pytest.mark.parametrize("case", NETWORKS)
def test_every_network_runs_in_shards_as_it_does_whole(
    case: str, mesh: DeviceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its layers are called in ways that gather their parameters, however small the groups are."""
    monkeypatch.setattr(sharding, "LEAST", 500)
    monkeypatch.setattr(sharding, "MOST", 20_000)
    network, x = fresh(case, seed=0).eval(), pictures(1, 17, 35)
    heads = Heads(network)  # in training mode, so that auxiliary heads speak; the network draws nothing
    expected = heads(x)
    _size(expected).backward()
    gradients = {name: p.grad for name, p in heads.named_parameters()}
    heads.zero_grad()

    names = list(heads.state_dict())
    shard(heads, mesh)
    assert sum(isinstance(layer, FSDPModule) for layer in heads.modules()) > 5
    found = heads(x)
    assert found.keys() == expected.keys()
    for name, logits in found.items():
        torch.testing.assert_close(logits, expected[name].detach(), rtol=1e-4, atol=1e-5)
    _size(found).backward()
    assert list(heads.state_dict()) == names
    for name, parameter in heads.named_parameters():
        gradient, before = parameter.grad, gradients[name]
        assert isinstance(parameter, DTensor)
        assert (gradient is None) == (before is None), name
        if gradient is not None and before is not None:
            scale = before.abs().max().item()
            torch.testing.assert_close(whole(gradient), before, rtol=1e-3, atol=1e-4 * scale + 1e-8)
    with torch.no_grad():
        heads(x)
    fold(heads)
    assert all(isinstance(parameter, DTensor) for parameter in heads.parameters())


def _size(answers: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.stack([logits.square().mean() for logits in answers.values()]).sum()


def test_small_layers_stay_together_and_large_blocks_are_cut() -> None:
    with torch.device("meta"):
        network = build_model("fcn-8s", num_classes=3)
        heads = Heads(network)
    names = {layer: name for name, layer in heads.named_modules()}
    found = groups(heads, least=sharding.LEAST, most=sharding.MOST)
    sizes = {names[layer]: sum(p.numel() for p in layer.parameters()) for layer in found}
    # VGG16's blocks of 256 and 512 channels, and the two layers that were fully connected.
    assert sizes == {
        "network.encoder.blocks.2": 3 * 9 * 256 * 256 - 9 * 128 * 256 + 3 * 256,
        "network.encoder.blocks.3": 3 * 9 * 512 * 512 - 9 * 256 * 512 + 3 * 512,
        "network.encoder.blocks.4": 3 * 9 * 512 * 512 + 3 * 512,
        "network.classifier.0": 49 * 512 * 4096 + 4096,
        "network.classifier.3": 4096 * 4096 + 4096,
    }
    small = Heads(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 3, 1)))
    assert groups(small, least=1000, most=2000) == []


def test_parts_of_tensors(mesh: DeviceMesh) -> None:
    """With one rank a part is all of it; the tests of ranks have two and four."""
    layer = nn.Conv2d(3, 5, 1)
    weight = layer.weight.detach().clone()
    shard(Heads(nn.Sequential(layer)), mesh)
    assert isinstance(layer.weight, DTensor)
    assert torch.equal(whole(layer.weight.detach()), weight)
    assert torch.equal(local(layer.weight.detach()), weight)
    again = part_like(2 * weight, layer.weight)
    assert isinstance(again, DTensor)
    assert again.placements == layer.weight.placements
    assert torch.equal(whole(again), 2 * weight)
    # What does not fit is left for others to complain of, and what is whole stays so.
    assert part_like(weight[:2], layer.weight).shape == (2, 3, 1, 1)
    assert part_like(weight, weight) is weight
    state = layer.state_dict()
    assert gathered(state, keep=False) == {}
    assert torch.equal(gathered(state, keep=True)["weight"], weight)


def test_what_shards_cannot_do_is_refused(tmp_path: Path) -> None:
    fsdp = TrainConfig(strategy="fsdp")
    assert check_sharded(fsdp, "bfloat16", 2)
    assert not check_sharded(fsdp, "float16", 1)  # alone: nothing is shared out
    assert not check_sharded(TrainConfig(), "float16", 2)
    with pytest.raises(ConfigError, match=r"not in float16, which auto takes on this GPU: add --precision"):
        check_sharded(fsdp, "float16", 2)
    with pytest.raises(ConfigError, match="--compile is for networks that each device has whole: leave it"):
        check_sharded(dataclasses.replace(fsdp, compile=True), "float32", 2)
    with pytest.raises(ConfigError, match="strategy must be one of ddp, fsdp, got 'zero'"):
        TrainConfig(strategy="zero")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match="holds no run to resume"):
        resume(tmp_path, strategy="fsdp")
