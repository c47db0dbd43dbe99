"""What one rank does in `test_ranks`, in a process of its own.

It leaves what it found in FOLDER, for the test to compare with one process.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from forked import Forked
from lightning_fabric import Fabric
from torch import Tensor, nn

from pixelwise import plain
from pixelwise.config import TrainConfig
from pixelwise.data.loader import Batch
from pixelwise.losses import build_extra_loss, build_loss
from pixelwise.nn.conv import ARITHMETICS, BatchNorm
from pixelwise.nn.outputs import AUXILIARY, BOUNDARY, LOGITS
from pixelwise.training import TrainingInterrupted, loop, sharding, train
from pixelwise.training.average import WeightAverage
from pixelwise.training.checkpoint import Progress, State, load_checkpoint, save_checkpoint
from pixelwise.training.engine import Heads, join_fabric, make_fabric
from pixelwise.training.events import Silent
from pixelwise.training.job import Job
from pixelwise.training.launch import OURS, Launch, find_launch
from pixelwise.training.launcher import environment_of, meeting_place
from pixelwise.training.objective import Objective
from pixelwise.training.ranks import ALONE, Ranks, lost
from pixelwise.training.rmsprop import KerasRMSprop
from pixelwise.training.shards import gathered
from pixelwise.training.step import Stepper, Update
from pixelwise.training.synced_norm import synchronise
from pixelwise.training.validate import validate

CPU = torch.device("cpu")
WEIGHTS = torch.tensor([0.5, 1.0, 2.0])
SIZE = (6, 8)
DEAD = 77
"""Exit code of the rank that dies without a word."""

# Name: pictures in the batch, micro-batch, frozen batch normalisation.
CASES: dict[str, tuple[int, int | None, bool]] = {
    "frozen": (5, None, True),
    "synced": (5, None, False),
    "frozen, in pieces": (7, 1, True),
    "fewer than ranks": (3, None, False),
    "one picture": (1, None, False),
    "heads": (7, 2, True),
    "heads, one picture": (1, None, False),
}


OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    "frozen": lambda network: torch.optim.SGD(network.parameters(), lr=0.5, foreach=True),
    "synced": lambda network: torch.optim.SGD(network.parameters(), lr=0.5, momentum=0.9, foreach=True),
    "frozen, in pieces": lambda network: KerasRMSprop(network.parameters(), lr=0.01, weight_decay=0.1),
    "fewer than ranks": lambda network: torch.optim.AdamW(network.parameters(), lr=0.01, foreach=True),
    "one picture": lambda network: torch.optim.SGD(network.parameters(), lr=0.5),
    "heads": lambda network: torch.optim.SGD(network.parameters(), lr=0.5),
    "heads, one picture": lambda network: torch.optim.SGD(network.parameters(), lr=0.5),
}


class Small(nn.Module):
    """Batch normalisation over maps, and over one value per picture, as a pooling branch has it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.pooled = nn.Conv2d(4, 4, 1)
        self.pooled_norm = BatchNorm(4, ARITHMETICS["keras"])
        self.last = nn.Conv2d(4, 3, 1)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.norm(self.first(x.double() / 255)))
        return self.last(y + torch.tanh(self.pooled_norm(self.pooled(y.mean((2, 3), keepdim=True)))))


class Headed(Small):
    """With heads that only training has."""

    def __init__(self) -> None:
        super().__init__()
        heads = {AUXILIARY: 3, BOUNDARY: 1}
        self.auxiliary = nn.ModuleDict({name: nn.Conv2d(4, k, 1) for name, k in heads.items()}).double()

    def forward_auxiliary(self, x: Tensor) -> dict[str, Tensor]:
        y = torch.tanh(self.first(x.double() / 255))
        return {LOGITS: self(x), **{name: head(y) for name, head in self.auxiliary.items()}}


def pictures(count: int) -> tuple[Tensor, Tensor]:
    """Pictures that differ in colour, with ever fewer counted pixels; one has none at all."""
    generator = torch.Generator().manual_seed(count)
    colours = torch.linspace(90, 255, count).view(-1, 1, 1, 1)
    images = torch.rand(count, 3, *SIZE, generator=generator) * colours
    masks = torch.randint(0, 3, (count, *SIZE), generator=generator, dtype=torch.uint8)
    for number in range(count):
        masks[number, : number if number != 2 else SIZE[0]] = 255
    return images, masks


def _objective(device: torch.device, *, headed: bool = False) -> Objective:
    if headed:
        extra = build_extra_loss("20*edge", class_weights=None)
        return Objective(build_loss("ce", class_weights=None), None, 0.4, extra)
    weights = WEIGHTS.to(device)
    return Objective(build_loss("ce", class_weights=weights), weights, 0.0)


