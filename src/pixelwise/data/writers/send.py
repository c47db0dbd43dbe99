"""Shards sent to an object store one by one, so that this disk holds one of each split at most.

Knows a store and the writer of shards. What is whole is read like any other set on a server.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from pixelwise.address import member_url, plain_url
from pixelwise.data.dataset import Dataset
from pixelwise.data.shards.index import INDEX_FILE
from pixelwise.data.shards.object_store import ObjectStore
from pixelwise.data.writers.shards import write_shards
from pixelwise.errors import ConfigError, DataError
from pixelwise.progress import Progress


def send_shards(
    dataset: Dataset, url: str, store: ObjectStore, *, limit: int, progress: Progress | None
) -> tuple[int, tuple[str, ...]]:
    """Writes shards below a URL, the index last: what has none is no set that anybody opens.

    Returns:
        The number of samples written, and notes.

    Raises:
        ConfigError: Something lies there already.
        DataError: A sample is at fault, or something cannot be written; what was sent is removed.
    """
    if not store.is_empty(url):
        raise ConfigError(f"{plain_url(url)} holds something already; choose a new folder")
    sent: list[str] = []

    def send(path: Path) -> None:
        sent.append(member_url(url, path.name))
        store.put(path, sent[-1])
        path.unlink()

    try:
        with tempfile.TemporaryDirectory(prefix="pixelwise-shards-") as folder:
            root = Path(folder)
            written = write_shards(dataset, root, limit=limit, progress=progress, on_tar=send)
            send(root / INDEX_FILE)
    except BaseException as error:
        for one in sent:
            with contextlib.suppress(DataError):
                store.remove(one)
        if isinstance(error, OSError):
            raise DataError(
                f"the folder for temporary files has no room ({error.strerror or error}): lower "
                "--shard-size, or set TMPDIR to a larger disk"
            ) from error
        raise
    return written


__all__ = ["send_shards"]
