"""One real training step, checkpoint and validation pass on made-up pictures, for what they take.

`main` is the child process that `memory` starts: a wish in JSON on stdin, an
answer in JSON on stdout. A process of its own, because an allocator keeps what it once had: only in a fresh
one is the peak that of this network, this size and this batch. Knows no data set and makes no choice.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pixelwise import plain, torch_runtime
from pixelwise.augment import augment
from pixelwise.backends.torch import choose_device
from pixelwise.config import TrainConfig
from pixelwise.data.loader import Batch
from pixelwise.models import assemble
from pixelwise.nn.arguments import parse_arguments
from pixelwise.training.average import WeightAverage
from pixelwise.training.checkpoint import Progress, State, save_checkpoint
from pixelwise.training.clock import Clock
from pixelwise.training.encoder_layers import freeze, set_bn_momentum, to_training_mode
from pixelwise.training.engine import Heads, compiled, decide_precision, make_fabric
from pixelwise.training.machine import resident_peak
from pixelwise.training.objective import build_objective
from pixelwise.training.optim import build_optimizer
from pixelwise.training.step import Stepper
from pixelwise.training.validate import validate

TOO_LITTLE_MEMORY = 3
"""Exit code of a trial that asked for more memory than it could have."""

_TOO_LITTLE = re.compile(
    r"not enough memory|can't allocate memory|out of memory|could not create a memory"
    r"|could not create a primitive(?! descriptor)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Wish:
    """What is tried.

    Attributes:
        config: The settings; its pretrained weights are not read, since their values take no other room.
        classes: Channels of the logits.
        pictures: Pictures of the training step; a whole batch, where it is to be the real thing.
        limit: Bytes beyond which memory is refused to the process; None for the system's own limits.
    """

    config: TrainConfig
    classes: int
    pictures: int
    limit: int | None


@dataclass(frozen=True)
class Answer:
    """What was seen.

    Attributes:
        val_peak: Most memory held, in bytes, when a batch had been validated and nothing trained yet.
        train_peak: Most memory held when training had stepped and saved as well.
        peak: Most memory held at the end, with a validation after the training.
        train_seconds: Of a step, had no other program used the processor.
        val_seconds: Of a validation batch, likewise.
        taken: Share of the processor that others took meanwhile, in 0..1.
        device: `cpu` or the GPU's name.
        precision: The type that was computed in.
        free: Bytes that were free on a GPU before; None for a processor.
    """

    val_peak: int | None
    train_peak: int | None
    peak: int | None
    train_seconds: float
    val_seconds: float
    taken: float
    device: str
    precision: str
    free: int | None


def run(wish: Wish) -> Answer:
    """Validates, steps twice, saves, validates again; in this process.

    The second step is the one that counts: only then does the optimiser hold its state beside a batch. The
    first validation tells what validation alone takes, the second what it takes of a process that trains.
    """
    config = wish.config
    device = choose_device(config.device)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
    precision, _ = decide_precision(config, device)
    stepper, state = _built(wish, device, precision)
    frozen = freeze(state.network, config)
    # As many batches as the loader makes ahead, and the one under way.
    batches = [_batch(wish, wish.pictures, number) for number in range(config.data.workers + 2)]
    _validate(wish, stepper, batches[0])
    val_peak = _peak(device)
    to_training_mode(stepper.engine, frozen)
    _step(stepper, state, config, _batch(wish, min(wish.pictures, 2), 0))
    clock = Clock(device)
    _step(stepper, state, config, batches[0])
    train_seconds, taken = clock.read()
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder) / "checkpoint.safetensors", state, Progress())
    train_peak = _peak(device)
    clock = Clock(device)
    _validate(wish, stepper, batches[0])
    val_seconds, _ = clock.read()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return Answer(
        val_peak=val_peak,
        train_peak=train_peak,
        peak=_peak(device),
        train_seconds=train_seconds,
        val_seconds=val_seconds,
        taken=taken,
        device=name,
        precision=precision,
        free=free,
    )


def _validate(wish: Wish, stepper: Stepper, batch: Batch) -> None:
    validate(
        stepper.engine,
        [batch],
        num_classes=wish.classes,
        objective=stepper.objective,
        device=stepper.fabric.device,
        on_batch=lambda done: None,
    )


def _built(wish: Wish, device: torch.device, precision: str) -> tuple[Stepper, State]:
    """Network, optimiser and average as `parts` and `train` put them together."""
    config = wish.config
    network = assemble(
        config.model,
        num_classes=wish.classes,
        arguments=parse_arguments(config.model_args),
        seed=config.seed,
    )
    fabric = make_fabric(device, precision)
    network = network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if config.bn_momentum is not None:
        set_bn_momentum(network, config.bn_momentum)
    freeze(network, config)
    average = WeightAverage(network, config.ema) if config.ema else None
    engine, optimizer = fabric.setup(compiled(Heads(network), config), build_optimizer(network, config))
    # Which weights the classes have takes no other room; they are counted later.
    balanced = bool(config.class_weights) or config.balance != "none"
    weights = torch.ones(wish.classes, device=device) if balanced else None
    objective = build_objective(network, config, weights)
    stepper = Stepper(
        fabric=fabric,
        engine=engine,
        optimizer=optimizer,
        objective=objective,
        micro_batch=config.micro_batch,
        clip_norm=config.clip_norm,
    )
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    return stepper, State(network, optimizer, average, scaler)


def _step(stepper: Stepper, state: State, config: TrainConfig, batch: Batch) -> None:
    """What the loop does with a batch."""
    device = stepper.fabric.device
    images, masks = augment(
        torch.from_numpy(batch.images).to(device),
        torch.from_numpy(batch.masks).to(device),
        batch.indices.tolist(),
        config=config.augment,
        seed=config.seed,
        epoch=0,
    )
    stepper.backward(images, masks, seed=(config.seed, 0, 0))
    stepper.step()
    if state.average is not None:
        state.average.update(state.network, 0)


def _batch(wish: Wish, count: int, number: int) -> Batch:
    """Noise, with classes in blocks of 16 pixels, as the losses expect that measure distances."""
    height, width = wish.config.size
    generator = np.random.default_rng(number)
    images = generator.integers(0, 256, (count, height, width, 3), np.uint8)
    blocks = generator.integers(0, wish.classes, (count, -(-height // 16), -(-width // 16)), np.uint8)
    masks = np.kron(blocks, np.ones((1, 16, 16), np.uint8))[:, :height, :width]
    return Batch(np.arange(count, dtype=np.int64), images, np.ascontiguousarray(masks))


def _peak(device: torch.device) -> int | None:
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else resident_peak()


def _give_way(limit: int | None) -> None:
    """Lets the kernel take this process first when memory runs out, and refuses it more than the limit."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if limit is not None and sys.platform == "linux":
        import resource

        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out; torch's allocator and oneDNN say so in words only.

    oneDNN checks what it supports when it creates a primitive's descriptor. When the primitive itself cannot
    be created after that, what it lacked is room for its code and tables.
    """
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or bool(_TOO_LITTLE.search(str(error)))


def main() -> int:
    """The child process: 0 and an answer, or 3 where memory did not suffice."""
    torch_runtime.keep_large_blocks()  # as the command line does
    document: dict[str, Any] = json.load(sys.stdin)
    config = plain.from_json(TrainConfig, document["config"])
    wish = Wish(config, document["classes"], document["pictures"], document["limit"])
    _give_way(wish.limit)
    try:
        answer = run(wish)
    except (MemoryError, RuntimeError) as error:
        if _out_of_memory(error):
            return TOO_LITTLE_MEMORY
        raise
    sys.stdout.write(json.dumps(dataclasses.asdict(answer)))
    return 0
