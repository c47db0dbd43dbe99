"""Frames of a video file, a camera or a stream, with their times.

Knows no network. What cannot be decoded is left out and told at the end, as a `DataError` that comes after
the frames that could be: whoever writes a video of them can finish it first.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelwise.data.codec import MAX_PIXELS
from pixelwise.errors import DataError
from pixelwise.video.address import Address, find_source
from pixelwise.video.damage import Damage
from pixelwise.video.package import camera_names, load_av, reason
from pixelwise.video.picture import display_matrix, picture, sideways, turned

if TYPE_CHECKING:
    from av import VideoFrame

MAX_FRAME_PIXELS = MAX_PIXELS // 4
"""Larger frames are refused before they are decoded: 67 megapixels, twice 8K, for many are held at once."""

USUAL_RATE = Fraction(25)
"""Frames a second where a source does not say."""

_THREADS = 4
"""That decode; each holds a frame, and four decode full HD faster than most networks see it."""

_COVER = 0x400
"""A stream that is a picture beside music, in FFmpeg's count of dispositions."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a video.

    Attributes:
        picture: `(H, W, 3) uint8` RGB, upright.
        time: Seconds since the video's begin; frames need not follow each other evenly.
        pixel_aspect: Width of a pixel by its height as it is to be shown; 1 for most videos.
    """

    picture: npt.NDArray[np.uint8]
    time: Fraction
    pixel_aspect: Fraction = Fraction(1)


class Video:
    """An opened source. Its first video stream is read, once.

    Args:
        address: Of the source.
        live: Whether frames come as time passes, where the address does not say: a stream of the network does
            if it has no length.

    Attributes:
        name: For messages.
        live: Whether it is.
        time_base: Seconds that its times are multiples of.
        rate: Frames a second, on average where they vary.
        pixel_aspect: Width of a pixel by its height, of the frames as stored.
        seconds: Its length, where it says.

    Raises:
        DataError: There is no such file, camera or stream; it is no video, has no video stream, or its frames
            are larger than `MAX_FRAME_PIXELS`.
        BackendError: PyAV is not installed.
    """

    def __init__(self, address: Address, *, live: bool | None = None) -> None:
        self._av = load_av()
        self.name = address.name
        self._container = self._open(address)
        try:
            self._stream = self._first_stream()
        except DataError:
            self._container.close()
            raise
        container, stream = self._container, self._stream
        self.seconds = None if container.duration is None else Fraction(container.duration, 1_000_000)
        told = live if live is not None else address.live
        self.live = told if told is not None else self.seconds is None
        self.time_base = stream.time_base or Fraction(1, 90_000)
        self.rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
        self.pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
        # Threads that decode one frame each need that many frames more, and come as much later.
        stream.thread_type = "SLICE" if self.live else "AUTO"
        stream.thread_count = _THREADS
        stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}

    @property
    def frames(self) -> int | None:
        """How many frames there should be, for progress."""
        if self._stream.frames > 0:
            return self._stream.frames
        return None if self.seconds is None or self.live else round(self.seconds * self.rate)

    def decoded(self, start: float = 0.0) -> Generator[tuple[VideoFrame, Fraction], None, None]:
        """Frames as FFmpeg has them, with their times in seconds since the video's begin; closes the source.

        Args:
            start: Seconds that are passed over.

        Raises:
            DataError: After the last frame: the video ended early, or some of it could not be decoded.
        """
        damage = Damage(self.name, self.seconds, self.rate)
        try:
            begin = (self._stream.start_time or 0) * self.time_base
            if start > 0:
                self._seek(start + float(begin))
            first, time, given = exact(start), Fraction(0), 0
            for frame in self._frames(damage):
                time = time + 1 / self.rate if frame.pts is None else frame.pts * self.time_base - begin
                if time >= first:
                    given += 1
                    yield frame, time
            if not self.live:
                damage.tell()
            elif damage.broken:
                raise DataError(
                    f"{self.name}: the stream broke off ({damage.broken}); see that its source runs"
                )
            if not given:
                raise DataError(
                    f"{self.name}: there is no frame in it" + (f" after second {start:g}" if start else "")
                )
        finally:
            self._container.close()

    def _frames(self, damage: Damage) -> Generator[VideoFrame, None, None]:
        """What can be decoded."""
        errors = self._av.error.FFmpegError
        # The other streams are taken apart too, not decoded: where the last of them ends tells whether the
        # file ended early.
        wanted = (self._stream,) if self.live else ()
        begin = Fraction(self._container.start_time or 0, 1_000_000)
        # It may begin and end anywhere, so that what comes before its first key frame is no loss.
        broadcast, seen = self._container.format.name == "mpegts", False
        packets = self._container.demux(*wanted)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except errors as error:
                damage.broken = reason(error)
                return
            if packet.pts is not None and packet.time_base is not None:
                damage.end = max(damage.end, (packet.pts + (packet.duration or 0)) * packet.time_base - begin)
            part = packet.is_corrupt and not broadcast
            damage.cut |= part
            # A part is no frame, and with threads its error would take whole frames along.
            if part or packet.stream_index != self._stream.index:
                continue
            try:
                decoded = packet.decode()
            except errors as error:
                damage.lost += 1
                damage.said = reason(error)
                continue
            for frame in decoded:
                if broadcast and not seen:
                    damage.lost = 0
                seen = True
                damage.torn += frame.is_corrupt
                yield frame

    def _seek(self, seconds: float) -> None:
        """To the key frame before that time; where the source cannot, it is read from its begin."""
        try:
            self._container.seek(int(seconds / self.time_base), stream=self._stream)
        except self._av.error.FFmpegError:
            return

    def _open(self, address: Address) -> Any:
        av, name, path = self._av, address.name, address.path
        if path is not None and not path.exists():
            raise DataError(f"{name}: there is no such file; check the path")
        if path is not None and path.is_dir():
            raise DataError(f"{name}: a video file was expected, but this is a folder")
        timeout = address.timeout
        try:
            return av.open(
                address.url, "r", format=address.format, container_options=address.options, timeout=timeout
            )
        except av.error.InvalidDataError as error:
            raise DataError(
                f"{name}: this is no video that can be read, or its end, with the index, is missing; "
                "copy it again, convert it to MP4 or Matroska, or remove it"
            ) from error
        except (av.error.FFmpegError, ValueError, OSError) as error:
            if path is not None and isinstance(error, av.error.ArgumentError):
                raise DataError(
                    f"{name}: this kind of file is not read as a video (a playlist, a picture, or sound?); "
                    "convert it to MP4 or Matroska"
                ) from error
            look = "its permissions" if path is not None else "that it is there and no other program has it"
            raise DataError(f"{name}: cannot be opened ({reason(error)}); check {look}") from error

    def _first_stream(self) -> Any:
        found = [s for s in self._container.streams.video if not int(s.disposition) & _COVER]
        if not found:
            raise DataError(f"{self.name}: there is no video stream in it (sound alone?)")
        stream = found[0]
        if stream.codec_context is None:
            raise DataError(f"{self.name}: its codec is not known to this FFmpeg; convert it to H.264")
        if stream.width * stream.height > MAX_FRAME_PIXELS:
            raise DataError(
                f"{self.name}: frames of {stream.width}x{stream.height} pixels are more than the limit of "
                f"{MAX_FRAME_PIXELS:,}; shrink the video"
            )
        return stream


def exact(seconds: float) -> Fraction:
    """Seconds as people write them: 0.4 is 2/5, which as a float is a little more."""
    return Fraction(seconds).limit_denominator(1_000_000)


def pictures(
    decoded: Iterable[tuple[VideoFrame, Fraction]], pixel_aspect: Fraction
) -> Generator[Frame, None, None]:
    """What `Video.decoded` gave, as pictures.

    Args:
        decoded: Frames with their times.
        pixel_aspect: Of the frames as stored.
    """
    reformatter = load_av().video.reformatter.VideoReformatter()
    for frame, time in decoded:
        turn = display_matrix(frame)
        aspect = 1 / pixel_aspect if sideways(turn) else pixel_aspect
        yield Frame(turned(picture(frame, reformatter), turn), time, aspect)


def frames(source: str | Path, *, start: float = 0.0) -> Generator[Frame, None, None]:
    """Every frame of a video file, or of a camera or stream until the consumer has enough.

    Args:
        source: As `find_source` takes it.
        start: Seconds to pass over.

    Raises:
        DataError: As `Video` does; and after the last frame that could be decoded, where the video ends early
            or is damaged.
        BackendError: PyAV is not installed.
    """
    video = Video(find_source(source, cameras=camera_names))
    decoded = video.decoded(start)
    try:
        yield from pictures(decoded, video.pixel_aspect)
    finally:
        decoded.close()
