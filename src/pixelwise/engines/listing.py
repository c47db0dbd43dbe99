"""Pictures of a source, chunk after chunk, without holding all their names.

Held are the names of one folder, and those of the folders above it that are still to come; of a list, one
line. Their order is the same each time, and of a folder the results' names are those of one process.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from pixelwise.address import scheme_of
from pixelwise.data.io import PICTURE_ENDINGS
from pixelwise.engines.store import Store, bring, open_store
from pixelwise.errors import ConfigError, DataError

LIST_ENDING = ".txt"

LONGEST_PART = 150
"""Characters of a part of a name that comes from a URL; a file system takes 255 bytes."""

_LONGEST_LINE = 1 << 14
_ODD = {code: f"%{code:02X}" for code in (*range(32), 127, ord("\\"))}


@dataclass(frozen=True)
class Item:
    """A picture of a source.

    Attributes:
        address: Its path or URL.
        name: What its results are called, without an ending; may have folders, with `/`.
        stamp: What changes when its bytes do, where its store says so.
    """

    address: str
    name: str
    stamp: str = ""


def check_source(source: str) -> None:
    """Refuses what `find_items` cannot list, before a cluster is started for it.

    Raises:
        ConfigError: It is neither a folder nor a list.
        DataError: There is no such list or folder.
    """
    if source.endswith(LIST_ENDING):
        if not scheme_of(source) and not Path(source).is_file():
            raise DataError(f"{source}: no such list; it names a picture on each line, by path or URL")
        return
    store = open_store(source)
    if not scheme_of(source) and not Path(source).is_dir():
        raise ConfigError(
            f"{source}: with --engine ray the source is one folder, or a list (.txt) of paths or URLs, one a "
            "line"
        )
    next(store.entries(""), None)


def find_items(source: str) -> Iterator[Item]:
    """All pictures of a folder with its subfolders, or of a list.

    Raises:
        ConfigError: Its place cannot be listed.
        DataError: It cannot be read, or two results would get the same name.
    """
    if source.endswith(LIST_ENDING):
        yield from _listed(source)
    else:
        yield from _below(open_store(source), "")


def chunks(source: str, size: int) -> Iterator[list[Item]]:
    """`find_items`, some at a time."""
    items = find_items(source)
    while chunk := list(islice(items, size)):
        yield chunk


def digest_of_chunk(chunk: list[Item]) -> str:
    """Names a chunk by what is in it: the same pictures give the same name."""
    content = json.dumps([(item.address, item.name, item.stamp) for item in chunk])
    return sha256(content.encode()).hexdigest()[:24]


def _below(store: Store, folder: str) -> Iterator[Item]:
    entries = sorted(
        (entry for entry in store.entries(folder) if not entry.name.startswith(".")),
        key=lambda entry: entry.name,
    )
    pictures = [
        entry.name
        for entry in entries
        if not entry.is_folder and PurePosixPath(entry.name).suffix.lower() in PICTURE_ENDINGS
    ]
    names = _names(store.address(folder), pictures)
    for entry in entries:
        path = f"{folder}/{entry.name}" if folder else entry.name
        if entry.is_folder:
            yield from _below(store, path)
        elif entry.name in names:
            name = f"{folder}/{names[entry.name]}" if folder else names[entry.name]
            yield Item(store.address(path), name.translate(_ODD), entry.stamp)


def _names(place: str, pictures: list[str]) -> dict[str, str]:
    """What the results of a folder's pictures are called: cat.jpg and cat.png keep their endings."""
    stems = Counter(PurePosixPath(picture).stem for picture in pictures)
    names = {
        picture: picture if stems[PurePosixPath(picture).stem] > 1 else PurePosixPath(picture).stem
        for picture in pictures
    }
    clash = [name for name, count in Counter(names.values()).items() if count > 1]
    if clash:
        raise DataError(
            f"the results of two pictures in {place} would overwrite each other: both would be called "
            f"{clash[0]}, so rename one"
        )
    return names


def _listed(source: str) -> Iterator[Item]:
    """A line is not compared with others, so each name is the whole address, with its ending."""
    with tempfile.TemporaryDirectory(prefix="pixelwise-list-") as folder:
        path, base = Path(source), Path(source).parent
        if scheme_of(source):
            path, base = Path(folder) / "list", None
            bring(source, path)
        try:
            with path.open(encoding="utf-8") as file:
                number = 0
                while line := file.readline(_LONGEST_LINE):
                    number += 1
                    if line.strip():
                        yield _of_line(line.strip(), f"line {number} of {source}", base)
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{source} cannot be read as a list in UTF-8: {error}") from error


def _of_line(line: str, where: str, base: Path | None) -> Item:
    """The picture of a line.

    Args:
        line: A path or URL.
        where: It stands, for messages.
        base: What a path is relative to; None where the list may name none, because it came from elsewhere.
    """
    scheme = scheme_of(line)
    if scheme and scheme != "file":
        rest = line.partition("://")[2]
        return Item(line, "/".join(_part(part) for part in (scheme, *rest.split("/")) if part))
    if base is None:
        raise DataError(
            f"{where} is a path of this machine ({line[:100]}): a list that comes from elsewhere names URLs"
        )
    path = line.removeprefix("file://")
    return Item(str(base / path), "/".join(_part(part) for part in Path(path).parts if part != "/"))


def _part(part: str) -> str:
    """A part of an address as a file's name: no two get the same, and none leads out of its folder."""
    safe = quote(part, safe=" +,=@&()!'")
    if set(safe) == {"."}:
        safe = safe.replace(".", "%2E")
    if len(safe) > LONGEST_PART:
        safe = f"{safe[:80]}-{sha256(part.encode()).hexdigest()[:32]}"
    return safe