def step(
    case: str, fabric: Fabric, ranks: Ranks, sharded: bool, folder: Path | None = None
) -> dict[str, np.ndarray]:
    """The state after one step on this rank's share, with loss and weight.

    With a folder it is what comes back from a checkpoint there.
    """
    count, micro_batch, frozen = CASES[case]
    headed = case.startswith("heads")
    network = (Headed() if headed else Small()).to(fabric.device)
    norms = (network.norm, network.pooled_norm) if frozen else ()
    average = WeightAverage(network, 0.5)
    synchronise(network, norms, ranks)
    engine = fabric.setup_module(Heads(network))
    if sharded:
        fabric.setup_module(Heads(average.network))
    optimizer = OPTIMIZERS[case](network)
    for norm in norms:
        norm.eval()
    stepper = Stepper(
        fabric=fabric,
        engine=engine,
        optimizer=fabric.setup_optimizers(optimizer),  # pyright: ignore[reportArgumentType]
        objective=_objective(fabric.device, headed=headed),
        micro_batch=micro_batch,
        clip_norm=0.4,
        ranks=ranks,
        sharded=sharded,
    )
    images, masks = (tensor.to(fabric.device) for tensor in pictures(count))
    span = ranks.share().span(count)
    own = slice(span.start, span.stop)
    update = stepper.backward(images[own], masks[own], seed=(0,), largest=ranks.share().largest(count))
    stepper.step()
    average.update(network, 5)
    state = State(network, optimizer, average)
    if folder is not None:
        state = _through_file(folder / "state.safetensors", state, frozen, fabric, ranks)
    tensors = gathered(_everything_in(state), keep=True)
    found = {f"{case}/{name}": value.numpy().copy() for name, value in tensors.items()}
    return {**found, f"{case}/loss": np.array(update.loss), f"{case}/weight": np.array(update.weight)}


def _everything_in(state: State) -> dict[str, Tensor]:
    """Weights, running statistics, their average, and what the optimiser remembers."""
    assert state.average is not None
    found = dict(state.network.state_dict())
    found |= {f"average.{name}": value for name, value in state.average.network.state_dict().items()}
    for number, entries in state.optimizer.state_dict()["state"].items():
        found |= {f"optimizer.{number}.{name}": value for name, value in entries.items()}
    return found


def _through_file(path: Path, state: State, frozen: bool, fabric: Fabric, ranks: Ranks) -> State:
    """Another state, in shards, with what a checkpoint of the first one holds."""
    save_checkpoint(path, state, Progress(), write=ranks.first)
    ranks.wait()
    network = Small().to(fabric.device)
    other = WeightAverage(network, 0.5)
    for module in (network, other.network):
        for parameter in module.parameters():
            parameter.data.fill_(7)
    synchronise(network, (network.norm, network.pooled_norm) if frozen else (), ranks)
    fabric.setup_module(Heads(network))
    fabric.setup_module(Heads(other.network))
    loaded = State(network, OPTIMIZERS["synced"](network), other)
    load_checkpoint(path, loaded)
    return loaded


