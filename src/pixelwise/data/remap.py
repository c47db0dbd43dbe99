"""`--classes`, `--merge`, `--ignore` and `--binary`: other classes out of those that a data set has.

Knows class names and the table of raw values, and no format: what a raw value means is looked up in one
table, so changing the table changes what every reader gives.

In this order: `--classes` keeps the named classes, in the order given, and ignores the others; `--ignore`
takes classes out; `--merge` makes one class of several; `--binary` leaves one class and the rest.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pixelwise.config import DataConfig
from pixelwise.data.mapping import LabelTable
from pixelwise.data.reader import LabelledPictures
from pixelwise.drawing import IGNORE, Colour
from pixelwise.errors import ConfigError
from pixelwise.types import Classes

_REST = "background"
_REST_COLOUR: Colour = (0, 0, 0)


@dataclass(frozen=True)
class _State:
    """Classes so far, and what each class of the data set became: one of them, or 255."""

    classes: Classes
    targets: tuple[int, ...]


def remap(reader: LabelledPictures, config: DataConfig) -> LabelledPictures:
    """The reader with the classes that the configuration asks for; its notes say what became of the others.

    Raises:
        ConfigError: A name is no class of the data set, stands twice, or no class would be left.
    """
    state = _State(reader.classes, tuple(range(len(reader.classes))))
    notes: list[str] = []
    for given, change in _steps(config):
        if given:
            state, note = change(state)
            notes += [note] if note else []
    if state.targets == tuple(range(len(reader.classes))) and state.classes == reader.classes:
        return reader
    return dataclasses.replace(
        reader,
        classes=state.classes,
        table=_retarget(reader.table, state),
        notes=(*reader.notes, *notes),
    )


def _steps(config: DataConfig) -> list[tuple[bool, Callable[[_State], tuple[_State, str]]]]:
    return [
        (bool(config.classes), lambda state: _select(state, config.classes)),
        (bool(config.ignore), lambda state: _ignore(state, config.ignore)),
        *((True, _merging(text)) for text in config.merge),
        (bool(config.binary), lambda state: _binary(state, config.binary)),
    ]


def _select(state: _State, names: Sequence[str]) -> tuple[_State, str]:
    kept = _numbers(state, names, "--classes")
    if kept == list(range(len(state.classes))):
        return state, ""
    left = [name for i, name in enumerate(state.classes.names) if i not in kept]
    note = f"{len(kept)} classes as --classes names them"
    return _state(state, [[i] for i in kept]), f"{note}; ignored: {_some(left)}" if left else note


def _ignore(state: _State, names: Sequence[str]) -> tuple[_State, str]:
    out = _numbers(state, names, "--ignore")
    kept = [[i] for i in range(len(state.classes)) if i not in out]
    return _state(state, kept, flag="--ignore"), f"ignored: {_some(names)}"


def _merging(text: str) -> Callable[[_State], tuple[_State, str]]:
    def change(state: _State) -> tuple[_State, str]:
        members, equals, target = text.rpartition("=")
        names = [name.strip() for name in members.split(",")]
        target = target.strip()
        if not equals or not target or not all(names):
            raise ConfigError(f"--merge takes NAME,NAME=NEW, for example pole,sign=post, but got {text!r}")
        wanted = _numbers(state, names, "--merge")
        if target in state.classes.names:
            wanted = list(dict.fromkeys([*wanted, state.classes.names.index(target)]))
        first = min(wanted)
        groups = [
            wanted if i == first else [i] for i in range(len(state.classes)) if i == first or i not in wanted
        ]
        merged = _state(state, groups)
        place = groups.index(wanted)
        renamed = tuple(target if i == place else name for i, name in enumerate(merged.classes.names))
        classes = Classes(renamed, merged.classes.colours)
        return _State(classes, merged.targets), f"{', '.join(names)} {_are(names)} {target}"

    return change


def _binary(state: _State, name: str) -> tuple[_State, str]:
    chosen = _numbers(state, [name], "--binary")[0]
    if len(state.classes) < 2:
        raise ConfigError(f"--binary {name}: there is no other class to tell it from")
    rest = _REST if name != _REST else "other"
    targets = tuple(IGNORE if t == IGNORE else int(t == chosen) for t in state.targets)
    colour = state.classes.colours[chosen]
    other = _REST_COLOUR if colour != _REST_COLOUR else (255, 255, 255)
    classes = Classes((rest, name), (other, colour))
    return _State(classes, targets), f"{name} against all others, which are {rest}"


def _state(state: _State, groups: Sequence[Sequence[int]], *, flag: str = "--classes") -> _State:
    """One new class for each group of old ones, named and coloured after its first; the rest is ignored."""
    if not groups:
        raise ConfigError(f"{flag} leaves no class at all; name fewer")
    new = {old: place for place, group in enumerate(groups) for old in group}
    firsts = [min(group) for group in groups]
    classes = Classes(
        tuple(state.classes.names[i] for i in firsts), tuple(state.classes.colours[i] for i in firsts)
    )
    return _State(classes, tuple(new.get(t, IGNORE) for t in state.targets))


def _numbers(state: _State, names: Sequence[str], flag: str) -> list[int]:
    known = state.classes.names
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {_some(known)}"
            raise ConfigError(f"{flag}: there is no class {name!r}; {hint}")
    if len(set(names)) != len(names):
        raise ConfigError(f"{flag}: a class stands there twice: {', '.join(names)}")
    return [known.index(name) for name in names]


def _retarget(table: LabelTable, state: _State) -> LabelTable:
    new = (*state.targets, *[IGNORE] * (IGNORE + 1 - len(state.targets)))
    return dataclasses.replace(
        table,
        classes=len(state.classes),
        values={raw: new[old] for raw, old in table.values.items()},
        colours={colour: new[old] for colour, old in table.colours.items()},
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _are(names: Sequence[str]) -> str:
    return "is now" if len(names) == 1 else "are now"
