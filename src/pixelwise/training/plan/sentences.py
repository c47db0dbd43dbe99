"""What was measured of the data, in sentences."""

from __future__ import annotations

from pixelwise.data.statistics import Statistics
from pixelwise.training.plan.facts import Network
from pixelwise.training.plan.recipe import percent
from pixelwise.training.plan.shapes import kept_pixels
from pixelwise.types import size_text

_FEW_CLASSES = 5


def sentences(data: Statistics, network: Network, size: tuple[int, int]) -> tuple[str, ...]:
    """One each for the pictures, the classes and the objects, these for pictures resized to `size`."""
    sampled = [side for side in (data.train, data.val) if side.looked_at < side.pictures]
    part = (
        f"; of the masks {data.train.looked_at:,} and {data.val.looked_at:,} were looked at, evenly spread"
        if sampled
        else ""
    )
    sizes = (
        f"all of {size_text(data.size)}"
        if data.smallest == data.largest
        else f"from {size_text(data.smallest)} to {size_text(data.largest)}, median {size_text(data.size)}"
    )
    shares = sorted(zip(data.train.shares, data.classes, strict=True))
    listed = [f"{name} {percent(share)}" for share, name in shares]
    if len(listed) <= _FEW_CLASSES:
        classes = f"{len(listed)} classes by their share of the pixels: {', '.join(listed[::-1])}"
    else:
        common, rare = ", ".join(listed[::-1][:2]), ", ".join(listed[:3])
        classes = f"{len(listed)} classes; the commonest: {common}; the rarest: {rare}"
    narrow = sorted((b, n) for b, n in zip(data.breadths, data.classes, strict=True) if b is not None)[:3]
    photo = (data.size[0] * data.size[1]) ** 0.5
    objects = ", ".join(
        f"{name} {breadth * photo:.0f} ({kept_pixels(breadth, size, network):.1f})"
        for breadth, name in narrow
    )
    return (
        f"{data.train.pictures:,} training and {data.val.pictures:,} validation pictures, {sizes}{part}",
        classes,
        f"narrowest objects, in the photo's pixels (and on the network's grid of stride "
        f"{network.native_stride}): {objects}",
    )
