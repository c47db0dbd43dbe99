"""A decoded frame as a picture: red, green and blue in 0..255, turned upright. Knows no file.

What a frame says of its colours holds. Where it says nothing the range is 16..235, and the matrix that of
BT.709 for high definition and BT.601 below it, as players guess. High dynamic range (PQ, HLG) is not mapped:
such frames look flat.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from av import VideoFrame
    from av.video.reformatter import VideoReformatter

UInt8Array = npt.NDArray[np.uint8]

# FFmpeg counts the same thing twice: what frames say (AVCOL_SPC), and what is asked of the scaler (SWS_CS).
_UNSAID = 2
_BT709 = 1
_BT601 = 5
_FULL_RANGE = 2


def picture(frame: VideoFrame, reformatter: VideoReformatter) -> UInt8Array:
    """The frame `(H, W, 3) uint8` RGB as it is stored; `turned` shows it upright.

    Args:
        frame: As decoded, in any pixel format.
        reformatter: Keeps its tables from frame to frame; for one thread.
    """
    rgb = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=guessed_matrix(frame) if frame.colorspace == _UNSAID else None,
        dst_color_range=_FULL_RANGE,
    )
    return np.asarray(rgb.to_ndarray(), np.uint8)


def guessed_matrix(frame: VideoFrame) -> int:
    """Of a frame that does not say: high definition begins above 576 lines or at 1280 columns."""
    return _BT709 if frame.height > 576 or frame.width >= 1280 else _BT601


def display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    """Nine numbers that say how the frame is to be shown, where it has them; phones turn videos so."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    content = bytes(data)
    return struct.unpack("=9i", content) if len(content) == 36 else None


def turned(array: UInt8Array, matrix: tuple[int, ...] | None) -> UInt8Array:
    """The picture `(H, W, 3)` as its display matrix shows it: the quarter turn or mirror image nearest to it.

    Point (x, y) goes to (a x + c y, b x + d y), where a, b, c, d are its numbers 0, 1, 3, 4; y points down.
    """
    if matrix is None:
        return array
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if sideways(matrix):
        array = array.transpose(1, 0, 2)
        mirror, overturn = c < 0, b < 0
    else:
        mirror, overturn = a < 0, d < 0
    if mirror:
        array = array[:, ::-1]
    if overturn:
        array = array[::-1]
    return np.ascontiguousarray(array)


def sideways(matrix: tuple[int, ...] | None) -> bool:
    """Whether a display matrix swaps height and width."""
    return matrix is not None and abs(matrix[1]) + abs(matrix[3]) > abs(matrix[0]) + abs(matrix[4])
