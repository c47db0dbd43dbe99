"""Colours carried on from where they are known to where they are not. Knows pictures and masks, no classes.

By push and pull (Gortler et al., "The Lumigraph", 1996): the known pixels are averaged to ever smaller
pictures until nothing is unknown; on the way back each picture fills its gaps with the smaller one, enlarged.
"""

from __future__ import annotations

from PIL import Image


def extended(picture: Image.Image, known: Image.Image) -> Image.Image:
    """A picture whose unknown pixels have colours of the known ones near them.

    Args:
        picture: RGB.
        known: Of mode L and the same size: 255 where the colour counts, else 0; somewhere it must count.

    Returns:
        RGB; known pixels are as they were. Takes about 12 bytes a pixel.
    """
    layers = [(picture, known)]
    while known.histogram()[255] < known.width * known.height and max(known.size) > 1:
        layer = layers[-1][0].copy()
        layer.putalpha(known)
        # With premultiplied colours the mean over a pixel's block is that of its known pixels.
        smaller = layer.convert("RGBa").reduce(2).convert("RGBA")
        known = smaller.getchannel("A").point(_SURE)
        layers.append((smaller.convert("RGB"), known))
    result, _ = layers.pop()
    for finer, sure in reversed(layers):
        result = Image.composite(finer, result.resize(finer.size, Image.Resampling.BILINEAR), sure)
    return result


_SURE = [0, *[255] * 255]
"""Alpha of a block that holds any known pixel."""
