"""Outlines of the regions of a mask: closed chains of pixels that, drawn and filled, give the region back.

Knows arrays only. A region is a set of pixels of one value that hang together by their sides; pixels that
touch by a corner are two regions. An outline runs clockwise through the centres of the region's border
pixels; holes have none, since what lies in a hole is a region of its own that is drawn later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pixelwise.data.writers.simplify import simplify

_TOP, _RIGHT, _BOTTOM, _LEFT = range(4)


@dataclass(frozen=True, eq=False)
class Region:
    """A connected region of a mask.

    Attributes:
        value: Of its pixels.
        points: `(n, 2) int64` x, y of its border pixels in order; those on a straight line between others are
            left out. One point for a single pixel, two for a line.
        area: Pixels that the outline encloses, holes included.
        deviation: The greatest distance in pixels from the outline to a point that was left out of it.
    """

    value: int
    points: npt.NDArray[np.int64]
    area: int
    deviation: float = 0.0

    def simplified(self, tolerance: float) -> Region:
        """With fewer points, none of those left out farther than `tolerance` pixels from the outline."""
        points, deviation = simplify(self.points, tolerance)
        return replace(self, points=points, deviation=deviation)


def drawn_regions(
    mask: npt.NDArray[np.uint8], *, unlabelled: int, tolerance: float = 0.0, min_area: int = 1
) -> list[Region]:
    """The regions that make a mask `(H, W)` of a canvas full of `unlabelled`, in the order to draw them.

    Those of `unlabelled` are among them only where something else was drawn over them.

    Args:
        mask: Ids.
        unlabelled: What pixels are before anything is drawn.
        tolerance: Outlines may be so many pixels off; with 0 the mask comes back to the pixel.
        min_area: Regions that enclose fewer pixels are left out: they become what lies around them.
    """
    canvas = Image.new("L", (mask.shape[1], mask.shape[0]), unlabelled)
    brush = ImageDraw.Draw(canvas)
    drawn: list[Region] = []
    for region in regions(mask):
        if region.area < min_area:
            break  # the largest come first
        # An outline encloses another region whole or not at all, so that one pixel of it tells.
        x, y = region.points[0].tolist()
        if region.value != unlabelled or canvas.getpixel((x, y)) != unlabelled:
            fill_outline(brush, region.points, region.value)
            drawn.append(region.simplified(tolerance))
    return drawn


def fill_outline(brush: ImageDraw.ImageDraw, points: npt.NDArray[np.number], value: int) -> None:
    """Draws what an outline encloses, its border pixels too; points `(n, 2)` x, y."""
    corners = [(float(x), float(y)) for x, y in points.tolist()]
    if len(corners) < 3:
        brush.line([corners[0], corners[-1]], fill=value)
    else:
        brush.polygon(corners, fill=value, outline=value)


def regions(mask: npt.NDArray[np.uint8]) -> list[Region]:
    """All regions of a mask `(H, W)`, the largest filled area first: drawn in this order they give the mask.

    A region in another's hole encloses less than the other, so it comes later and is drawn over it.
    """
    found = [region for value in np.unique(mask) for region in _of_value(mask == value, int(value))]
    return sorted(found, key=lambda region: (-region.area, region.value, tuple(region.points[0])))


def _of_value(inside: npt.NDArray[np.bool_], value: int) -> list[Region]:
    """The regions of a truth map, each from the loop of pixel sides around it.

    Sides are walked with the region on the right. Side `d` of pixel `p` has the number `4 p + d`, and which
    comes next depends on two neighbours only, so all successors are found at once.
    """
    padded = np.pad(inside, 1)
    width = padded.shape[1]
    flat = padded.ravel()
    steps = (-width, 1, width, -1)  # to the neighbour beyond the top, right, bottom and left side
    following: dict[int, int] = {}
    for side in (_TOP, _RIGHT, _BOTTOM, _LEFT):
        ahead = steps[(side + 1) % 4]
        own = _bordering(flat, steps[side])
        blocked = ~flat[own + ahead]
        diagonal = flat[own + ahead + steps[side]]
        turned = np.where(
            blocked,
            4 * own + (side + 1) % 4,  # round the same pixel's corner
            np.where(diagonal, 4 * (own + ahead + steps[side]) + (side - 1) % 4, 4 * (own + ahead) + side),
        )
        following.update(zip((4 * own + side).tolist(), turned.tolist(), strict=True))
    found: list[Region] = []
    while following:
        start, step = following.popitem()
        loop = [start]
        while step != start:
            loop.append(step)
            step = following.pop(step)
        sides = np.array(loop, np.int64)
        region = _region(sides % 4, sides // 4 % width - 1, sides // 4 // width - 1, value)
        if region is not None:
            found.append(region)
    return found


def _bordering(flat: npt.NDArray[np.bool_], step: int) -> npt.NDArray[np.int64]:
    """Places that are true while the one `step` further is not."""
    if step < 0:
        return np.flatnonzero(flat[-step:] & ~flat[:step]) - step
    return np.flatnonzero(flat[:-step] & ~flat[step:])


def _region(
    side: npt.NDArray[np.int64], x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], value: int
) -> Region | None:
    """The region inside a loop of sides; None for the loop round a hole, which runs the other way."""
    # The shoelace sum over unit steps: only vertical ones count, at the x where they run.
    area = int((x[side == _RIGHT] + 1).sum() - x[side == _LEFT].sum())
    if area < 0:
        return None
    points = np.stack([x, y], 1)
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)] if len(points) > 4 else points[:1]
    return Region(value, _corners(points), area)


def _corners(points: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Without the points at which a closed chain goes straight on."""
    if len(points) < 3:
        return points
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    return points[(before != after).any(axis=1)]
