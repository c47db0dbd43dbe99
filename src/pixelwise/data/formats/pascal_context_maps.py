"""The .mat files in which PASCAL-Context is published: one label map each, in MATLAB's format 5.

Knows the file and its variable, and not what a label means. Needs scipy, which is the extra `mat`. A file
may hold a few kilobytes that unfold to gigabytes, so what it unfolds to is counted before scipy reads it.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from pixelwise.data.codec import MAX_PIXELS
from pixelwise.errors import DataError

LABELS = 459
"""The largest label; 0 is unlabelled."""
_VARIABLE = "LabelMap"
_KINDS = {"uint8", "uint16", "uint32", "int8", "int16", "int32", "single", "double"}
_MAX_BYTES = 128 << 20
"""Of the file, and of what it unfolds to; a photo's label map has half a megabyte."""
_MAX_PARTS = 1000
_HEADER = 128
_COMPRESSED = 15
_PIECE = 1 << 20
_VERSIONS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_VERSION_7_3 = b"\x00\x02IM"


def read_label_map(path: Path) -> npt.NDArray[np.uint16]:
    """The 459 labels `(H, W) uint16` of a .mat file; 0 is unlabelled.

    Raises:
        DataError: The file is missing or damaged, holds no such map, or scipy is not installed.
    """
    try:
        import scipy.io  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise DataError(f"{path}: .mat files need scipy: pip install 'pixelwise[mat]'") from error
    content = _read(path)
    _check_parts(content, path)
    matlab: Any = scipy.io
    try:
        there: list[tuple[str, tuple[int, ...], str]] = matlab.whosmat(io.BytesIO(content))
        maps = [(shape, kind) for name, shape, kind in there if name == _VARIABLE]
        fits = len(maps) == 1 and _is_map(*maps[0])
        found: Any = (
            matlab.loadmat(io.BytesIO(content), variable_names=[_VARIABLE])[_VARIABLE] if fits else None
        )
    except Exception as error:  # foreign bytes: the parser may raise nearly anything
        raise DataError(
            f"{path}: this is no MATLAB file that can be read ({str(error)[:80]}); download it again"
        ) from error
    if not isinstance(found, np.ndarray) or not _are_labels(cast("npt.NDArray[Any]", found)):
        raise DataError(
            f"{path}: it holds no {_VARIABLE} of a picture's size with labels 0 to {LABELS}; download it "
            "again"
        )
    return cast("npt.NDArray[Any]", found).astype(np.uint16)


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise DataError(f"{path}: {size:,} bytes are more than any label map has; download it again")
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}); restore or remove it"
        ) from error


def _check_parts(content: bytes, path: Path) -> None:
    """Walks through the file's parts, and unfolds the compressed ones without keeping anything.

    Raises:
        DataError: It is no MATLAB file of format 5, or unfolds to too much.
    """
    version = content[_HEADER - 4 : _HEADER]
    order = _VERSIONS.get(version)
    if order is None:
        newer = version == _VERSION_7_3 or content.startswith(b"\x89HDF")
        what = "a MATLAB file of version 7.3" if newer else "no MATLAB file of version 5 to 7"
        remedy = "save it anew with -v7" if newer else "download it again, or save it anew with -v7"
        raise DataError(f"{path}: this is {what}, which cannot be read; {remedy}")
    place, parts, unfolded = _HEADER, 0, 0
    while place + 8 <= len(content):
        kind, size = cast("tuple[int, int]", struct.unpack_from(f"{order}II", content, place))
        place += 8
        parts += 1
        if kind == _COMPRESSED:
            unfolded += _unfolded(content[place : place + size], _MAX_BYTES - unfolded)
        place += size
        if parts > _MAX_PARTS or unfolded > _MAX_BYTES:
            raise DataError(f"{path}: it unfolds to more than any label map has; download it again")


def _unfolded(piece: bytes, limit: int) -> int:
    """How many bytes a compressed part has, counted a little beyond the limit; damage ends the count."""
    stream, count = zlib.decompressobj(), 0
    try:
        while piece and count <= limit:
            count += len(stream.decompress(piece, _PIECE))
            piece = stream.unconsumed_tail
    except zlib.error:
        pass  # scipy unfolds as far, and says so
    return count


def _is_map(shape: tuple[int, ...], kind: str) -> bool:
    return len(shape) == 2 and 0 < shape[0] * shape[1] <= MAX_PIXELS and kind in _KINDS


def _are_labels(array: npt.NDArray[Any]) -> bool:
    if array.dtype.kind not in "uif" or array.ndim != 2 or not array.size:
        return False
    return bool(((array >= 0) & (array <= LABELS) & (array == np.floor(array))).all())
