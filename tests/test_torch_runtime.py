"""Which precision is chosen, and that the allocator's setting is made in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pixelwise import torch_runtime

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("flags", "dtype", "word"),
    [
        ("fpu avx2 avx512f", torch.float32, "neither"),
        ("fpu avx2 avx512_bf16", torch.bfloat16, "avx512_bf16"),
        ("amx_bf16 avx512_bf16", torch.bfloat16, "amx_bf16"),
        ("", torch.float32, "neither"),
    ],
)
def test_precision_on_the_processor(
    monkeypatch: pytest.MonkeyPatch, flags: str, dtype: torch.dtype, word: str
) -> None:
    monkeypatch.setattr(torch_runtime, "_processor_flags", lambda: frozenset(flags.split()))
    chosen, reason = torch_runtime.choose_precision(CPU)
    assert chosen == dtype
    assert word in reason


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((6, 1), torch.float32), ((7, 5), torch.float16), ((8, 0), torch.bfloat16)],
)
def test_precision_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], dtype: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Some GPU")
    chosen, reason = torch_runtime.choose_precision(torch.device("cuda"))
    assert chosen == dtype
    assert "Some GPU" in reason


def test_flags_are_read_from_the_first_processor(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text("model name\t: x\nflags\t\t: fpu avx2\n\nflags\t\t: other\n")
    assert torch_runtime._processor_flags(tmp_path / "cpuinfo") == {"fpu", "avx2"}
    assert torch_runtime._processor_flags(tmp_path / "absent") == frozenset()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt is glibc's")
def test_allocator_is_told_and_torch_is_not_imported_for_it() -> None:
    # In its own process: the setting lasts as long as the process does.
    code = (
        "import sys; from pixelwise.torch_runtime import keep_large_blocks; "
        "print(keep_large_blocks(), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "keeps large blocks" in done.stdout
    assert done.stdout.split()[-1] == "False"


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert "left as it is" in torch_runtime.keep_large_blocks()
