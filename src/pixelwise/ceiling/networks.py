"""Which networks answer at which stride, by name. Literal, so that nobody needs torch to read it."""

from __future__ import annotations

from collections.abc import Mapping

NATIVE_STRIDES: Mapping[str, int] = {
    "unet-xception": 1,
    "segnet": 1,
    "unet": 1,
    "mobilenet-segnet": 2,
    "deeplabv3plus": 4,
    "fpn": 4,
    "upernet": 4,
    "segformer-b0": 4,
    "segformer-b1": 4,
    "segformer-b2": 4,
    "eomt-s": 4,
    "eomt-b": 4,
    "pidnet-s": 8,
    "lraspp": 8,
    "fcn-8s": 8,
    "fcn-16s": 16,
    "fcn-32s": 32,
}
"""With default arguments: one answer for so many pixels of the input each way, before it is enlarged to the
input's size. The decoders of the first three go all the way up; mobilenet-segnet's ends one doubling earlier;
deeplabv3plus, fpn and upernet join the features of stride 4 and stop, and so do the SegFormers; the masks of
the EoMTs have that stride; lraspp joins features of stride 8, at which pidnet-s' fine branches run; an FCN is
called by its stride. A test compares the table with the networks."""


def fine_enough(stride: int) -> tuple[str, ...]:
    """Networks that answer at this stride or finer, the coarsest, which cost least, first."""
    names = [name for name, own in NATIVE_STRIDES.items() if own <= stride]
    return tuple(sorted(names, key=lambda name: -NATIVE_STRIDES[name]))
