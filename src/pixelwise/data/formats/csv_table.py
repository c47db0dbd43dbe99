"""Reader `csv`: a table with a picture and a mask in each row, and perhaps the split.

    image,mask,split
    photos/a.jpg,masks/a.png,train

Paths are relative to the table's folder; absolute ones must lie in the data set's. Knows which table is
meant; `table_rows` reads it, and what classes the masks hold is found out in `found_classes`, as for the
reader `folder`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pixelwise.config import DataConfig
from pixelwise.data.entries import Entries
from pixelwise.data.formats.table_rows import Row, has_columns, pairs_files, read_table
from pixelwise.data.found_classes import decide_classes
from pixelwise.data.inside import is_file, within
from pixelwise.data.listing import LEAVE_OUT, subfolders
from pixelwise.data.mendable import SKIP_UNPAIRED, MendableError
from pixelwise.data.reader import LabelledPictures
from pixelwise.errors import ConfigError, DataError

FORMAT = "csv"
_FIRST = 16


def recognises(root: Path) -> bool:
    """Whether a .csv right in the folder has a picture and a mask column, and masks that are files."""
    subfolders(root)
    return any(pairs_files(path) for path in _tables(root))


def open_csv(root: Path, config: DataConfig) -> LabelledPictures:
    """Reads the table and finds the classes.

    Raises:
        DataError: There is no such table, a row is wrong, files are missing, or the masks don't say
            what they hold.
        ConfigError: A class list or mapping that cannot be, or `--annotations` names no file.
    """
    subfolders(root)
    path = _table(root, config)
    columns, found = read_table(path, root)
    listed = sorted(found, key=lambda row: row.picture)
    entries = Entries(root)
    rows, left_out = _there(path, root, listed, entries, skip_unpaired=config.skip_unpaired)
    splits: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        entries.add(row.picture.rpartition(".")[0], row.picture, row.mask)
        if row.split:
            splits.setdefault(row.split, []).append(place)
    classes, table, said = decide_classes(root, entries, config)
    notes = (
        f"format csv: {len(rows):,} pictures in the columns {', '.join(columns.names)} of {path.name}",
        *left_out,
        *_split_notes(splits, len(rows)),
        *said,
    )
    own = {name: tuple(places) for name, places in splits.items()}
    return LabelledPictures(FORMAT, root, classes, table, entries, own, notes)


def _tables(root: Path) -> list[Path]:
    """The first .csv files right in the folder."""
    try:
        found = sorted(path for path in root.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    except OSError:
        return []
    return [path for path in found if not path.name.startswith(".")][:_FIRST]


def _table(root: Path, config: DataConfig) -> Path:
    if config.annotations:
        inner = within("", config.annotations, root=root)
        if inner is None or not is_file(root / inner):
            raise ConfigError(f"--annotations {config.annotations}: there is no such file in {root}")
        return root / inner
    found = [path for path in _tables(root) if has_columns(path)]
    found = [path for path in found if pairs_files(path)] or found
    if len(found) == 1:
        return found[0]
    if not found:
        raise DataError(
            f"{root}: format csv needs a table whose first line names columns image and mask, but there is "
            "none; add one, or name it with --annotations FILE"
        )
    listed = ", ".join(path.name for path in found[:4])
    raise MendableError(
        f"{root}: {listed} could each be the table; say which with --annotations {found[0].name}",
        {"annotations": found[0].name},
    )


def _there(
    path: Path, root: Path, rows: Sequence[Row], entries: Entries, *, skip_unpaired: bool
) -> tuple[list[Row], tuple[str, ...]]:
    """The rows whose files are there, and a note about the others, which become `entries.unpaired`."""
    kept: list[Row] = []
    missing: list[tuple[int, str]] = []
    for row in rows:
        picture, mask = is_file(root / row.picture), is_file(root / row.mask)
        missing += [] if picture else [(row.line, row.picture)]
        missing += [] if mask else [(row.line, row.mask)]
        if picture and mask:
            kept.append(row)
        elif picture:
            entries.unpaired.pictures.append(row.picture)
        else:
            entries.unpaired.labels.append(row.mask if mask else row.picture)
    if not missing:
        return kept, ()
    first = ", ".join(f"{name} (line {line})" for line, name in sorted(missing)[:3])
    more = ", …" if len(missing) > 3 else ""
    if kept and skip_unpaired:
        note = f"{len(rows) - len(kept):,} rows are left out, as files of theirs are not there: {first}{more}"
        return kept, (note,)
    text = (
        f"{path}: {len(missing):,} files of its {len(rows):,} rows are not there: {first}{more}; paths "
        "are relative to the table: add the files, or remove the rows"
    )
    raise MendableError(f"{text}{LEAVE_OUT}", SKIP_UNPAIRED) if kept else DataError(text)


def _split_notes(splits: Mapping[str, Sequence[int]], count: int) -> Iterator[str]:
    without = count - sum(map(len, splits.values()))
    if splits and without:
        yield f"{without:,} rows name no split"
