"""Resizing as Pillow does it, in ONNX's operations, for sizes that are known when a picture comes.

A side that grows is interpolated by `Resize`. One that shrinks is a sum with the triangle filter, widened to
the pixels that an output pixel covers: `Resize` has an attribute for that (antialias), which OpenVINO 2026.4
ignores and ONNX Runtime 1.32 computes wrongly near borders (22 of 255 off). Each side first shrinks, then
grows, and one of the two changes nothing.

As one matrix product over a whole side nearly all weights would be 0: a row needs a few rows near it. So a
few rows that follow each other, a block, are computed from the window of rows that they need, all blocks as
one batched product: 12 megapixels become 360x480 in a third of the time (`_Windows`). A side that is right
already pays for that too: OpenVINO 2026.4 computes other values in a network once an `If` passes it by.
"""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from pixelwise.graph.onnx_nodes import OnnxWriter

_BLOCK = 16
"""Rows that share a window. More would multiply more zeros, fewer would copy more rows twice."""


def resized_bytes(writer: OnnxWriter, planes: str, photo: str, size: tuple[int, int]) -> str:
    """Raw RGB `(N, 3, H, W) uint8`, of sides `photo`, at another size; `uint8` again.

    Pillow rounds to whole values after each of its two passes, and so does this. Columns come first, or rows
    where these shrink by more than twice what columns do: there a first pass over columns changes nothing.
    """
    height, width = (_side(writer, photo, axis) for axis in (0, 1))
    rows, columns = (writer.number(side) for side in size)
    fewer = writer.add("Max", [writer.add("Sub", [width, columns]), writer.number(0)])
    twice = writer.add("Mul", [fewer, writer.number(2)])
    rows_first = writer.add("Greater", [writer.add("Sub", [height, rows]), twice])
    between = writer.add("Where", [rows_first, width, columns])
    x = _turned(writer, _fixed_point(writer, _turned(writer, planes), width, between))
    x = _fixed_point(writer, x, height, rows)
    return _turned(writer, _fixed_point(writer, _turned(writer, x), between, columns))


def _turned(writer: OnnxWriter, x: str) -> str:
    """Columns as rows and rows as columns."""
    return writer.add("Transpose", [x], perm=[0, 1, 3, 2])


def _fixed_point(writer: OnnxWriter, x: str, old: str, new: str) -> str:
    """`uint8` planes with `new` instead of `old` rows, rounded as Pillow rounds.

    Pillow's weights are multiples of 2**-22. As two matrices of 11 bits each, their sums are whole numbers
    that float32 holds exactly (up to 32 pixels of a filter), and so is every step that puts them together.
    """
    half = writer.number(1 << 11)
    windows = _windows(writer, old, new)
    triangle = windows.heights
    total = writer.add("ReduceSum", [triangle, writer.number([2])], keepdims=1)
    scaled = writer.add("Mul", [triangle, half])
    high = writer.add("Div", [scaled, total])
    rest = writer.add("Sub", [scaled, writer.add("Mul", [high, total])])
    rounded = writer.add("Add", [writer.add("Mul", [rest, writer.number(1 << 12)]), total])
    low = writer.add("Div", [rounded, writer.add("Mul", [total, writer.number(2)])])
    x = writer.add("Cast", [windows.gathered(writer, x)], to=onnx.TensorProto.FLOAT)
    sums = [
        writer.add("MatMul", [writer.add("Cast", [part], to=onnx.TensorProto.FLOAT), x])
        for part in (high, low)
    ]

    def split(value: str) -> tuple[str, str]:
        """How often 2**11 is in a whole number, and what is left."""
        times = writer.add("Floor", [writer.add("Mul", [value, writer.single(2.0**-11)])])
        taken = writer.add("Mul", [times, writer.single(2.0**11)])
        return times, writer.add("Sub", [value, taken])

    carried, units = split(sums[1])
    value, upper = split(writer.add("Add", [sums[0], carried]))
    below = writer.add("Add", [writer.add("Mul", [upper, writer.single(2.0**11)]), units])
    share = writer.add("Mul", [below, writer.single(2.0**-22)])
    up = writer.add("Floor", [writer.add("Add", [share, writer.single(0.5)])])
    found = writer.add("Cast", [writer.add("Add", [value, up])], to=onnx.TensorProto.UINT8)
    return windows.joined(writer, found)


def resized(writer: OnnxWriter, maps: str, size: tuple[int, int], photo: str) -> str:
    """Maps `(N, K, h, w) float32` of a known size at the sides `photo`."""
    columns, rows = ((writer.number(size[axis]), _side(writer, photo, axis)) for axis in (1, 0))
    turned = _fitted(writer, _turned(writer, maps), *columns)
    return _fitted(writer, _turned(writer, turned), *rows)


