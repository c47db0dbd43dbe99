"""Hand-made facts for the tests of a plan's decisions."""

from __future__ import annotations

from pixelwise.config import TrainConfig
from pixelwise.data.statistics import SideStatistics, Statistics
from pixelwise.training.plan import Cost, Draft, Facts, Network

GIB = 1 << 30


def side(pictures: int, pixels: tuple[int, ...]) -> SideStatistics:
    return SideStatistics(
        pictures=pictures,
        looked_at=pictures,
        class_pixels=pixels,
        class_pictures=tuple(pictures if n else 0 for n in pixels),
        only_class=(0,) * len(pixels),
        ignored_pixels=0,
        nearly_empty=0,
    )


def data(
    *,
    pictures: int = 1000,
    pixels: tuple[int, ...] = (700, 300),
    size: tuple[int, int] = (320, 480),
    breadth: float | None = 0.2,
    classes: tuple[str, ...] = (),
    val_pictures: int = 100,
) -> Statistics:
    """`breadth` is that of class 1, as a share; class 0 is broad."""
    names = classes or tuple(f"class{number}" for number in range(len(pixels)))
    return Statistics(
        classes=names,
        train=side(pictures, pixels),
        val=side(val_pictures, pixels),
        size=size,
        smallest=size,
        largest=size,
        aspects=(size[1] / size[0],) * 3,
        breadths=(0.5, breadth, *(0.5 for _ in pixels[2:])),
    )


def network(
    *,
    stride: int = 32,
    native_stride: int = 1,
    fewest: int = 1,
    has_encoder: bool = True,
    slow: bool = False,
    transformer: bool = False,
) -> Network:
    return Network(
        name="net",
        stride=stride,
        native_stride=native_stride,
        has_encoder=has_encoder,
        fewest=fewest,
        slow_norms=slow,
        transformer=transformer,
    )


def cost(
    *, base_gib: float = 0.5, train_bytes: float = 2000, val_bytes: float = 400, seconds: float = 1e-8
) -> Cost:
    return Cost(
        base=base_gib * GIB,
        val_base=base_gib * GIB,
        train_bytes=train_bytes,
        val_bytes=val_bytes,
        train_seconds=seconds,
        val_seconds=seconds / 3,
    )


def facts(
    statistics: Statistics | None = None,
    *,
    net: Network | None = None,
    price: Cost | None = None,
    budget_gib: float = 64,
    processor: bool = False,
) -> Facts:
    return Facts(
        data=statistics or data(),
        network=net or network(),
        cost=price or cost(),
        budget=int(budget_gib * GIB),
        processor=processor,
    )


def draft(config: TrainConfig | None = None, *given: str) -> Draft:
    return Draft(config or TrainConfig(), frozenset(given))


def why(plan: Draft, setting: str) -> str:
    return next(choice.why for choice in plan.choices if choice.setting == setting)
