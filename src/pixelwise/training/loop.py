"""The visible loop: epochs, steps, validation, checkpoints. Lightning Fabric brings device and precision.

No generator lives on from step to step: the order of an epoch is a function of (seed, epoch), an augmentation
one of (seed, epoch, picture), dropout one of (seed, epoch, step), so a resumed run sees what the undisturbed
one saw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from lightning_fabric import Fabric

from pixelwise.augment import augment
from pixelwise.config import TrainConfig
from pixelwise.data.loader import Batch, BatchLoader, epoch_order
from pixelwise.data.prepared import Prepared
from pixelwise.errors import PixelwiseError
from pixelwise.losses import cross_entropy
from pixelwise.metrics import Metrics, scores
from pixelwise.report.history import HistoryRow
from pixelwise.training import guard
from pixelwise.training.checkpoint import Progress
from pixelwise.training.events import Listener, StepEvent
from pixelwise.training.interrupt import StopRequest
from pixelwise.training.log import RunLog
from pixelwise.training.optim import learning_rate, set_learning_rate
from pixelwise.training.validate import Validation, counted_weight, validate
from pixelwise.types import Classes


class TrainingInterrupted(PixelwiseError):
    """Training was asked to stop and left a checkpoint to resume from."""


@dataclass(frozen=True)
class Job:
    """What the loop works on; put together by `train`.

    Attributes:
        config: The settings.
        classes: Names of the train ids.
        train: Training pictures at the network's size.
        val: Validation pictures at the network's size.
        fabric: Device and precision.
        network: The network itself, on its device; its state is what is saved.
        engine: The network as Fabric runs it (autocast).
        optimizer: As Fabric steps it.
        progress: Where the run stands; the loop moves it.
        save_checkpoint: Writes the state.
        save_models: Writes last, and best where it is told so, after an epoch.
        log: Writes history, curves and TensorBoard events.
        listener: Hears of everything.
        warned: Kinds of trouble that the last epoch had, so that each is not told in every epoch.
    """

    config: TrainConfig
    classes: Classes
    train: Prepared
    val: Prepared
    fabric: Fabric
    network: torch.nn.Module
    engine: torch.nn.Module
    optimizer: torch.optim.Optimizer
    progress: Progress
    save_checkpoint: Callable[[], None]
    save_models: Callable[[Metrics, bool], None]
    log: RunLog
    listener: Listener
    warned: set[str] = field(default_factory=set[str])


def run_epochs(job: Job, stop: StopRequest) -> None:
    """Trains until the last epoch is done.

    Raises:
        TrainingInterrupted: A signal asked for it; the checkpoint is written.
        PixelwiseError: The loss is no finite number.
    """
    with _reproducible(job.fabric.device):
        job.engine.train()
        while job.progress.epoch < job.config.epochs:
            _train_epoch(job, stop)
            _finish_epoch(job)


def _train_epoch(job: Job, stop: StopRequest) -> None:
    """The steps of the epoch under way that are not done yet."""
    config, progress = job.config, job.progress
    order = epoch_order(len(job.train), seed=config.seed, epoch=progress.epoch)
    steps = steps_per_epoch(len(order), config.batch_size)
    weights = class_weight_tensor(config, job.fabric.device)
    saved_at = time.monotonic()
    with BatchLoader(
        job.train,
        order,
        batch_size=config.batch_size,
        workers=config.data.workers,
        start_batch=progress.step,
    ) as loader:
        waited_before, clock = progress.wait_seconds, time.perf_counter()
        for batch in loader:
            loss = _step(job, batch, weights, progress.epoch * steps + progress.step, config.epochs * steps)
            progress.step += 1
            progress.images += len(batch.images)
            weight = counted_weight(batch.masks, len(job.classes), weights)
            progress.loss_sum += loss * weight
            progress.weight_sum += weight
            now = time.perf_counter()
            progress.seconds += now - clock
            clock = now
            progress.wait_seconds = waited_before + loader.wait_seconds
            job.listener.step(_event(progress, steps, config.epochs))
            if stop:
                _leave(job, stop)
            if progress.step < steps and time.monotonic() - saved_at >= config.checkpoint_seconds:
                job.save_checkpoint()
                saved_at, clock = time.monotonic(), time.perf_counter()


def _step(job: Job, batch: Batch, weights: torch.Tensor | None, step: int, total_steps: int) -> float:
    """One update; returns the loss."""
    device, config = job.fabric.device, job.config
    lr = learning_rate(step, total_steps, config)
    set_learning_rate(job.optimizer, lr)
    images, masks = augment(
        torch.from_numpy(batch.images).to(device, non_blocking=True),
        torch.from_numpy(batch.masks).to(device, non_blocking=True),
        batch.indices.tolist(),
        config=config.augment,
        seed=config.seed,
        epoch=job.progress.epoch,
    )
    with _drawing(device, config.seed, job.progress.epoch, job.progress.step):
        logits = job.engine(images)
    loss = cross_entropy(logits, masks, class_weights=weights)
    value = float(loss.detach())
    broken = guard.broken_loss(value, step=step + 1, lr=lr)
    if broken:
        raise PixelwiseError(broken)
    job.fabric.backward(loss)
    if config.clip_norm is not None:
        torch.nn.utils.clip_grad_norm_(job.network.parameters(), config.clip_norm, foreach=True)
    job.optimizer.step()
    job.optimizer.zero_grad(set_to_none=True)
    return value


def _finish_epoch(job: Job) -> None:
    """Validates, writes models and checkpoint, tells the listener."""
    config, progress = job.config, job.progress
    steps = steps_per_epoch(len(job.train), config.batch_size)
    validation = _validate(job)
    metrics = scores(validation.confusion, job.classes)
    lr = learning_rate((progress.epoch + 1) * steps - 1, config.epochs * steps, config)
    row = _row(progress, validation, metrics, lr)
    best = _is_better(row, progress, config)
    progress.rows.append(row)
    progress.epoch += 1
    if best:
        progress.best_epoch = progress.epoch
    progress.begin_epoch()
    job.save_models(metrics, best)
    job.save_checkpoint()
    job.log.epoch(progress.rows)
    job.listener.epoch(row, config.epochs, best=best)
    _warn(job, row, validation)


def _validate(job: Job) -> Validation:
    order = np.arange(len(job.val))
    with BatchLoader(
        job.val, order, batch_size=job.config.batch_size, workers=job.config.data.workers
    ) as loader:
        return validate(
            job.engine,
            loader,
            num_classes=len(job.classes),
            class_weights=class_weight_tensor(job.config, job.fabric.device),
            device=job.fabric.device,
            on_batch=lambda done: job.listener.work("validating", done, len(job.val)),
        )


def _warn(job: Job, row: HistoryRow, validation: Validation) -> None:
    """What the guard has to say of the epoch that ended: when a trouble begins, and once more at the end."""
    config = job.config
    found = {
        "collapse": guard.collapse(validation.confusion, job.classes),
        "starving": guard.starving(row.wait_share, workers=config.data.workers, cached=job.train.cached),
    }
    for kind, sentence in found.items():
        if sentence and (kind not in job.warned or row.epoch == config.epochs):
            job.listener.warning(sentence)
    job.warned.clear()
    job.warned.update(kind for kind, sentence in found.items() if sentence)


def _leave(job: Job, stop: StopRequest) -> None:
    job.save_checkpoint()
    name = stop.signal.name if stop.signal else "a request"
    raise TrainingInterrupted(
        f"stopped by {name} in epoch {job.progress.epoch + 1} after step {job.progress.step}; "
        "the state is saved"
    )


def _row(progress: Progress, validation: Validation, metrics: Metrics, lr: float) -> HistoryRow:
    seconds = max(progress.seconds, 1e-9)
    return HistoryRow(
        epoch=progress.epoch + 1,
        step=(progress.rows[-1].step if progress.rows else 0) + progress.step,
        lr=lr,
        train_loss=progress.loss_sum / max(progress.weight_sum, 1e-12),
        val_loss=validation.loss,
        val_miou=metrics.miou or 0.0,
        val_pixel_accuracy=metrics.pixel_accuracy or 0.0,
        val_iou=metrics.iou,
        images_per_second=progress.images / seconds,
        wait_share=min(1.0, progress.wait_seconds / seconds),
        seconds=progress.seconds,
    )


def _is_better(row: HistoryRow, progress: Progress, config: TrainConfig) -> bool:
    """Whether the row beats the best one so far; the earlier one wins a tie."""
    if not progress.best_epoch:
        return True
    best = progress.rows[progress.best_epoch - 1]
    return row.val_miou > best.val_miou if config.best_by == "miou" else row.val_loss < best.val_loss


def _event(progress: Progress, steps: int, epochs: int) -> StepEvent:
    left = (steps - progress.step) + steps * (epochs - progress.epoch - 1)
    return StepEvent(
        epoch=progress.epoch + 1,
        step=progress.step,
        steps=steps,
        loss=progress.loss_sum / max(progress.weight_sum, 1e-12),
        images_per_second=progress.images / max(progress.seconds, 1e-9),
        seconds_left=progress.seconds / progress.step * left,
    )


def steps_per_epoch(pictures: int, batch_size: int) -> int:
    """Steps of an epoch; the last one takes what is left over."""
    return -(-pictures // batch_size)


def class_weight_tensor(config: TrainConfig, device: torch.device) -> torch.Tensor | None:
    """The class weights `(K,) float32` on the device, or None."""
    return torch.tensor(config.class_weights, device=device) if config.class_weights else None


@contextmanager
def _drawing(device: torch.device, *place: int) -> Generator[None, None, None]:
    """What the network draws while the block runs (dropout) is a function of the place: seed, epoch, step."""
    seed = int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> 1)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def _reproducible(device: torch.device) -> Generator[None, None, None]:
    """Deterministic convolutions on a GPU while the block runs; on the processor they are so anyway."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield
