"""Picture files through Pillow, at arm's length: few formats, bounded size, every failure a sentence.

Knows neither what a picture nor what a mask is for; `io` makes arrays of what is decoded here.
"""

from __future__ import annotations

import importlib
import io
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from PIL import Image, ImageFile, TiffImagePlugin

from pixelwise.data.jpeg import Scaled, decode_jpeg, jpeg_size
from pixelwise.data.mendable import SKIP_BROKEN, MendableError
from pixelwise.data.orientation import SIDEWAYS, read_orientation
from pixelwise.errors import DataError

MAX_PIXELS = 1 << 28
"""Pictures of more pixels are refused before they are decoded: 268 megapixels, 0.8 GB as RGB.

The largest camera sensors have 200 megapixels; a decompression bomb declares far more than its bytes hold.
"""

# Only these are tried. Formats that start another program (EPS), render (WMF) or hold a choice of pictures
# (ICO) stay out; so do those without a signature (TGA), which take anything for a picture.
_PLUGINS = {
    "JPEG": "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "WEBP": "WebPImagePlugin",
    "PPM": "PpmImagePlugin",
    "JPEG2000": "Jpeg2KImagePlugin",
    "AVIF": "AvifImagePlugin",
}
for _module in (*_PLUGINS.values(), "MpoImagePlugin"):  # the JPEG plugin hands over to the one of MPO
    with suppress(ImportError):  # an older Pillow lacks AVIF
        importlib.import_module(f"PIL.{_module}")

_TIFF_SIZE = (256, 257)  # the tags ImageWidth and ImageLength
_JPEG = b"\xff\xd8\xff"
_LARGEST_JPEG = 1 << 30
_METADATA = (b"Exif\0\0", b"http://ns.adobe.com/xap/")
"""Where neither stands in a JPEG, nothing says that it should be turned; asking Pillow takes longer."""


class UnreadableError(MendableError):
    """The file's bytes cannot be decoded; what `skip_broken` leaves out."""

    def __init__(self, message: str) -> None:
        super().__init__(message, SKIP_BROKEN)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self),)


@dataclass(frozen=True)
class Header:
    """What a picture file says about itself before it is decoded.

    Attributes:
        size: `(height, width)` upright.
        orientation: 1..8, the turn that makes the stored pixels upright, in EXIF's count.
        format: Pillow's name of the format, e.g. `PNG`.
        mode: Pillow's name of the pixel layout, e.g. `RGB`.
    """

    size: tuple[int, int]
    orientation: int
    format: str
    mode: str

    @property
    def sideways(self) -> bool:
        """Whether its orientation tag swaps height and width."""
        return self.orientation in SIDEWAYS


@dataclass(frozen=True, eq=False)
class Decoded:
    """A picture in memory, not yet turned upright.

    Attributes:
        image: The decoded pixels.
        format: Pillow's name of the format.
        orientation: 1..8, the turn that is still to be made, in EXIF's count.
        shades: The largest grey value on the file's own scale: 3 and 15 for 2 and 4 bits, else mostly 255.
    """

    image: Image.Image
    format: str
    orientation: int
    shades: int


def read_header(path: Path, *, content: bytes | None = None) -> Header:
    """Reads size, orientation and format without decoding the pixels.

    Args:
        path: The file.
        content: As for `decode`.

    Raises:
        DataError: The file is missing, or is no picture.
    """
    with _file(path) if content is None else io.BytesIO(content) as stream:
        image = _identify(stream, path)
        width, height = _stored_size(image)
        # A tag behind the pixels of a PNG is found by decoding them: not those of a bomb.
        turn = read_orientation(image, stream) if width * height <= MAX_PIXELS else 1
        size = (width, height) if turn in SIDEWAYS else (height, width)
        return Header(size, turn, image.format or "", image.mode)


def read_palette(path: Path) -> list[tuple[int, int, int]]:
    """The colours of a palette picture's indices; none for other pictures.

    Raises:
        DataError: The file is missing, or is no picture.
    """
    with _file(path) as stream:
        image = _identify(stream, path)
        values = (image.getpalette("RGB") or []) if image.mode == "P" else []
        return list(zip(values[::3], values[1::3], values[2::3], strict=False))


def decode(path: Path, *, max_pixels: int, content: bytes | None = None) -> Decoded:
    """Decodes the first picture of a file.

    Args:
        path: The file.
        max_pixels: The most that are decoded.
        content: The picture's bytes where they don't stand in a file of their own; `path` is for messages.

    Raises:
        DataError: The file is missing; `UnreadableError`: it is damaged, or has more than `max_pixels`.
    """
    with _file(path) if content is None else io.BytesIO(content) as stream:
        image = _identify(stream, path)
        _check_pixels(*image.size, path, max_pixels)
        shades = _shades(image)
        try:
            image.load()
        except Exception as error:  # foreign bytes: a decoder may raise nearly anything
            raise UnreadableError(
                f"{path}: the file is truncated or damaged, its {image.format} data cannot be decoded "
                f"({_reason(error)}); replace or remove it"
            ) from error
        # Asked after `load`: Pillow turns a TIFF upright while loading, and takes the tag away.
        return Decoded(image, image.format or "", read_orientation(image), shades)


