"""What the figures say, in a sentence. Knows no file and no mask."""

from __future__ import annotations

from collections.abc import Sequence

from pixelwise.ceiling.grid import Grid
from pixelwise.ceiling.networks import fine_enough
from pixelwise.ceiling.result import GridCeiling

LOST = 0.6
"""A class whose best IoU is below is lost: no training gets it back, and networks stay below a ceiling."""

ENOUGH = 0.9
"""Best mIoU from which a grid is enough: what networks lose by their own errors is then the larger part."""

_NAMED = 3
"""Classes and networks that are called by name; of more the number is told."""


def recommend(grids: Sequence[GridCeiling], classes: Sequence[str]) -> str:
    """The coarsest grid that is enough, what the next coarser one would lose, and what follows.

    A grid's figure here is the best that any method reaches.

    Args:
        grids: At least one, in any order.
        classes: Names, in the order of the figures.
    """
    if all(grid.best_miou is None for grid in grids):
        return "there is no labelled pixel, so nothing can be said"
    by_fineness = sorted(grids, key=lambda grid: -grid.cells)
    good = [grid for grid in by_fineness if _is_enough(grid, classes)]
    if not good:
        finest = by_fineness[0]
        return (
            f"even {finest.grid.name} is too coarse: {_kept(finest)}{_but_lost(finest, classes)}: "
            f"{_finer(finest.grid)}"
        )
    chosen = good[-1]
    coarser = by_fineness[by_fineness.index(chosen) + 1 :]
    kept = f"{chosen.grid.name} keeps {_kept(chosen)}"
    if not coarser:
        return f"{kept}, and no class is lost: {_choose(chosen.grid)}; a coarser one may do too"
    return f"{kept}; {_what_coarser_loses(coarser[0], classes)}: {_choose(chosen.grid)}"


def lost_classes(grid: GridCeiling, classes: Sequence[str]) -> list[tuple[float, str]]:
    """Best IoU and name of the classes below `LOST`, the worst first."""
    found = [(grid.best_iou(place), name) for place, name in enumerate(classes)]
    return sorted((iou, name) for iou, name in found if iou is not None and iou < LOST)


def _is_enough(grid: GridCeiling, classes: Sequence[str]) -> bool:
    return (grid.best_miou or 0.0) >= ENOUGH and not lost_classes(grid, classes)


def _kept(grid: GridCeiling) -> str:
    return f"{_percent(grid.best_miou or 0.0, 1)} mIoU"


def _but_lost(grid: GridCeiling, classes: Sequence[str]) -> str:
    lost = lost_classes(grid, classes)
    return f" at best, and {_listed(lost)} {'are' if len(lost) > 1 else 'is'} lost" if lost else " at best"


def _what_coarser_loses(grid: GridCeiling, classes: Sequence[str]) -> str:
    lost = lost_classes(grid, classes)
    if lost:
        return f"at {grid.grid.name} {_listed(lost)} {'are' if len(lost) > 1 else 'is'} lost"
    return f"{grid.grid.name} keeps {_kept(grid)} only"


def _listed(lost: Sequence[tuple[float, str]]) -> str:
    texts = [f"{name} ({_percent(iou)} at best)" for iou, name in lost[:_NAMED]]
    if len(lost) > _NAMED:
        texts.append(f"{len(lost) - _NAMED} more")
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _choose(grid: Grid) -> str:
    """What to choose for a grid that is enough."""
    networks = fine_enough(grid.stride)
    named = ", ".join(networks[:_NAMED]) + (", …" if len(networks) > _NAMED else "")
    if grid.size is None:
        return f"choose a network that answers at {grid.name} or finer ({named}), or a larger input"
    how = f"--size {grid.size[0]} {grid.size[1]}" if grid.policy == "resize" else "with the aspect kept"
    return (
        f"choose an input of that size ({how}) and a network that answers at stride {grid.stride} "
        f"{'or finer ' if grid.stride > 1 else ''}({named})"
    )


def _finer(grid: Grid) -> str:
    """What to do where no grid is enough."""
    if grid.size is not None:
        return "take a larger input or a finer stride"
    if grid.stride > 1:
        return "look at finer strides (--strides 1 2), and take a larger input than the pictures' own size"
    return "take a larger input than the pictures' own size, or other classes"


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}%"
