"""Who started a process, as its environment says, and wishes that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from pixelwise.config import AugmentConfig, TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.training import resume, train
from pixelwise.training.engine import check_devices, cluster_environment, process_group
from pixelwise.training.launch import OURS, Launch, check_batch, check_wishes, find_launch
from pixelwise.training.launcher import environment_of, meeting_place
from pixelwise.training.ranks import ALONE, Ranks, lost
from pixelwise.training.synced_norm import SyncedBatchNorm, synchronise

TORCHRUN = {"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "RANK": "3"}
SLURM = {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "6", "SLURM_NTASKS_PER_NODE": "3", "SLURM_PROCID": "5"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Launch()),
        ({OURS: "2 3", "NODE_RANK": "1", "LOCAL_RANK": "1"}, Launch("pixelwise", 2, 3, 3)),
        (TORCHRUN, Launch("torchrun", 2, 2, 3)),
        ({**TORCHRUN, "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}, Launch()),
        (SLURM, Launch("SLURM", 3, 2, 5)),
        ({**SLURM, **TORCHRUN}, Launch("torchrun", 2, 2, 3)),
        ({**SLURM, "SLURM_NTASKS": "1"}, Launch()),
        # A batch script has the job's numbers without srun; it runs once.
        ({name: value for name, value in SLURM.items() if name != "SLURM_STEP_ID"}, Launch()),
    ],
)
def test_the_environment_says_who_started_us(environment: dict[str, str], expected: Launch) -> None:
    assert find_launch(environment) == expected


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({**TORCHRUN, "RANK": "x"}, "environment of torchrun or SLURM is incomplete"),
        ({"TORCHELASTIC_RUN_ID": "1"}, "incomplete .*WORLD_SIZE"),
        (
            {**TORCHRUN, "WORLD_SIZE": "5"},
            "5 processes with 2 on this machine: every machine must have as many",
        ),
        ({"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2"}, "start with --ntasks-per-node instead of --ntasks"),
    ],
)
def test_an_environment_that_cannot_be(environment: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_launch(environment)


def test_wishes_must_be_what_was_started() -> None:
    launch = Launch("torchrun", 2, 1, 0)
    check_wishes(TrainConfig(), launch)
    check_wishes(TrainConfig(devices=2, nodes=1), launch)
    with pytest.raises(ConfigError, match="--devices 3 was asked for, but torchrun started 2 processes"):
        check_wishes(TrainConfig(devices=3), launch)
    with pytest.raises(ConfigError, match="--nodes 2 was asked for"):
        check_wishes(TrainConfig(nodes=2), launch)


def test_every_device_needs_a_picture_of_a_batch() -> None:
    check_batch(TrainConfig(batch_size=4), 4)
    with pytest.raises(ConfigError, match="--batch-size 3 is of all devices together, too few for 4"):
        check_batch(TrainConfig(batch_size=3), 4)
    with pytest.raises(ConfigError, match="in pairs because of --mix: use 4 or more"):
        check_batch(TrainConfig(batch_size=3, augment=AugmentConfig(mix=0.5)), 2)


def test_more_devices_than_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_devices(torch.device("cpu"), Launch("pixelwise", 3, 1))
    with pytest.raises(
        ConfigError, match="3 devices were asked for, but torch sees 1 CUDA GPU: use --devices 1"
    ):
        check_devices(torch.device("cuda"), Launch("pixelwise", 3, 1))
    with pytest.raises(ConfigError, match="ask with --gres=gpu:3, without --gpus-per-task"):
        check_devices(torch.device("cuda"), Launch("SLURM", 3, 1))


def test_ranks_on_gpus_sum_over_nccl_each_on_its_own_one() -> None:
    assert process_group(torch.device("cpu"), 3) == ("gloo", None)
    assert process_group(torch.device("cuda"), 1) == ("nccl", torch.device("cuda", 1))


def test_a_ranks_gpu_is_what_its_launcher_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """SLURM may deal ranks out in turn: with two machines of two GPUs rank 1 is the second one's first."""
    for name, value in {**SLURM, "SLURM_PROCID": "1", "SLURM_LOCALID": "0", "SLURM_NODEID": "1"}.items():
        monkeypatch.setenv(name, value)
    launch = find_launch()
    assert launch.rank == 1
    local = cluster_environment(launch).local_rank()
    assert process_group(torch.device("cuda"), local) == ("nccl", torch.device("cuda", 0))


