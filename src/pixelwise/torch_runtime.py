"""Settings of the whole process and of the hardware that training and prediction profit from.

They belong to whoever owns the process, so the command line calls them and importing pixelwise never does.
Knows no network. Torch is imported where it is needed only: the allocator must be told before torch allocates
anything.
"""

from __future__ import annotations

import ctypes
import logging
import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_large_blocks() -> str:
    """Makes glibc's allocator keep freed blocks instead of handing them back to the kernel.

    A training step allocates and frees hundreds of blocks of many MiB. By default each is mapped anew, and
    the kernel zeroes its pages again at first touch; kept blocks are reused as they are. `M_MMAP_THRESHOLD`
    would not do, because glibc caps it at 32 MiB, so mapping is forbidden altogether. The price: memory is
    given back when the process ends.

    Returns:
        What was done, in words, for the log.
    """
    library, version = platform.libc_ver()
    if library != "glibc":
        return "the allocator is left as it is: it is not glibc's"
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return "the allocator is left as it is: it has no mallopt"
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    done = (
        mallopt(_M_MMAP_MAX, 0),  # large blocks come from the heap too,
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1),  # whose free end is not given back,
        mallopt(_M_TOP_PAD, 64 << 20),  # and which grows in steps of 64 MiB.
    )
    if not all(done):
        return f"glibc {version} refused to keep large blocks"
    return f"glibc {version} keeps large blocks (mallopt)"


def choose_precision(device: torch.device) -> tuple[torch.dtype, str]:
    """The type to compute in under autocast, and why.

    bfloat16 only where the hardware multiplies it: elsewhere it is emulated, and slower than float32. GPUs
    before it that have tensor cores take float16.

    Returns:
        `torch.bfloat16`, `torch.float16` or `torch.float32`, and the reason, for the log.
    """
    import torch

    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        name = torch.cuda.get_device_name(device)
        known = f"{name} (compute capability {major}.{minor})"
        if major >= 8:
            return torch.bfloat16, f"bfloat16: {known} computes it"
        if major == 7:
            return torch.float16, f"float16: {known} has tensor cores for it, and none for bfloat16"
        return torch.float32, f"float32: {known} has no tensor cores"
    if device.type != "cpu":
        return torch.float32, f"float32: bfloat16 is not tried on {device.type}"
    found = [flag for flag in ("amx_bf16", "avx512_bf16") if flag in _processor_flags()]
    if found:
        return torch.bfloat16, f"bfloat16: the processor computes it ({found[0]})"
    return torch.float32, "float32: the processor has neither amx_bf16 nor avx512_bf16"


def _processor_flags(path: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Feature flags of the first processor; empty where the system does not tell."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())
