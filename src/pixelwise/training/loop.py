"""The visible loop: epochs, steps, checkpoints. Lightning Fabric brings device and precision.

No generator lives on from step to step: the order of an epoch is a function of (seed, epoch), an augmentation
one of (seed, epoch, picture), dropout one of (seed, epoch, step), so a resumed run sees what the undisturbed
one saw.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager

import torch

from pixelwise.augment import augment
from pixelwise.config import TrainConfig
from pixelwise.data.loader import Batch, BatchLoader, epoch_order
from pixelwise.errors import PixelwiseError
from pixelwise.interrupt import StopRequest
from pixelwise.models.auxiliary import note_progress
from pixelwise.training import guard
from pixelwise.training.checkpoint import Progress
from pixelwise.training.encoder_layers import to_training_mode
from pixelwise.training.engine import compile_failure
from pixelwise.training.events import StepEvent
from pixelwise.training.job import Job, steps_per_epoch
from pixelwise.training.measure import finish_epoch, validated
from pixelwise.training.optim import learning_rate, set_learning_rate
from pixelwise.training.step import Update


class TrainingInterrupted(PixelwiseError):
    """Training was asked to stop and left a checkpoint to resume from."""


def run_epochs(job: Job, stop: StopRequest) -> None:
    """Trains until the last epoch is done, or patience is at its end.

    Raises:
        TrainingInterrupted: A signal asked for it; the checkpoint is written.
        PixelwiseError: The loss is no finite number.
    """
    with _reproducible(job.device):
        while job.progress.epoch < job.config.epochs:
            if _out_of_patience(job.progress, job.config):
                job.listener.note(
                    f"no better model in {job.config.patience} epochs: training ends after epoch "
                    f"{job.progress.epoch} (--patience)"
                )
                break
            _train_epoch(job, stop)
            if validated(job.progress.epoch + 1, job.config):
                finish_epoch(job)
            else:
                job.progress.end_epoch()
                job.save_checkpoint()


def _out_of_patience(progress: Progress, config: TrainConfig) -> bool:
    """Only ever after a validation, which alone can tell, and without which the last weights have no file."""
    if config.patience is None or not validated(progress.epoch, config):
        return False
    return progress.epoch - progress.best_epoch >= config.patience


def _train_epoch(job: Job, stop: StopRequest) -> None:
    """The steps of the epoch under way that are not done yet."""
    config, progress = job.config, job.progress
    to_training_mode(job.stepper.engine, job.frozen)
    order = epoch_order(len(job.train), seed=config.seed, epoch=progress.epoch)
    steps = steps_per_epoch(len(order), config.batch_size)
    saved_at = time.monotonic()
    share = job.ranks.share(unit=2 if config.augment.mix else 1)  # pictures are pasted in within pairs
    with BatchLoader(
        job.train,
        order,
        batch_size=config.batch_size,
        workers=config.data.workers,
        start_batch=progress.step,
        share=share,
    ) as loader:
        waited_before, clock = progress.wait_seconds, time.perf_counter()
        for batch in loader:
            pictures = min(config.batch_size, len(order) - progress.step * config.batch_size)
            update = _step(job, batch, config.epochs * steps, largest=share.largest(pictures))
            progress.step += 1
            progress.updates += 1
            progress.images += pictures
            progress.loss_sum += update.loss * update.weight
            progress.weight_sum += update.weight
            now = time.perf_counter()
            progress.seconds += now - clock
            clock = now
            progress.wait_seconds = waited_before + loader.wait_seconds
            job.listener.step(_event(progress, steps, config.epochs))
            due = progress.step < steps and time.monotonic() - saved_at >= config.checkpoint_seconds
            # All ranks leave at the same step, whichever was asked to, and save when the first one would.
            number, save = job.ranks.largest(int(stop.signal or 0), due and job.ranks.first)
            if number:
                _leave(job, signal.Signals(number))
            if save:
                job.save_checkpoint()
                saved_at, clock = time.monotonic(), time.perf_counter()


def _step(job: Job, batch: Batch, total_steps: int, *, largest: int) -> Update:
    """One update of the weights and of their average; `largest` is the largest share of the batch."""
    device, config, progress = job.device, job.config, job.progress
    lr = learning_rate(progress.updates, total_steps, config)
    set_learning_rate(job.stepper.optimizer, lr)
    note_progress(job.network, progress.updates / total_steps)
    if len(batch):
        images, masks = augment(
            torch.from_numpy(batch.images).to(device, non_blocking=True),
            torch.from_numpy(batch.masks).to(device, non_blocking=True),
            batch.indices.tolist(),
            config=config.augment,
            seed=config.seed,
            epoch=progress.epoch,
        )
    else:
        height, width = config.augment.crop or config.size
        images = torch.zeros(0, 3, height, width, device=device)
        masks = torch.zeros(0, height, width, dtype=torch.uint8, device=device)
    seed = (config.seed, progress.epoch, progress.step)
    try:
        update = job.stepper.backward(images, masks, seed=seed, largest=largest)
    except RuntimeError as error:
        raise compile_failure(error, config) or error from error
    broken = guard.broken_loss(update.loss, step=progress.updates + 1, lr=lr)
    if broken:
        raise PixelwiseError(broken)
    job.stepper.step()
    if job.average is not None:
        job.average[0].update(job.network, progress.updates)
    return update


def _leave(job: Job, received: signal.Signals) -> None:
    job.save_checkpoint()
    raise TrainingInterrupted(
        f"stopped by {received.name} in epoch {job.progress.epoch + 1} after step {job.progress.step}; "
        "the state is saved"
    )


def _event(progress: Progress, steps: int, epochs: int) -> StepEvent:
    left = (steps - progress.step) + steps * (epochs - progress.epoch - 1)
    done = progress.updates - (progress.rows[-1].step if progress.rows else 0)
    return StepEvent(
        epoch=progress.epoch + 1,
        step=progress.step,
        steps=steps,
        loss=progress.loss_sum / max(progress.weight_sum, 1e-12),
        images_per_second=progress.images / max(progress.seconds, 1e-9),
        seconds_left=progress.seconds / done * left,
    )


@contextmanager
def _reproducible(device: torch.device) -> Generator[None, None, None]:
    """Deterministic convolutions on a GPU while the block runs; on the processor they are so anyway."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        yield