def _side(writer: OnnxWriter, sides: str, axis: int) -> str:
    return writer.add("Gather", [sides, writer.number(axis)], axis=0)


def _fitted(writer: OnnxWriter, x: str, old: str, new: str) -> str:
    """`(N, C, H, W) float32` with `new` instead of `old` rows."""
    smaller = writer.add("Min", [old, new])
    windows = _windows(writer, old, smaller)
    heights = writer.add("Cast", [windows.heights], to=onnx.TensorProto.FLOAT)
    total = writer.add("ReduceSum", [heights, writer.number([2])], keepdims=1)
    weights = writer.add("Div", [heights, total])
    x = windows.joined(writer, writer.add("MatMul", [weights, windows.gathered(writer, x)]))
    shape = writer.add("Shape", [x])
    others = [
        writer.add("Slice", [shape, writer.number([first]), writer.number([last])])
        for first, last in ((0, 2), (3, 4))
    ]
    row = writer.add("Reshape", [new, writer.number([1])])
    wanted = writer.add("Concat", [others[0], row, others[1]], axis=0)
    places = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return writer.add("Resize", [x, "", "", wanted], **places)


@dataclass(frozen=True)
class _Windows:
    """Which rows a block of new rows is made of, and with which weights: names of values.

    Attributes:
        places: `(blocks, length)`, the rows of each block's window.
        heights: `(blocks, _BLOCK, length)`, the triangle filter of each new row over its window: whole
            numbers, which the row's sum is to divide.
        new: How many new rows there are; the last block may have more.
    """

    places: str
    heights: str
    new: str

    def gathered(self, writer: OnnxWriter, x: str) -> str:
        """`(N, C, blocks, length, W)` of `(N, C, H, W)`."""
        return writer.add("Gather", [x, self.places], axis=2)

    def joined(self, writer: OnnxWriter, x: str) -> str:
        """`(N, C, new, W)` of `(N, C, blocks, _BLOCK, W)`."""
        blocks = writer.add("Slice", [writer.add("Shape", [x]), writer.number([2]), writer.number([3])])
        rows = writer.add("Mul", [blocks, writer.number([_BLOCK])])
        wanted = writer.add("Concat", [writer.number([0, 0]), rows, writer.number([-1])], axis=0)
        x = writer.add("Reshape", [x, wanted])
        end = writer.add("Reshape", [self.new, writer.number([1])])
        return writer.add("Slice", [x, writer.number([0]), end, writer.number([2])])


def _windows(writer: OnnxWriter, old: str, new: str) -> _Windows:
    """The triangle filter from `old` rows to `new`; the identity for equal sides.

    In units of `1 / (2 * new)` rows every centre is a whole number, so no place is rounded. No number that is
    divided is negative: runtimes differ there.
    """

    def number(kind: str, one: str, other: str | int) -> str:
        return writer.add(kind, [one, writer.number(other) if isinstance(other, int) else other])

    def centres(rows: str, unit: str) -> str:
        return number("Mul", number("Add", number("Mul", rows, 2), 1), unit)

    def count(end: str) -> str:
        return writer.add("Range", [writer.number(0), end, writer.number(1)])

    row = number("Mul", new, 2)
    reach = number("Mul", number("Max", old, new), 2)
    firsts = number("Mul", count(number("Div", number("Add", new, _BLOCK - 1), _BLOCK)), _BLOCK)
    span = number("Add", number("Mul", old, 2 * (_BLOCK - 1)), number("Mul", reach, 2))
    length = number("Min", number("Add", number("Div", span, row), 2), old)
    before = number("Sub", number("Sub", centres(firsts, old), reach), new)
    begins = number("Min", number("Div", number("Max", before, 0), row), number("Sub", old, length))
    places = number("Add", writer.add("Unsqueeze", [begins, writer.number([1])]), count(length))
    # Rows after the last repeat it: a row without a weight would be divided by nothing.
    rows = number("Add", writer.add("Unsqueeze", [firsts, writer.number([1])]), writer.number(range(_BLOCK)))
    rows = number("Min", rows, number("Sub", new, 1))
    here = writer.add("Unsqueeze", [centres(rows, old), writer.number([2])])
    there = writer.add("Unsqueeze", [centres(places, new), writer.number([1])])
    distance = writer.add("Abs", [number("Sub", here, there)])
    return _Windows(places, number("Max", number("Sub", reach, distance), 0), new)