def measured(fabric: Fabric, ranks: Ranks, sharded: bool) -> dict[str, np.ndarray]:
    """Loss and confusion over seven pictures in batches of two."""
    images, masks = pictures(7)
    own = list(ranks.share().strided(7))
    rows = images.permute(0, 2, 3, 1).to(torch.uint8).numpy(), masks.numpy()
    batches = [
        Batch(np.array(part), rows[0][part], rows[1][part])
        for part in (own[start : start + 2] for start in range(0, len(own), 2))
    ]
    if sharded:
        most = -(-7 // ranks.count)  # pictures of the first rank
        nothing = Batch(np.zeros(0, np.int64), rows[0][:0], rows[1][:0])
        batches += [nothing] * (-(-most // 2) - len(batches))
    found = validate(
        fabric.setup_module(Heads(Small())),  # which brings it to its device
        batches,
        num_classes=3,
        objective=_objective(fabric.device),
        device=fabric.device,
        on_batch=lambda done: None,
        ranks=ranks,
        sharded=sharded,
    )
    return {"confusion": found.confusion, "validation loss": np.array(found.loss)}


def everything(
    fabric: Fabric, ranks: Ranks, *, sharded: bool = False, folder: Path | None = None
) -> dict[str, np.ndarray]:
    """All cases and the validation."""
    found = measured(fabric, ranks, sharded)
    for case in CASES:
        found |= step(case, fabric, ranks, sharded, folder if case == "synced" else None)
    return found


def alone() -> dict[str, np.ndarray]:
    """The same in one process."""
    return everything(make_fabric(CPU, "float32"), ALONE)


def start(
    task: Callable[[Path], None], folder: Path, count: int, by: Mapping[str, str] | None = None
) -> None:
    """Runs a task on so many ranks and waits; for the test's own process.

    Args:
        task: What each of them does.
        folder: Where its files lie.
        count: How many ranks.
        by: What another launcher than ours sets in their environment, with `{rank}`.
    """
    launch = Launch("pixelwise", count, 1)
    with meeting_place(launch) as place:
        processes: list[Forked] = []
        for rank in range(count):
            environment = environment_of(launch, rank, place)
            if by is not None:
                del environment[OURS], environment["LOCAL_RANK"], environment["NODE_RANK"]
                environment |= {name: value.format(rank=rank) for name, value in by.items()}
            processes.append(Forked(task, folder, environment=environment))
        try:
            errors = [process.communicate(200)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
    for process, text in zip(processes, errors, strict=True):
        assert process.returncode in (0, DEAD), text


def compare(folder: Path, device: torch.device = CPU) -> Ranks:
    """One step of each case and one validation, with DDP and in shards."""
    fabric = join_fabric(device, "float32", find_launch(), seconds=60)
    ranks = Ranks.of(fabric, seconds=60)
    found = everything(fabric, ranks)
    sharding.LEAST, sharding.MOST = 10, 40  # so that the small network has groups
    shards = join_fabric(device, "float32", find_launch(), seconds=60, sharded=True)
    in_shards = everything(shards, ranks, sharded=True, folder=folder)
    found |= {f"in shards: {name}": value for name, value in in_shards.items()}
    found["told"] = np.array(ranks.tell(["é", 3] if ranks.first else None) == ["é", 3])
    found["largest"] = np.array(ranks.largest(ranks.rank, -ranks.rank))
    np.savez(folder / f"{ranks.rank}.npz", **found)
    return ranks


def compare_on_gpus(folder: Path) -> None:
    """On one GPU a rank, over NCCL."""
    compare(folder, torch.device("cuda"))


def assert_same(folder: Path, count: int, one_process: Mapping[str, np.ndarray]) -> None:
    """Every rank has what one process has: weights, what optimisers remember, statistics, losses, confusion.

    So it has with DDP, and so it has in shards.
    """
    for rank in range(count):
        found = np.load(folder / f"{rank}.npz")
        for way in ("", "in shards: "):
            # Integers, so exactly: no picture is left out, none counts twice.
            assert found[f"{way}confusion"].tolist() == one_process["confusion"].tolist()
            for name, value in one_process.items():
                place = f"{rank}: {way}{name}"
                np.testing.assert_allclose(found[way + name], value, rtol=1e-6, atol=1e-6, err_msg=place)
        assert found["told"]
        assert found["largest"].tolist() == [count - 1, 0]


def compare_and_die(folder: Path) -> None:
    """Then the last rank dies, and the others notice whatever they wait for."""
    ranks = compare(folder)
    begun = time.monotonic()
    if ranks.rank == ranks.count - 1:
        os._exit(DEAD)
    reasons = []
    for wait in (lambda: ranks.sum(torch.ones(3)), lambda: ranks.largest(1), ranks.wait):
        try:
            wait()
        except RuntimeError as error:
            reasons.append(lost(error) or f"not known: {error}")
    noticed = {"reasons": reasons, "seconds": time.monotonic() - begun}
    (folder / f"noticed-{ranks.rank}.json").write_text(json.dumps(noticed))
    os._exit(0)  # the group would wait for the one that died


Step = Callable[..., Update]


def recording(path: Path, step: Step, *, stop_at: int | None = None) -> Step:
    """The loop's step, which notes its pictures in a file, and signals its own process before one of them."""
    done = 0

    def recorded(job: Job, batch: Batch, total_steps: int, *, largest: int) -> Update:
        nonlocal done
        with path.open("a") as file:
            place = [job.progress.epoch, job.progress.step]
            file.write(json.dumps([*place, batch.indices.tolist()]) + "\n")
        if done == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)
        done += 1
        return step(job, batch, total_steps, largest=largest)

    return recorded


def compare_and_train(folder: Path) -> None:
    """Then begins a run; a signal at one rank ends all of them after the sixth step."""
    compare(folder)
    rank = find_launch().rank
    loop._step = recording(folder / f"seen-{rank}.txt", loop._step, stop_at=5 if rank == 1 else None)
    config = plain.from_flat(TrainConfig, json.loads((folder / "config.json").read_text()))
    try:
        train(folder / "data", config, out=folder / "run", listener=Silent())
    except TrainingInterrupted as stopped:
        (folder / f"stopped-{rank}.txt").write_text(str(stopped))
