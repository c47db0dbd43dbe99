"""Resizing as Pillow does it, in ONNX's operations, for sizes that are known when a picture comes.

A side that grows is interpolated by `Resize`. One that shrinks is a matrix product with the triangle filter,
widened to the pixels that an output pixel covers: `Resize` has an attribute for that (antialias), which
OpenVINO 2026.4 ignores and ONNX Runtime 1.32 computes wrongly near borders (22 of 255 off). Each side first
shrinks, then grows, and one of the two changes nothing.
"""

from __future__ import annotations

import onnx

from pixelwise.graph.onnx_nodes import OnnxWriter


def resized_bytes(writer: OnnxWriter, planes: str, photo: str, size: tuple[int, int]) -> str:
    """Raw RGB `(N, 3, H, W) uint8`, of sides `photo`, at another size; `uint8` again.

    Pillow rounds to whole values after each of its two passes, and so does this. Columns come first, or rows
    where these shrink by more than twice what columns do: there a first pass over columns changes nothing.
    """
    x = writer.add("Cast", [planes], to=onnx.TensorProto.FLOAT)
    height, width = (_side(writer, photo, axis) for axis in (0, 1))
    rows, columns = (writer.number(side) for side in size)
    fewer = writer.add("Max", [writer.add("Sub", [width, columns]), writer.number(0)])
    twice = writer.add("Mul", [fewer, writer.number(2)])
    rows_first = writer.add("Greater", [writer.add("Sub", [height, rows]), twice])
    between = writer.add("Where", [rows_first, width, columns])
    for axis, old, new in ((1, width, between), (0, height, rows), (1, between, columns)):
        x = _fixed_point(writer, x, axis, old, new)
    return writer.add("Cast", [x], to=onnx.TensorProto.UINT8)


def _fixed_point(writer: OnnxWriter, x: str, axis: int, old: str, new: str) -> str:
    """Whole values, as float32, with `new` instead of `old` rows or columns, rounded as Pillow rounds.

    Pillow's weights are multiples of 2**-22. As two matrices of 11 bits each, their sums are whole numbers
    that float32 holds exactly (up to 32 pixels of a filter), and so is every step that puts them together.
    """
    half = writer.number(1 << 11)
    triangle = _triangle(writer, old, new)
    total = writer.add("ReduceSum", [triangle, writer.number([1])], keepdims=1)
    scaled = writer.add("Mul", [triangle, half])
    high = writer.add("Div", [scaled, total])
    rest = writer.add("Sub", [scaled, writer.add("Mul", [high, total])])
    rounded = writer.add("Add", [writer.add("Mul", [rest, writer.number(1 << 12)]), total])
    low = writer.add("Div", [rounded, writer.add("Mul", [total, writer.number(2)])])
    sums = [
        _along(writer, x, axis, writer.add("Cast", [part], to=onnx.TensorProto.FLOAT)) for part in (high, low)
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
    return writer.add("Add", [value, up])


def _along(writer: OnnxWriter, x: str, axis: int, weights: str) -> str:
    """Rows (axis 0) or columns (axis 1) as weighted sums of those that were; weights are `(new, old)`."""
    if axis == 0:
        return writer.add("MatMul", [weights, x])
    return writer.add("MatMul", [x, writer.add("Transpose", [weights], perm=[1, 0])])


def resized(writer: OnnxWriter, maps: str, size: tuple[int, int], photo: str) -> str:
    """Maps `(N, K, h, w) float32` of a known size at the sides `photo`."""
    for axis in (1, 0):
        maps = _fitted(writer, maps, axis, writer.number(size[axis]), _side(writer, photo, axis))
    return maps


def _side(writer: OnnxWriter, sides: str, axis: int) -> str:
    return writer.add("Gather", [sides, writer.number(axis)], axis=0)


def _fitted(writer: OnnxWriter, x: str, axis: int, old: str, new: str) -> str:
    """`(N, C, H, W)` with `new` instead of `old` rows (axis 0) or columns (axis 1)."""
    smaller = writer.add("Min", [old, new])
    weights = _shrinking(writer, old, smaller)  # (smaller, old)
    x = _along(writer, x, axis, weights)
    shape = writer.add("Shape", [x])
    others = [
        writer.add("Slice", [shape, writer.number([first]), writer.number([last])])
        for first, last in ((0, 2 + axis), (3 + axis, 4))
    ]
    row = writer.add("Reshape", [new, writer.number([1])])
    wanted = writer.add("Concat", [others[0], row, others[1]], axis=0)
    places = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return writer.add("Resize", [x, "", "", wanted], **places)


def _shrinking(writer: OnnxWriter, old: str, new: str) -> str:
    """The triangle filter's weights `(new, old)`, each row summing to one; the identity for equal sides."""
    height = writer.add("Cast", [_triangle(writer, old, new)], to=onnx.TensorProto.FLOAT)
    total = writer.add("ReduceSum", [height, writer.number([1])], keepdims=1)
    return writer.add("Div", [height, total])


def _triangle(writer: OnnxWriter, old: str, new: str) -> str:
    """The heights `(new, old)` of the triangle filter, whole numbers, before each row is brought to one.

    In units of `1 / (2 * new)` pixels every centre is a whole number, so no place is rounded.
    """
    one, two = writer.number(1), writer.number(2)

    def centres(count: str, other: str) -> str:
        steps = writer.add("Range", [writer.number(0), count, one])
        return writer.add("Mul", [writer.add("Add", [writer.add("Mul", [steps, two]), one]), other])

    output = writer.add("Unsqueeze", [centres(new, old), writer.number([1])])
    distance = writer.add("Abs", [writer.add("Sub", [output, centres(old, new)])])
    reach = writer.add("Mul", [writer.add("Max", [old, new]), two])
    return writer.add("Max", [writer.add("Sub", [reach, distance]), writer.number(0)])
