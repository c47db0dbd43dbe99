"""Fetches a data set's official archives: resumable, checked, with a mirror to fall back to.

Knows how, not what: the data sets stand in `sources`, what is in an archive is `archive`'s business.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.archive import unpack
from pixelwise.data.sources import SOURCES, Archive, Source
from pixelwise.errors import ConfigError, DataError
from pixelwise.fetch import fetch
from pixelwise.progress import Progress


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
    left = [archive for archive in source.archives if not _is_unpacked(archive, root)]
    try:
        root.mkdir(parents=True, exist_ok=True)
        _check_room(left, root)
        for archive in left:
            servers = (base_url,) if base_url is not None else archive.servers or source.servers
            path = _fetch(archive, servers, root, progress, pause)
            _unpack(archive, path, root, progress)
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


def _unpack(archive: Archive, path: Path, root: Path, progress: Progress | None) -> None:
    target = root / archive.into
    target.mkdir(parents=True, exist_ok=True)
    unpack(path, target, limit=archive.unpacked, progress=progress)
    for name in archive.inner:
        packed = root / name
        if packed.is_file():
            unpack(packed, packed.parent, limit=archive.unpacked, progress=progress)
            packed.unlink()


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
        for path in (root / archive.file, root / f"{archive.file}.part")
        if path.is_file()
    )
    needed = 2 * sum(archive.size or 0 for archive in archives) - there
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
    path, part = root / archive.file, root / f"{archive.file}.part"
    if path.is_file() and (archive.sha256 or archive.md5) and archive.wanted.is_right(path):
        return path
    reasons: list[str] = []
    for server in servers:
        url = server.rstrip("/") + "/" + archive.name
        reason = fetch(url, part, archive.wanted, progress=progress, pause=pause)
        if reason is None:
            part.replace(path)
            return path
        reasons.append(f"{url}: {reason}")
    kept = f"; {part.stat().st_size:,} bytes are kept in {part}" if part.is_file() else ""
    raise DataError(
        f"{archive.file} could not be downloaded ({'; '.join(reasons)}){kept}; check the connection and "
        "run the same command again"
    )
