"""Drawn weights in Keras' layouts: for layers in Keras itself, and for files that tests write.

Knows NumPy only. `ours` is the name of a layer of ours: the convolution or the batch normalisation itself.
"""

from __future__ import annotations

import numpy as np

from drawn_weights import Array, draw

DEEP = ("encoder.blocks.", "aspp.", "refine.", "skip.")
GAIN = 1.4
"""Of kernels in MobileNets and what follows them, so that dozens of ReLUs don't let the signal die."""


def keras_arrays(kind: str, ours: str, shapes: list[tuple[int, ...]]) -> list[Array]:
    """The arrays of one Keras layer, in its own order and layouts.

    Args:
        kind: The Keras class.
        ours: Our name of the layer.
        shapes: Of its weights in Keras.
    """
    if kind == "BatchNormalization":
        parts = ("gamma", "bias", "running_mean", "running_var")
        return [draw(ours, part, shapes[0]) for part in parts]
    arrays: list[Array] = []
    if kind == "SeparableConv2D":
        (_, _, c, _), (_, _, _, o), *_ = shapes
        arrays.append(draw(ours, "depthwise", (c, 1, 3, 3)).transpose(2, 3, 0, 1))
        arrays.append(draw(ours, "pointwise", (o, c, 1, 1)).transpose(2, 3, 1, 0))
    elif kind == "DepthwiseConv2D":
        h, w, c, m = shapes[0]
        kernel = draw(ours, "weight", (c * m, 1, h, w)).reshape(c, m, h, w)
        arrays.append(kernel.transpose(2, 3, 0, 1))
    else:
        # (h, w, in, out) from (out, in, h, w), and (h, w, out, in) from (in, out, h, w): the same turn.
        h, w, a, b = shapes[0]
        arrays.append(draw(ours, "weight", (b, a, h, w)).transpose(2, 3, 1, 0))
    gain = GAIN if ours.startswith(DEEP) else 1.0
    arrays = [(gain * kernel).astype(np.float32) for kernel in arrays]
    return arrays + [draw(ours, "bias", shape) for shape in shapes[len(arrays) :]]
