"""Reports of a check as they might be, made by hand: every severity, many examples, few or many classes."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from pixelwise.check.finding import Example, Finding, Severity
from pixelwise.check.report import ClassRow, Histogram, Report, Side, gravest_first
from pixelwise.drawing import default_colours

CAMVID = (
    "Sky Building Pole Road Pavement Tree SignSymbol Fence Car Pedestrian Bicyclist".split()  # noqa: SIM905
)
ROOT = Path("data/camvid")


def drawn_report(*, classes: int = 11, findings: tuple[Finding, ...] | None = None) -> Report:
    """A check of a set of 468 pictures, at fault in many ways."""
    return Report(
        remedy="",
        data=ROOT,
        format="camvid",
        pictures=468,
        reused=451,
        sides=(
            Side(name="train", pictures=367, sound=361, labelled=60_118_240, ignored=2_263_408),
            Side(name="val", pictures=101, sound=101, labelled=16_771_305, ignored=681_495),
        ),
        classes=drawn_classes(classes),
        histograms=drawn_histograms(),
        notes=(
            "CamVid: masks beside the pictures, in trainannot and valannot; 11 and above are void.",
            "The classes are those that SegNet's authors trained on.",
            "The split is the one of train.txt and val.txt.",
        ),
        findings=drawn_findings() if findings is None else findings,
        command="pixelwise check data/camvid --out camvid-check",
        made="2026-11-26T14:30:05+01:00",
        version="0.1.0",
        seconds=74.8,
    )


def drawn_failure() -> Report:
    """A folder that no format fits."""
    finding = Finding(
        kind="unopened",
        severity=Severity.ERROR,
        title="No format fits the folder",
        text="There are neither pictures nor a list of them.",
        count=1,
    )
    return Report(
        remedy="",
        data=Path("/mnt/nothing"),
        format="",
        pictures=0,
        reused=0,
        sides=(),
        classes=(),
        histograms=(),
        notes=(),
        findings=(finding,),
        command="pixelwise check /mnt/nothing",
        made="2026-11-26T14:30:05+01:00",
        version="0.1.0",
        seconds=0.03,
    )


def drawn_classes(count: int) -> tuple[ClassRow, ...]:
    """Shares that fall by a third from class to class; the last has no pixel at all."""
    names = [CAMVID[i] if i < len(CAMVID) else f"class of things, number {i}" for i in range(count)]
    shares = [0.75**i for i in range(count - 1)] + [0.0]
    total = sum(shares)
    return tuple(
        ClassRow(
            name=name,
            colour=colour,
            train_pixels=round(6e7 * share / total),
            val_pixels=round(1.6e7 * share / total * (0.7 + 0.05 * (place % 13))),
            train_share=share / total,
            val_share=share / total * (0.7 + 0.05 * (place % 13)),
            train_pictures=0 if not share else max(361 - 9 * place, 2),
            val_pictures=0 if not share else max(101 - 4 * place, 1),
            weight=0.0 if not share else min(0.08 / share, 400.0),
            narrow=None if not share else 60 / (1 + place) + 1.4,
        )
        for place, (name, colour, share) in enumerate(zip(names, default_colours(count), shares, strict=True))
    )


def drawn_histograms() -> tuple[Histogram, ...]:
    """A wide one, a narrow one, and one of a single value."""
    hill = (0, 1, 3, 4, 9, 14, 22, 31, 38, 45, 52, 48, 47, 39, 31, 24, 19, 13, 9, 6, 4, 2, 0, 1)
    return (
        Histogram(
            name="height",
            unit="pixels",
            edges=tuple(360 + i / 24 for i in range(25)),
            counts=(462,) + 23 * (0,),
            low=360,
            middle=360,
            high=360,
        ),
        Histogram(
            name="width over height",
            unit="",
            edges=tuple(0.5 + i / 16 for i in range(25)),
            counts=hill,
            low=0.66,
            middle=1.2187,
            high=1.77,
        ),
        Histogram(
            name="brightness",
            unit="of 255",
            edges=tuple(20 + 5 * i for i in range(25)),
            counts=hill,
            low=34.2,
            middle=76.5,
            high=121.4,
        ),
        Histogram(
            name="labelled share",
            unit="%",
            edges=tuple(80 + i * 20 / 24 for i in range(25)),
            counts=hill[::-1],
            low=82.6,
            middle=90.4,
            high=97.1,
        ),
    )


def drawn_findings() -> tuple[Finding, ...]:
    """Twelve findings of all severities, as the rules word them."""
    return gravest_first(
        [
            _finding(
                "values",
                Severity.ERROR,
                "17 masks have values without a class: 12, 200, 255",
                "In all, 3,412 pixels. If 12 is no class but void, add --map 12=ignore; if the ids start at "
                "1 and 0 is void, add --map 0=ignore 1-12=0-11.",
                17,
                texts="value 200 in {} pixels",
                remedy="pixelwise train data/camvid --map 12=ignore 200=ignore 255=ignore",
            ),
            _finding(
                "unreadable",
                Severity.ERROR,
                "2 of 468 pictures cannot be decoded",
                "Training would stop at them. Get them anew, or leave them out.",
                2,
                texts="image file is truncated ({} bytes not processed)",
                remedy="pixelwise train data/camvid --leave-out camvid-check/unreadable.txt",
            ),
            _finding(
                "sizes",
                Severity.ERROR,
                "4 masks have another size than their picture",
                "Nobody can say which pixel belongs to which.",
                4,
                texts="the picture is 480x360 but its mask 240x{}",
            ),
            _finding(
                "twins",
                Severity.WARNING,
                "130 validation pictures have a twin in training",
                "They were seen in training, so that the validation score flatters. Neighbouring frames of a "
                "video are twins too: split by video.",
                130,
                texts="twin of train/0016E5_0{}",
                remedy="pixelwise train data/camvid --split-by folder",
            ),
            _finding(
                "smoothed",
                Severity.WARNING,
                "6 masks look as if they had been resized smoothly",
                "At the borders of objects lie thin lines of classes that are between their neighbours' ids.",
                6,
                texts="{} pixels between",
                remedy="pixelwise train data/camvid --leave-out camvid-check/smoothed.txt",
            ),
            Finding(
                kind="rare",
                severity=Severity.WARNING,
                title="3 classes in fewer than 5 training pictures",
                text="A network learns such a class by heart, with everything around it.",
                count=3,
                examples=tuple(
                    Example(name=name, text=f"in {i + 2} training pictures")
                    for i, name in enumerate(CAMVID[-3:])
                ),
            ),
            _finding(
                "lonely", Severity.WARNING, "5 masks without a picture", "They are not used.", 5, index=False
            ),
            _finding(
                "misfit",
                Severity.SUSPECT,
                "24 masks seem to be shifted against their picture",
                "Their borders lie better on the picture's when they are moved by a few pixels.",
                24,
                texts="better by {}% when moved 3 pixels to the right",
            ),
            _finding(
                "one_class",
                Severity.SUSPECT,
                "9 masks with one class only (1.9%)",
                "7 masks of Road, 2 masks of Sky. Fine if that is so; a mask nobody drew looks the same.",
                9,
                texts="only Road",
            ),
            _finding(
                "odd_brightness",
                Severity.SUSPECT,
                "3 pictures far darker or brighter than all others",
                "Perhaps over- or underexposed, or of another source.",
                3,
                texts="brightness {} of 255",
            ),
            Finding(
                kind="imbalance",
                severity=Severity.NOTE,
                title="Road has 214 times the pixels of SignSymbol",
                text="A network gains more by the last per cent of the frequent classes than by the rare "
                "ones. Weights in the loss even that out.",
                count=11,
                remedy="pixelwise train data/camvid --class-weights 0.2595 0.1826 4.564 0.1417 0.9051 0.3826 "
                "9.643 1.842 0.6823 6.208 7.317",
            ),
            _finding(
                "one_size",
                Severity.NOTE,
                "All pictures have the same size, 480x360",
                "It is a multiple of 8, but not of 32; networks pad it.",
                468,
                shown=0,
            ),
        ]
    )


def drawn_thumbnails(report: Report) -> dict[tuple[int, int], bytes]:
    """A small picture, each another, for the first dozen examples that are samples; JPEG and PNG in turn."""
    made: dict[tuple[int, int], bytes] = {}
    for place, finding in enumerate(report.findings):
        for number, example in enumerate(finding.examples[:12]):
            if example.index is not None:
                made[place, number] = drawn_thumbnail(len(made), "PNG" if number % 2 else "JPEG")
    return made


def drawn_thumbnail(number: int, form: str) -> bytes:
    """24x16 pixels of a colour that says the number."""
    buffer = io.BytesIO()
    Image.new("RGB", (24, 16), (number % 256, number // 256, 128)).save(buffer, form)
    return buffer.getvalue()


def _finding(
    kind: str,
    severity: Severity,
    title: str,
    text: str,
    count: int,
    *,
    texts: str = "",
    remedy: str = "",
    shown: int = 24,
    index: bool = True,
) -> Finding:
    names = [f"train/0016E5_{79 + 31 * i:05d}" for i in range(min(count, shown))]
    return Finding(
        kind=kind,
        severity=severity,
        title=title,
        text=text,
        count=count,
        remedy=remedy,
        examples=tuple(
            Example(
                name=name,
                text=texts.format(17 + 3 * i),
                index=i if index else None,
                files=(ROOT / f"{name}.png", ROOT / f"{name.replace('train/', 'trainannot/')}.png"),
            )
            for i, name in enumerate(names)
        ),
        leave_out=tuple(range(len(names))),
    )
