"""One command that does what the findings ask for, as far as it goes together.

Knows which settings exclude each other, and no rule.
"""

from __future__ import annotations

from collections.abc import Sequence

from pixelwise.check.asked import Asked
from pixelwise.check.commands import train_command
from pixelwise.check.finding import Finding, Severity
from pixelwise.config import changed

SPLIT = ("val_last", "val_share", "val_groups", "val_seed")
"""Settings that draw the sides anew: the first finding that asks for some of them gets them."""

_OF_THE_SPLIT = frozenset({"leakage", "near_leakage"})
"""Lists of samples that are too many on one side; after another draw others are."""


def together(findings: Sequence[Finding], asked: Asked) -> str:
    """`pixelwise train DATA …` with all flags that errors and warnings ask for; empty where none does.

    Args:
        findings: In the order of the rules.
        asked: The settings that were needed to open the data set are among the flags.
    """
    grave = [item for item in findings if item.severity in (Severity.ERROR, Severity.WARNING)]
    mending = [item for item in grave if item.changes]
    splitting = [item for item in mending if item.changes.keys() & set(SPLIT)]
    config = asked.config
    for item in mending:
        if item in splitting[1:] or (splitting and item.kind in _OF_THE_SPLIT):
            continue
        config = changed(config, item.changes)
    return train_command(asked.root, config) if config != asked.given else ""
