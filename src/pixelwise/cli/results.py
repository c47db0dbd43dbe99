"""Scores at the terminal. Results go to stdout."""

from __future__ import annotations

from rich.console import Console

from pixelwise.boundary_score import BoundaryScores
from pixelwise.metrics import Metrics
from pixelwise.report.tables import boundary_table, confusion_table, metrics_table


def print_metrics(metrics: Metrics, *, title: str, confusion: bool = False) -> None:
    """The scores as a table, with the confusion matrix below where asked for."""
    console = Console(highlight=False)
    console.print(title)
    console.print(metrics_table(metrics))
    if confusion:
        console.print(confusion_table(metrics))


def print_boundary(scores: BoundaryScores) -> None:
    """How well the outlines lie, as a table."""
    Console(highlight=False).print(boundary_table(scores))
