"""Fetches a data set's official archives: resumable, checked, with a mirror to fall back to.

Knows URLs, sizes and checksums; what is in an archive is `archive`'s business, what it means that of a
reader.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pixelwise.data.archive import unpack
from pixelwise.errors import ConfigError, DataError
from pixelwise.fetch import Wanted, fetch, sha256_of
from pixelwise.progress import Progress


@dataclass(frozen=True)
class Archive:
    """One file of a data set.

    Attributes:
        name: Its name on every server.
        size: Bytes.
        sha256: Of its bytes, in lower-case hexadecimal.
        unpacked: At most so many bytes come out of it; a bomb says more.
        members: Paths that are there once it is unpacked, and at least how many files under each.
    """

    name: str
    size: int
    sha256: str
    unpacked: int
    members: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Source:
    """A data set's archives and the servers that have them, the official one first."""

    servers: tuple[str, ...]
    archives: tuple[Archive, ...]
    licence: str


SOURCES: dict[str, Source] = {
    "oxford-pets": Source(
        servers=(
            "https://www.robots.ox.ac.uk/~vgg/data/pets/data/",
            "https://thor.robots.ox.ac.uk/datasets/pets/",
        ),
        archives=(
            Archive(
                "images.tar.gz",
                791_918_971,
                "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
                2 << 30,
                (("images", 7390),),
            ),
            Archive(
                "annotations.tar.gz",
                19_173_078,
                "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
                1 << 30,
                (("annotations/trimaps", 7390), ("annotations/trainval.txt", 1), ("annotations/test.txt", 1)),
            ),
        ),
        licence="CC BY-SA 4.0",
    ),
}


def download(
    name: str,
    target: Path | str,
    *,
    base_url: str | None = None,
    progress: Progress | None = None,
    sources: dict[str, Source] | None = None,
    pause: float = 2.0,
) -> Path:
    """Downloads, checks and unpacks a data set; does only what is left to do.

    A broken download leaves `NAME.part`, and the next call goes on there. Archives are removed once
    unpacked.

    Args:
        name: A key of `SOURCES`, e.g. `oxford-pets`.
        target: The folder for the unpacked data set.
        base_url: Another server to ask instead, for a mirror of one's own.
        progress: Told of the bytes that have come.
        sources: What `name` is looked up in; `SOURCES` if not given.
        pause: Seconds before the second try of a server; twice as long before each further one.

    Returns:
        The folder.

    Raises:
        ConfigError: No such data set.
        DataError: No server gave the right bytes, the disk is too small, or the folder cannot be written.
    """
    known = SOURCES if sources is None else sources
    if name not in known:
        raise ConfigError(f"there is no data set {name!r} to download; there are {', '.join(sorted(known))}")
    source, root = known[name], Path(target).expanduser()
    servers = source.servers if base_url is None else (base_url,)
    left = [archive for archive in source.archives if not _is_unpacked(archive, root)]
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_room(left, root)
        for archive in left:
            path = _fetch(archive, servers, root, progress, pause)
            unpack(path, root, limit=archive.unpacked, progress=progress)
            if not _is_unpacked(archive, root):
                raise DataError(
                    f"{path}: the archive lacks files that it should hold; remove it and try again"
                )
            path.unlink()
    except OSError as error:
        raise DataError(
            f"{root}: cannot be written ({error.strerror or error}); make room or choose another folder, "
            "then run the same command again"
        ) from error
    return root


def _is_unpacked(archive: Archive, root: Path) -> bool:
    for member, count in archive.members:
        path = root / member
        found = (
            sum(1 for p in path.iterdir() if not p.name.startswith(".")) if path.is_dir() else path.is_file()
        )
        if found < count:
            return False
    return True


def _check_room(archives: Sequence[Archive], root: Path) -> None:
    """The archives and what comes out of them, less what is there of a download that broke off."""
    there = sum(
        path.stat().st_size
        for archive in archives
        for path in (root / archive.name, root / f"{archive.name}.part")
        if path.is_file()
    )
    needed = 2 * sum(archive.size for archive in archives) - there
    free = shutil.disk_usage(root).free
    if archives and free < needed:
        raise DataError(
            f"{root}: {needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free; make room, or "
            "choose another disk"
        )


def _fetch(
    archive: Archive, servers: Sequence[str], root: Path, progress: Progress | None, pause: float
) -> Path:
    """The archive with the right checksum, from the first server that gives it."""
    path, part = root / archive.name, root / f"{archive.name}.part"
    if path.is_file() and sha256_of(path) == archive.sha256:
        return path
    wanted = Wanted(archive.name, archive.size, archive.sha256)
    reasons: list[str] = []
    for server in servers:
        url = server.rstrip("/") + "/" + archive.name
        reason = fetch(url, part, wanted, progress=progress, pause=pause)
        if reason is None:
            part.replace(path)
            return path
        reasons.append(f"{url}: {reason}")
    kept = f"; {part.stat().st_size:,} bytes are kept in {part}" if part.is_file() else ""
    raise DataError(
        f"{archive.name} could not be downloaded ({'; '.join(reasons)}){kept}; check the connection and "
        "run the same command again"
    )
