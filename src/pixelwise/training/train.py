"""From a folder of labelled pictures to a run: in this process, or in several that `launcher` starts."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Literal

from pixelwise import plain
from pixelwise.backends.torch import choose_device
from pixelwise.config import TrainConfig
from pixelwise.errors import ConfigError
from pixelwise.training.carry_out import carry_out
from pixelwise.training.ended import Run
from pixelwise.training.engine import check_devices
from pixelwise.training.events import Listener, LogListener
from pixelwise.training.launch import Launch, check_batch, check_wishes, find_launch
from pixelwise.training.launcher import run_ranks
from pixelwise.training.order import Order
from pixelwise.training.run import (
    RunFolder,
    create,
    open_existing,
)
from pixelwise.training.sinks import check_available
from pixelwise.training.start import settled


def train(
    data: str | os.PathLike[str],
    config: TrainConfig | None = None,
    *,
    out: str | os.PathLike[str] = "run",
    listener: Listener | None = None,
    **settings: Any,
) -> Run:
    """Trains a network on a folder of labelled pictures.

    Args:
        data: The folder.
        config: All settings at once; or give them one by one:
        out: Folder of the run; it must not hold one yet.
        listener: Hears of progress; the log `pixelwise` where not given.
        **settings: Settings by the names of the command line's flags (`epochs=15`, `flip=True`,
        `val_last=195`).

    Raises:
        ConfigError: A setting that there is not, or that is impossible; a folder that holds a run.
        DataError: The data cannot be read, or the folder not be written.
        ModelFileError: `init` is no model file.
        TrainingInterrupted: A signal asked to stop; the run can be resumed.
        RankLostError: Another process of the run died.
        PixelwiseError: The loss is no finite number.
    """
    if config is not None and settings:
        raise ConfigError("give either a config or single settings, not both")
    config = settled(config or plain.from_flat(TrainConfig, settings))
    check_available(config)
    if RunFolder(Path(out)).config.exists():
        create(Path(out), Path(data), config)  # says what to do instead, before any picture is read
    order = Order(data=Path(data), out=Path(out), config=config)
    return _dispatch(order, listener or LogListener())


def resume(
    folder: str | os.PathLike[str],
    *,
    epochs: int | None = None,
    devices: int | None = None,
    nodes: int | None = None,
    strategy: Literal["ddp", "fsdp"] | None = None,
    listener: Listener | None = None,
) -> Run:
    """Goes on with a run that was interrupted or killed, to the weights that it would have had.

    Bit-identical on the same machine with the same libraries and number of threads and devices; on another
    number of devices it sees the same pictures in the same batches. A run that is done is returned as it is.

    Args:
        folder: The run.
        epochs: Train until this many epochs instead. With a constant learning rate the result is that of a
            run begun with as many; a schedule is stretched from here on.
        devices: Train on this many of each machine instead.
        nodes: Train on this many machines instead.
        strategy: Share the network's state out like this instead; the checkpoint is the same.
        listener: Hears of progress; the log `pixelwise` where not given.

    Raises:
        ConfigError: There is no run in the folder, another process goes on with it already, or it has done
            more epochs than asked for.
        ModelFileError: Its checkpoint does not fit.
        DataError: The pictures changed since, or the folder cannot be written.
        RankLostError: Another process of the run died.
    """
    run, data, config = open_existing(Path(folder))
    check_available(config)
    if epochs is not None:
        config = dataclasses.replace(config, epochs=epochs, steps=None)
    if devices or nodes or find_launch().ranks > 1:
        # What started us decides, or the flags do; not what the run began with.
        config = dataclasses.replace(config, devices=devices, nodes=nodes)
    if strategy is not None:
        config = dataclasses.replace(config, strategy=strategy)
    order = Order(data=data, out=run.path, config=config, resumed=True, stretched=epochs is not None)
    return _dispatch(order, listener or LogListener())


def _dispatch(order: Order, listener: Listener) -> Run:
    """Here, where this process is alone or was started as one of several; else in processes of its own."""
    config, launch = order.config, find_launch()
    if launch.ranks > 1:
        check_wishes(config, launch)
    ranks = launch.ranks if launch.ranks > 1 else (config.devices or 1) * (config.nodes or 1)
    check_batch(config, ranks)
    if ranks == launch.ranks:
        return carry_out(order, listener, launch)
    launch = Launch("pixelwise", config.devices or 1, config.nodes or 1)
    check_devices(choose_device(config.device), launch)
    return Run.from_json(run_ranks(order, launch, listener))
