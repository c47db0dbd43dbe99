"""What a source's name means: a video file, a camera of this machine, or a stream of the network.

Knows FFmpeg's names of devices and options, and opens nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pixelwise.errors import ConfigError

# Only these are tried. Playlists that name other files (HLS, concat, DASH) are for the network alone, where
# they can name nothing on this machine; pictures, text and generators are no videos.
_FILES = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,gif,ivf,mxf,dv,nut,"
    "h264,hevc,m4v,mjpeg,av1,obu,wtv"
)
_STREAMS = f"{_FILES},live_flv,mpjpeg,hls,dash,rtsp,sdp,rtp"
_PROTOCOLS = "http,https,httpproxy,tls,tcp,udp,rtp,srtp,rtsp,rtmp,rtmps,srt,crypto"

_LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps", "srt", "udp", "tcp", "rtp")
_OPEN_SCHEMES = ("http", "https")
_LINUX_CAMERA = re.compile(r"/dev/video\d+")
_CAMERA = "camera:"

NETWORK_SECONDS = 10.0
"""A stream that sends nothing for so long is given up."""


@dataclass(frozen=True)
class Address:
    """Where frames come from, as FFmpeg is told.

    Attributes:
        name: For messages; of a URL without user, password and query.
        url: For FFmpeg.
        format: FFmpeg's name of the device, for cameras.
        options: FFmpeg's options.
        live: Whether frames come as time passes; None where only the opened stream tells.
        path: The file, where it is one.
    """

    name: str
    url: str = field(repr=False)
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    live: bool | None = False
    path: Path | None = None

    @property
    def timeout(self) -> float | None:
        """Seconds after which silence is an error; files and cameras are waited for."""
        return NETWORK_SECONDS if self.path is None and self.format is None else None


def find_source(
    source: str | Path,
    *,
    system: str = sys.platform,
    cameras: Callable[[str], list[str]] = lambda _: [],
) -> Address:
    """Reads a source's name.

    Args:
        source: A file's path; `camera:0` (`camera:NAME` on Windows) or `/dev/video0`; or a URL, `rtsp://…`,
            `http://…` and the like.
        system: As `sys.platform` names it.
        cameras: Names of the cameras that FFmpeg's device of that name finds; asked on Windows alone, where
            cameras have no numbers.

    Raises:
        ConfigError: There is no such camera, no cameras on this system, or no such kind of URL.
    """
    text = str(source)
    if isinstance(source, str):
        if _LINUX_CAMERA.fullmatch(text):
            return _v4l2(text)
        if text.startswith(_CAMERA):
            return _camera(text.removeprefix(_CAMERA), system, cameras)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            return _stream(text)
    # FFmpeg takes a name with a colon for a protocol unless told that it is a file.
    limits = {"format_whitelist": _FILES, "protocol_whitelist": "file"}
    return Address(text, f"file:{text}", options=limits, path=Path(source))


def _v4l2(device: str) -> Address:
    return Address(device, device, format="v4l2", live=True)


def _camera(number: str, system: str, cameras: Callable[[str], list[str]]) -> Address:
    name = f"{_CAMERA}{number}"
    if not number or (system != "win32" and not number.isdecimal()):
        raise ConfigError(f"{name}: a camera is named by its number, camera:0 is the first")
    if system.startswith("linux"):
        return _v4l2(f"/dev/video{number}")
    if system == "darwin":
        # Its default, 29.97 frames a second, is a rate that few cameras have; it refuses others.
        options = {"framerate": "30"}
        return Address(name, f"{number}:none", format="avfoundation", options=options, live=True)
    if system == "win32":
        if number.isdecimal():
            found = cameras("dshow")
            if int(number) >= len(found):
                known = ", ".join(f"{_CAMERA}{other}" for other in found)
                raise ConfigError(
                    f"{name}: there is no such camera; "
                    + (f"take {known}" if known else "name it as Windows does, camera:NAME")
                )
            number = found[int(number)]
        return Address(name, f"video={number}", format="dshow", live=True)
    raise ConfigError(f"{name}: cameras are read on Linux, macOS and Windows, and this is {system}")


def _stream(url: str) -> Address:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _LIVE_SCHEMES + _OPEN_SCHEMES:
        known = ", ".join(f"{name}://" for name in _OPEN_SCHEMES + _LIVE_SCHEMES)
        raise ConfigError(f"{scheme}://: streams are read from {known}; a file is named by its path")
    options = {"format_whitelist": _STREAMS, "protocol_whitelist": _PROTOCOLS}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # lost packets tear the picture over UDP, the default
    # Passwords stand in the user's part, and in queries.
    name = f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return Address(name, url, options=options, live=True if scheme in _LIVE_SCHEMES else None)
