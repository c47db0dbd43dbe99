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
from pixelwise.training import TrainingInterrupted, loop, train
from pixelwise.training.engine import Heads, join_fabric, make_fabric
from pixelwise.training.events import Silent
from pixelwise.training.job import Job
from pixelwise.training.launch import OURS, Launch, find_launch
from pixelwise.training.launcher import environment_of, meeting_place
from pixelwise.training.objective import Objective
from pixelwise.training.ranks import ALONE, Ranks, lost
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


def step(case: str, fabric: Fabric, ranks: Ranks) -> dict[str, np.ndarray]:
    """The state of the network after one step of SGD on this rank's share, with loss and weight."""
    count, micro_batch, frozen = CASES[case]
    headed = case.startswith("heads")
    network = Headed() if headed else Small()
    weights = None if headed else WEIGHTS
    extra = build_extra_loss("20*edge", class_weights=None) if headed else None
    norms = (network.norm, network.pooled_norm) if frozen else ()
    synchronise(network, norms, ranks)
    engine, optimizer = fabric.setup(Heads(network), torch.optim.SGD(network.parameters(), lr=0.5))
    for norm in norms:
        norm.eval()
    stepper = Stepper(
        fabric=fabric,
        engine=engine,
        optimizer=optimizer,
        objective=Objective(build_loss("ce", class_weights=weights), weights, 0.4 * headed, extra),
        micro_batch=micro_batch,
        clip_norm=0.4,
        ranks=ranks,
    )
    images, masks = pictures(count)
    span = ranks.share().span(count)
    own = slice(span.start, span.stop)
    update = stepper.backward(images[own], masks[own], seed=(0,), largest=ranks.share().largest(count))
    stepper.step()
    state = {f"{case}/{name}": value.numpy().copy() for name, value in network.state_dict().items()}
    return {**state, f"{case}/loss": np.array(update.loss), f"{case}/weight": np.array(update.weight)}


def measured(fabric: Fabric, ranks: Ranks) -> dict[str, np.ndarray]:
    """Loss and confusion over seven pictures in batches of two."""
    images, masks = pictures(7)
    own = list(ranks.share().strided(7))
    rows = images.permute(0, 2, 3, 1).to(torch.uint8).numpy(), masks.numpy()
    batches = [
        Batch(np.array(part), rows[0][part], rows[1][part])
        for part in (own[start : start + 2] for start in range(0, len(own), 2))
    ]
    found = validate(
        fabric.setup(Heads(Small())),
        batches,
        num_classes=3,
        objective=Objective(build_loss("ce", class_weights=WEIGHTS), WEIGHTS, 0.0),
        device=CPU,
        on_batch=lambda done: None,
        ranks=ranks,
    )
    return {"confusion": found.confusion, "validation loss": np.array(found.loss)}


def everything(fabric: Fabric, ranks: Ranks) -> dict[str, np.ndarray]:
    """All cases and the validation."""
    found = measured(fabric, ranks)
    for case in CASES:
        found |= step(case, fabric, ranks)
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


def compare(folder: Path) -> Ranks:
    """One step of each case and one validation."""
    fabric = join_fabric(CPU, "float32", find_launch(), seconds=20)
    ranks = Ranks.of(fabric, seconds=20)
    found = everything(fabric, ranks)
    found["told"] = np.array(ranks.tell(["é", 3] if ranks.first else None) == ["é", 3])
    found["largest"] = np.array(ranks.largest(ranks.rank, -ranks.rank))
    np.savez(folder / f"{ranks.rank}.npz", **found)
    return ranks


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
