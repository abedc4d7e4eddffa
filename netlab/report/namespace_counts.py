"""The counts of questions between two namespaces, their mark in a matrix, and their text."""

from __future__ import annotations

from collections.abc import Mapping

from netlab.frozen import frozen
from netlab.report.truth_table import ALLOW, DENY, DIFFER, INCONCLUSIVE, NOT_ASKED, PARTIAL, SOME, UNKNOWN
from netlab.verdicts import Expected

_MOST_PORTS = 12


@frozen
class Counts:
    """The questions between two namespaces: how many there are, and how many have each verdict but ``deny``.

    A question is a pair of endpoints and a port. ``ports`` are those that some pair is allowed. ``wrong`` and
    ``inconclusive`` are numbers of pairs of groups.
    """

    total: int
    having: Mapping[Expected, int]
    ports: tuple[str, ...] = ()
    wrong: int = 0
    inconclusive: int = 0


def mark_of(counts: Counts) -> str:
    """Return the mark of the questions between two namespaces."""
    if counts.wrong or counts.inconclusive:
        return DIFFER if counts.wrong else INCONCLUSIVE
    if not counts.total:
        return NOT_ASKED
    if counts.having.get("unknown"):
        return UNKNOWN if counts.having["unknown"] == counts.total else PARTIAL
    allowed = counts.having.get("allow", 0)
    if allowed == counts.total:
        return ALLOW
    if counts.having.get("some", 0) == counts.total:
        return SOME
    return PARTIAL if allowed or counts.having.get("some") else DENY


def counts_text(counts: Counts) -> str:
    """Return the counts as text: ``12 of 40 open (5432/TCP)``."""
    if not counts.total:
        return "not asked"
    allowed = counts.having.get("allow", 0)
    shown = [*counts.ports[:_MOST_PORTS], *(["…"] if len(counts.ports) > _MOST_PORTS else [])]
    ports = f" ({', '.join(shown)})" if shown else ""
    text = f"{allowed:,} of {counts.total:,} open{ports}"
    for verdict in ("some", "unknown"):
        if number := counts.having.get(verdict):
            text += f", {number:,} {verdict}"
    wrong = [(counts.wrong, "differ"), (counts.inconclusive, "inconclusive")]
    return text + "".join(f", pairs of groups that {word}: {number}" for number, word in wrong if number)
