"""What earlier runs of a job did of a picture, and whether it is still there. Knows no network."""

from __future__ import annotations

from pixelwise.engines.parts import Done, Index, Parts
from pixelwise.engines.store import LocalStore, Store
from pixelwise.inference.manifest import has_results


class Earlier:
    """Asked from several threads.

    Attributes:
        identity: What the job is, as a text.

    Args:
        store: Where the results are.
        parts: Where they are written down.
        index: Which part has which picture.
    """

    def __init__(self, store: Store, parts: Parts, index: Index) -> None:
        self._store, self._parts, self._index = store, parts, index
        self.identity = parts.identity

    def done(self, address: str) -> Done | None:
        """What was written down of a picture."""
        name = self._index.part_of(address)
        return self._parts.done_in(name).get(address) if name is not None else None

    def has_results(self, done: Done) -> bool:
        """Whether they lie there: locally byte for byte, in an object store by their sizes."""
        if isinstance(self._store, LocalStore):
            return has_results(done.record, self._store.folder)
        return all(self._store.size(path) == done.sizes.get(kind) for kind, path in done.record.files.items())
