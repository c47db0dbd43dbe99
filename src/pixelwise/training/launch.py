"""Who started this process and how many work together: nobody else, pixelwise, torchrun or SLURM.

Reads environment variables and starts nothing. Knows no process group and no torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError

OURS = "PIXELWISE_RANKS"
"""Set in the processes that `launcher` starts: ranks of each machine and machines, e.g. `2 1`."""

Launcher = Literal["nobody", "pixelwise", "torchrun", "SLURM"]


@dataclass(frozen=True)
class Launch:
    """How a process came to train.

    Attributes:
        by: Who started it.
        devices: Ranks of each machine.
        nodes: Machines.
        rank: Number of this process among all, from 0.
    """

    by: Launcher = "nobody"
    devices: int = 1
    nodes: int = 1
    rank: int = 0

    @property
    def ranks(self) -> int:
        """Processes that train together."""
        return self.devices * self.nodes


def find_launch(environment: Mapping[str, str] = os.environ) -> Launch:
    """How this process was started, as its environment says.

    Raises:
        ConfigError: The environment contradicts itself, or has machines with unlike numbers of processes.
    """
    try:
        found = _ours(environment) or _torchrun(environment) or _slurm(environment) or Launch()
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"the environment of torchrun or SLURM is incomplete ({error}): start training with torchrun or "
            "srun, or unset their variables"
        ) from error
    return found


def speaks() -> bool:
    """Whether this process is to say what came of a run: the first one of those that train together."""
    return find_launch().rank == 0


def check_wishes(config: TrainConfig, launch: Launch) -> None:
    """Refuses numbers of devices or machines that are not those which were started.

    Raises:
        ConfigError: They differ.
    """
    for flag, wish, found in (
        ("devices", config.devices, launch.devices),
        ("nodes", config.nodes, launch.nodes),
    ):
        if wish is not None and wish != found:
            raise ConfigError(
                f"--{flag} {wish} was asked for, but {launch.by} started {launch.devices} processes on each "
                f"of {launch.nodes} machines: leave --{flag} away, or let {launch.by} start as many"
            )


def check_batch(config: TrainConfig, ranks: int) -> None:
    """Refuses a batch that does not give each rank a picture.

    Raises:
        ConfigError: It is too small.
    """
    needed = ranks * (2 if config.augment.mix else 1)
    if config.batch_size < needed:
        pairs = ", in pairs because of --mix" if config.augment.mix else ""
        raise ConfigError(
            f"--batch-size {config.batch_size} is of all devices together, too few for {ranks} of "
            f"them{pairs}: use {needed} or more, or fewer devices"
        )


def _ours(environment: Mapping[str, str]) -> Launch | None:
    if OURS not in environment:
        return None
    devices, nodes = (int(word) for word in environment[OURS].split())
    rank = int(environment["NODE_RANK"]) * devices + int(environment["LOCAL_RANK"])
    return Launch("pixelwise", devices, nodes, rank)


def _torchrun(environment: Mapping[str, str]) -> Launch | None:
    if "TORCHELASTIC_RUN_ID" not in environment:
        return None
    world, local = int(environment["WORLD_SIZE"]), int(environment["LOCAL_WORLD_SIZE"])
    if world == 1:
        return None
    return Launch("torchrun", local, _machines(world, local), int(environment["RANK"]))


def _slurm(environment: Mapping[str, str]) -> Launch | None:
    """Inside `srun` alone: a batch script has the job's numbers too, but runs once."""
    if "SLURM_STEP_ID" not in environment or int(environment.get("SLURM_NTASKS", "1")) == 1:
        return None
    if "SLURM_NTASKS_PER_NODE" not in environment:
        raise ConfigError(
            "SLURM says how many tasks there are but not how many on each machine: start with "
            "--ntasks-per-node instead of --ntasks"
        )
    world, local = int(environment["SLURM_NTASKS"]), int(environment["SLURM_NTASKS_PER_NODE"])
    return Launch("SLURM", local, _machines(world, local), int(environment["SLURM_PROCID"]))


def _machines(world: int, local: int) -> int:
    if local < 1 or world % local:
        raise ConfigError(
            f"{world} processes with {local} on this machine: every machine must have as many as the others"
        )
    return world // local