def test_several_machines_need_a_meeting_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MASTER_ADDR", "first")
    launch = Launch("pixelwise", 2, 2)
    with (
        pytest.raises(ConfigError, match="--nodes 2 needs MASTER_PORT, NODE_RANK in the environment"),
        meeting_place(launch),
    ):
        pass
    monkeypatch.setenv("MASTER_PORT", "1234")
    monkeypatch.setenv("NODE_RANK", "1")
    with meeting_place(launch) as place:
        environment = environment_of(launch, 1, place)
    assert find_launch(environment) == Launch("pixelwise", 2, 2, 3)
    assert (environment["MASTER_ADDR"], environment["MASTER_PORT"]) == ("first", "1234")


def test_what_cannot_be_is_said_before_any_process_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--batch-size 2 is of all devices together"):
        train(tmp_path, devices=3, batch_size=2, out=tmp_path / "run")
    with pytest.raises(ConfigError, match="devices must be at least 1"):
        TrainConfig(devices=0)
    with pytest.raises(ConfigError, match="holds no run to resume"):
        resume(tmp_path, devices=2)


def test_one_process_needs_no_others() -> None:
    assert ALONE.largest(3, 4) == (3, 4)
    assert ALONE.tell("x") == "x"
    ALONE.wait()
    with ALONE.in_turn():
        pass
    network = nn.Sequential(nn.BatchNorm2d(2))
    synchronise(network, (), ALONE)
    assert type(network[0]) is nn.BatchNorm2d


class _Two(Ranks):
    """Two ranks that see the same input: no process group."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 2

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.stack([tensor, tensor])

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        return 2 * tensor


@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_synced_layer_is_the_layer_over_both_inputs(momentum: float | None, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = (torch.randn(3, 4, 5, 6) * 3 + 100).to(dtype)
    whole, network = nn.BatchNorm2d(4, momentum=momentum), nn.Sequential(nn.BatchNorm2d(4, momentum=momentum))
    kept = list(network.state_dict())
    synchronise(network, (), _Two())
    assert isinstance(network[0], SyncedBatchNorm)
    assert list(network.state_dict()) == kept
    for _ in range(2):
        expected, found = whole(torch.cat([x, x]))[:3], network(x)
        assert found.dtype == expected.dtype
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-4 if dtype == torch.float32 else 0.04)
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(network[0].state_dict()[name], value, rtol=1e-5, atol=1e-5)
    whole.eval(), network.eval()
    torch.testing.assert_close(network(x), whole(x))


def test_a_frozen_layer_stays_and_a_strange_one_is_refused() -> None:
    frozen = nn.BatchNorm2d(2)
    network = nn.Sequential(frozen)
    synchronise(network, (frozen,), _Two())
    assert network[0] is frozen
    with pytest.raises(ConfigError, match=r"has a BatchNorm1d.*--freeze-bn all, or train on one device"):
        synchronise(nn.Sequential(nn.BatchNorm1d(2)), (), _Two())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            RuntimeError(
                "[/pytorch/third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer [::1]:2"
            ),
            "Connection closed by peer [::1]:2",
        ),
        (torch.distributed.DistNetworkError("socket timed out"), "socket timed out"),
        (RuntimeError("NCCL communicator was aborted on rank 1"), "NCCL communicator was aborted on rank 1"),
        (RuntimeError("shape '[2]' is invalid for input of size 3"), None),
        (ValueError("gloo"), None),
    ],
)
def test_which_errors_mean_that_another_rank_is_gone(error: Exception, expected: str | None) -> None:
    assert lost(error) == expected
