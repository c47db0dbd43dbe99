"""The Keras tutorials' networks against their layer tables, row by row.

`PIXELWISE_REGENERATE=1` writes the golden texts anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pixelwise.from_keras.slots import SLOTS
from pixelwise.models import build_model
from pixelwise.models.summary import Summary, summarize

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
SOURCES = Path(__file__).resolve().parents[3] / "shared" / "spec"
REGENERATE = os.environ.get("PIXELWISE_REGENERATE") == "1"

NETWORKS = {"mobilenet-segnet": (5_541_378, 5_524_738), "deeplabv3plus": (2_753_714, 2_714_930)}
KINDS = {
    "conv2d": "Conv2D",
    "depthwise_conv2d": "DepthwiseConv2D",
    "batch_normalization": "BatchNormalization",
}

each = pytest.mark.parametrize("name", NETWORKS)


def summary_of(name: str) -> Summary:
    return summarize(build_model(name, num_classes=2), (416, 416))


def table_of(name: str) -> list[tuple[str, ...]]:
    """Our rows that have parameters, in the order of the source's table: layer, kind, output, params."""
    rows = {row.name: row for row in summary_of(name).rows}
    network = build_model(name, num_classes=2)
    table = []
    for slot in SLOTS[name](network):
        row = rows[slot.target]
        table.append((slot.target, KINDS[slot.kind], "x".join(map(str, row.output)), str(row.parameters)))
    return table


def read_table(path: Path) -> list[tuple[str, ...]]:
    lines = path.read_text().splitlines()[1:]
    return [tuple(line.split("\t")) for line in lines if not line.startswith("#")]


@each
def test_layers_are_those_of_the_golden_table(name: str) -> None:
    path = GOLDEN / f"{name}.tsv"
    table = table_of(name)
    if REGENERATE:
        lines = ["layer\tkind\toutput\tparams", *("\t".join(row) for row in table)]
        path.write_text("\n".join(lines) + "\n")
    assert table == read_table(path)


@each
def test_golden_table_is_the_sources(name: str) -> None:
    source = SOURCES / f"{name.replace('-', '_')}.tsv"
    if not source.is_file():
        pytest.skip("the source's table is not beside the checkout")
    # Within a class the order is the source's; where branches run side by side classes alternate otherwise.
    theirs = sorted((row for row in read_table(source) if row[3] != "0"), key=lambda row: row[1])
    names = [slot.name for slot in SLOTS[name](build_model(name, num_classes=2))]
    ours = sorted(zip(read_table(GOLDEN / f"{name}.tsv"), names, strict=True), key=lambda item: item[0][1])
    assert [row[1:4] for row, _ in ours] == [row[1:4] for row in theirs]
    assert all(name in (None, row[0]) for (_, name), row in zip(ours, theirs, strict=True))


@each
def test_parameters_as_keras_counts_them(name: str) -> None:
    summary = summary_of(name)
    assert (summary.parameters, summary.trainable) == NETWORKS[name]
    assert summary.parameters == sum(row.parameters for row in summary.rows)


def test_upsamplings_and_activations_of_the_segnet() -> None:
    rows = summary_of("mobilenet-segnet").rows
    assert [row.output for row in rows if row.kind == "Interpolate"] == [
        (52, 52, 512),
        (104, 104, 256),
        (208, 208, 128),
    ]
    assert sum(row.kind == "ReLU6" for row in rows) == 23
    assert not [row.name for row in rows if "decoder" in row.name and "ReLU" in row.kind]
    assert rows[-1].output == (208, 208, 2)


def test_activations_of_deeplab() -> None:
    rows = summary_of("deeplabv3plus").rows
    # Table: re_lu to re_lu_33 in the encoder, re_lu_34 to re_lu_47 after it.
    assert sum(row.kind == "ReLU6" for row in rows) == 34
    assert sum(row.kind == "ReLU" for row in rows) == 14
