"""How much memory this process may still take, and who says so. Knows no network; never imports torch.

Containers are the reason for more than one source: inside them /proc/meminfo shows the whole machine, and
the limit stands in a control group (cgroup, version 1 or 2), where the group's other processes count too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pixelwise.errors import ConfigError

GIB = 1 << 30


@dataclass(frozen=True)
class Memory:
    """Bytes that are free, and where that number comes from, in words."""

    free: int
    source: str


def free_memory(root: Path = Path("/")) -> Memory:
    """The least of what the system, the control group and the process's own limits leave.

    Args:
        root: Holds `proc` and `sys`; another one than `/` is for tests.

    Raises:
        ConfigError: The system tells none of them.
    """
    found = [*_system(root), *_cgroup(root), *_address_space()]
    if not found:
        raise ConfigError("this system does not say how much memory is free: give a number with --memory GIB")
    return min(found, key=lambda memory: memory.free)


def resident_peak(root: Path = Path("/")) -> int | None:
    """The most memory in bytes that this process has held so far; None where the system does not tell."""
    return _proc_number(root / "proc/self/status", "VmHWM:")


def _system(root: Path) -> Iterator[Memory]:
    free = _proc_number(root / "proc/meminfo", "MemAvailable:")
    if free is not None:
        yield Memory(free, "available on this machine")
    elif root == Path("/") and "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # macOS
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        yield Memory(total, "in this machine, which does not say how much of it is free")


def _cgroup(root: Path) -> Iterator[Memory]:
    """What each control group that holds this process leaves of its limit, up to the outermost."""
    for base, place, files in _groups(root):
        # Where the group's own path is not to be seen (a container without its own view), its root is ours.
        folder = base / place if (base / place).is_dir() else base
        for group in (folder, *folder.parents):
            if not group.is_relative_to(base):
                break
            limit, used = _number(group / files.limit), _number(group / files.usage)
            if limit is None:
                continue
            # Cached files count as used but make room when it is needed.
            cached = _proc_number(group / "memory.stat", files.cached, unit=1) or 0
            left = max(0, limit - max(0, (used or 0) - cached))
            yield Memory(left, f"left of the control group's limit of {gib(limit)}")


@dataclass(frozen=True)
class _Files:
    """Names in a version of control groups."""

    limit: str
    usage: str
    cached: str


_V1 = _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Files("memory.max", "memory.current", "inactive_file")


def _groups(root: Path) -> Iterator[tuple[Path, str, _Files]]:
    """Mount, path below it, and file names of the groups in `/proc/self/cgroup`."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        place = path.strip("/")
        if ".." in Path(place).parts:  # a group outside of the container's view
            place = ""
        if number == "0" and not controllers:
            yield root / "sys/fs/cgroup", place, _V2
        elif "memory" in controllers.split(","):
            yield root / "sys/fs/cgroup/memory", place, _V1


def _address_space() -> Iterator[Memory]:
    if sys.platform == "win32":
        return
    import resource

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        yield Memory(limit, "by the limit on this process's addresses (ulimit -v)")


def _proc_number(path: Path, name: str, *, unit: int = 1024) -> int | None:
    """The number behind a name in a file of `name number` lines, times its unit."""
    for line in _text(path).splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == name and words[1].isdigit():
            return int(words[1]) * unit
    return None


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no file, or it says `max`.

    Version 1 has no such word and writes a number near 2**63, which is never the least.
    """
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def gib(number: float) -> str:
    """`3221225472` as `3.0 GiB`; two digits below 2, where they decide."""
    return f"{number / GIB:.{1 if number >= 2 * GIB else 2}f} GiB"
