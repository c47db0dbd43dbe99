"""The size of any picture is known before it is decoded, without rasterio."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from pixelwise.data.raster import header_size, is_giant
from pixelwise.data.raster.tiff import Dialect, NoTiffError, read_directory, write_directory
from pixelwise.errors import DataError


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_pillow_s_header_and_that_of_a_tiff_which_pillow_does_not_know(tmp_path):
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(tmp_path / "a.png")
    assert header_size(tmp_path / "a.png") == (5, 7)
    for big in (False, True):
        dialect = Dialect("<", big)
        # Five bands of 16 bits, which Pillow takes for no picture at all.
        tags = {
            tag: (4, 1, struct.pack("<I", value))
            for tag, value in ((256, 40_000), (257, 30_000), (258, 16), (262, 1), (277, 5))
        }
        first = 16 if big else 8
        head = (
            struct.pack("<2sHHHQ", b"II", 43, 8, 0, first) if big else struct.pack("<2sHI", b"II", 42, first)
        )
        path = tmp_path / f"{big}.tif"
        path.write_bytes(head + write_directory(tags, dialect, 0))
        assert header_size(path) == (30_000, 40_000)
        assert is_giant(path)
        assert not is_giant(path, max_pixels=30_000 * 40_000)
    assert not is_giant(tmp_path / "a.png")
    (tmp_path / "no.tif").write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(DataError, match=r"no\.tif"):
        header_size(tmp_path / "no.tif")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_directory_is_read_as_it_was_written(order, big):
    dialect = Dialect(order, big)
    mark = b"II" if order == "<" else b"MM"
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8))
    tags = {
        274: (3, 1, struct.pack(order + "H", 6)),
        256: (4, 1, struct.pack(order + "I", 70_000)),
        324: (4, 9, struct.pack(dialect.offset, 5)),
    }
    content = head + write_directory(tags, dialect, 1234)
    file = io.BytesIO(content)
    directory = read_directory(file)
    assert directory.dialect == dialect
    assert [directory.number(file, tag) for tag in (256, 274, 324, 257)] == [70_000, 6, None, None]
    assert (directory.entries[324].count, directory.entries[324].at) == (9, 5)
    assert content[directory.next_at :] == struct.pack(dialect.offset, 1234)
    for length in range(len(content) - struct.calcsize(dialect.offset)):
        with pytest.raises(NoTiffError):
            read_directory(io.BytesIO(content[:length]))


def test_a_hostile_directory_is_not_believed():
    with pytest.raises(NoTiffError, match="claims to have"):
        read_directory(io.BytesIO(struct.pack("<2sHHHQQ", b"II", 43, 8, 0, 16, 1 << 60)))
    with pytest.raises(NoTiffError, match="points to byte"):
        read_directory(io.BytesIO(struct.pack("<2sHHHQ", b"II", 43, 8, 0, (1 << 64) - 1)))
