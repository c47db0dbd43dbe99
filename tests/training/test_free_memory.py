"""Free memory: read from files as the kernel writes them, the least of what each source leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from pixelwise.errors import ConfigError
from pixelwise.training.clock import processor_times
from pixelwise.training.machine import free_memory, gib, resident_peak

GIB = 1 << 30


def machine(
    root: Path, *, available_gib: int = 16, cgroup: str = "", files: dict[str, str] | None = None
) -> Path:
    """A `/` with MemAvailable, /proc/self/cgroup and files under /sys/fs/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    kilobytes = available_gib * GIB // 1024
    (root / "proc/meminfo").write_text(f"MemTotal: 99999999 kB\nMemAvailable:   {kilobytes} kB\n")
    (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in (files or {}).items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_group_the_system_decides(tmp_path: Path) -> None:
    found = free_memory(machine(tmp_path))
    assert found.free == 16 * GIB
    assert found.source == "available on this machine"


@pytest.mark.parametrize(
    ("cgroup", "files", "left_gib"),
    [
        # Version 2: limit 8, used 3, of which 1 is cache that gives way.
        (
            "0::/box\n",
            {
                "box/memory.max": f"{8 * GIB}\n",
                "box/memory.current": f"{3 * GIB}\n",
                "box/memory.stat": f"anon 5\ninactive_file {GIB}\n",
            },
            6,
        ),
        ("0::/box\n", {"box/memory.max": "max\n", "box/memory.current": f"{3 * GIB}\n"}, 16),
        # The limit of a group further out counts as well.
        (
            "0::/outer/box\n",
            {
                "outer/box/memory.max": "max\n",
                "outer/memory.max": f"{4 * GIB}\n",
                "outer/memory.current": f"{GIB}\n",
            },
            3,
        ),
        # A container that does not see its own path finds its files at the root; so does one above its view.
        ("0::/docker/abc\n", {"memory.max": f"{2 * GIB}\n", "memory.current": "0\n"}, 2),
        ("0::/../../box\n", {"memory.max": f"{2 * GIB}\n"}, 2),
        # Version 1, with other controllers; its "no limit" is a number near 2**63.
        (
            "5:cpu,cpuacct:/x\n4:memory:/box\n",
            {
                "memory/box/memory.limit_in_bytes": f"{8 * GIB}\n",
                "memory/box/memory.usage_in_bytes": f"{3 * GIB}\n",
                "memory/box/memory.stat": f"inactive_file 7\ntotal_inactive_file {GIB}\n",
            },
            6,
        ),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 16),
        # More used than allowed, as after a limit was lowered.
        ("0::/\n", {"memory.max": f"{GIB}\n", "memory.current": f"{2 * GIB}\n"}, 0),
    ],
)
def test_control_groups(tmp_path: Path, cgroup: str, files: dict[str, str], left_gib: int) -> None:
    found = free_memory(machine(tmp_path, cgroup=cgroup, files=files))
    assert found.free == left_gib * GIB
    assert ("control group" in found.source) == (left_gib != 16)


def test_a_system_that_says_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--memory GIB"):
        free_memory(tmp_path)


def test_this_system_says_something() -> None:
    assert free_memory().free > 0
    peak = resident_peak()
    assert peak is None or peak > 1 << 20
    assert (gib(2.54 * GIB), gib(1.54 * GIB)) == ("2.5 GiB", "1.54 GiB")


def test_threads_that_ran_and_waited(tmp_path: Path) -> None:
    for number, text in enumerate(("100 30 5", "50 20 1")):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "schedstat").write_text(text + "\n")
    assert processor_times(tmp_path) == (150, 50)
    assert processor_times(tmp_path / "none") == (0, 0)
