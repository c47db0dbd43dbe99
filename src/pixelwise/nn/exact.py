"""Arithmetic that autocast leaves as it is written. Knows no network."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def no_autocast(device: torch.device) -> AbstractContextManager[object]:
    """A block in which autocast lowers no precision; tensors without data ("meta") have no autocast."""
    return nullcontext() if device.type == "meta" else torch.autocast(device.type, enabled=False)