def decode_fast(
    path: Path, *, max_pixels: int, at_least: tuple[int, int] | None, content: bytes | None = None
) -> tuple[Scaled, int] | None:
    """Decodes an ordinary JPEG the fast way, with its orientation; None for any other file.

    Args:
        path: The file.
        max_pixels: The most that are decoded.
        at_least: `(height, width)` upright that are needed; None for full size.
        content: As for `decode`.

    Raises:
        DataError: As `decode`, except that a damaged JPEG gives None.
    """
    with _file(path) if content is None else io.BytesIO(content) as stream:
        if stream.read(3) != _JPEG or stream.seek(0, io.SEEK_END) > _LARGEST_JPEG:
            return None
        stream.seek(0)
        data = stream.read()
        orientation, size = 1, jpeg_size(data)
        if size is None:
            return None
        if any(mark in data for mark in _METADATA):
            stream.seek(0)
            orientation = read_orientation(_identify(stream, path))
    _check_pixels(size[1], size[0], path, max_pixels)
    needed = at_least
    if at_least is not None and orientation in SIDEWAYS:
        needed = at_least[1], at_least[0]
    scaled = decode_jpeg(data, size, needed)
    return None if scaled is None else (scaled, orientation)


def _check_pixels(width: int, height: int, path: Path, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise UnreadableError(
            f"{path}: {width}x{height} pixels are more than the limit of {max_pixels:,}; "
            "shrink the picture, or cut it into tiles"
        )


def _file(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError as error:
        if path.is_symlink():
            raise DataError(
                f"{path}: this link leads nowhere ({path.readlink()}); mend or remove it"
            ) from error
        raise DataError(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: a picture file was expected, but this is a folder") from error
    except (OSError, ValueError) as error:
        raise UnreadableError(
            f"{path}: cannot be read ({_reason(error)}); check its permissions and the disk"
        ) from error


def _identify(stream: IO[bytes], path: Path) -> ImageFile.ImageFile:
    """Reads the header with the plugin that recognises the first bytes.

    Image.open would do the same, but warns above 89 and refuses above 179 megapixels by a global that a
    library must not change; the limit here is the caller's.
    """
    prefix = stream.read(16)
    failure: Exception | None = None
    for name in _PLUGINS:
        factory, accept = Image.OPEN.get(name, (None, None))
        # A plugin answers yes, no, or with the reason why this build cannot read what it recognised.
        if factory is None or (accept is not None and accept(prefix) is not True):
            continue
        stream.seek(0)
        try:
            return factory(stream, "")
        except Exception as error:  # foreign bytes: a plugin may raise nearly anything
            failure = error
    if not prefix:
        raise UnreadableError(f"{path}: the file is empty; replace or remove it")
    if failure is not None and prefix[4:8] != b"ftyp":
        raise UnreadableError(
            f"{path}: the picture's header is damaged ({_reason(failure)}); replace or remove the file"
        ) from failure
    raise UnreadableError(
        f"{path}: this is no picture that can be read{_guess(prefix)}; save it as JPEG or PNG, or remove it"
    ) from failure


def _guess(prefix: bytes) -> str:
    """Names what users most often mistake for a picture."""
    if prefix[4:8] == b"ftyp":
        return " (it looks like HEIC or a video)"
    if prefix[:1] == b"<":
        return " (it looks like a web page or an SVG)"
    if prefix.startswith(b"%PDF"):
        return " (it is a PDF)"
    return ""


def _reason(error: BaseException) -> str:
    return (str(error).split("\n")[0] or type(error).__name__)[:120]


def _shades(image: ImageFile.ImageFile) -> int:
    tile: Any = image.tile[0] if image.tile else None
    arguments: Any = tile[3] if tile is not None and len(tile) > 3 else None
    if isinstance(arguments, tuple):
        values = cast("tuple[Any, ...]", arguments)
        if image.format == "PPM" and len(values) == 2:  # (raw mode, largest value)
            return min(int(values[1]), 255)
        arguments = values[0] if values else None
    if isinstance(arguments, str):
        return {"L;2": 3, "L;4": 15}.get(arguments[:3], 255)
    return 255


def _stored_size(image: ImageFile.ImageFile) -> tuple[int, int]:
    """Width and height before any turn; of a TIFF, newer versions of Pillow state them turned already."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        width, height = (image.tag_v2.get(tag) for tag in _TIFF_SIZE)
        if isinstance(width, int) and isinstance(height, int):
            return width, height
    return image.size
