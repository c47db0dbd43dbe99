"""A finding that is about samples: their number, the first of them, and the list to leave out agree.

Knows no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pixelwise.check.asked import Asked, examples
from pixelwise.check.commands import leaving_out, mending_command
from pixelwise.check.finding import Finding, Severity
from pixelwise.data.reader import Reader


def of_samples(
    reader: Reader,
    indices: Sequence[int],
    *,
    kind: str,
    severity: Severity,
    title: str,
    text: str,
    shown: Callable[[int], str] = lambda index: "",
    asked: Asked | None = None,
) -> list[Finding]:
    """One finding; none where no sample is concerned.

    Args:
        reader: Has the samples.
        indices: Of the samples, the clearest first.
        kind: See `Finding`, as title and text.
        severity: How bad it is; what is a note names no samples to leave out.
        title: With the figures.
        text: Why it matters.
        shown: What is to be seen in a sample.
        asked: Where the remedy is to leave the samples out; else a person must decide.
    """
    if not indices:
        return []
    return [
        Finding(
            kind=kind,
            severity=severity,
            title=title,
            text=text,
            count=len(indices),
            remedy="" if asked is None else mending_command(asked, leaving_out(asked, kind)),
            changes={} if asked is None else leaving_out(asked, kind),
            examples=examples(reader, indices, shown),
            leave_out=() if severity is Severity.NOTE else tuple(indices),
        )
    ]
