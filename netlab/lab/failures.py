"""Failures of a running lab: stopped nodes and killed pods; and rolling updates.

Each goes in steps, and each step is in force before the next one begins. If a step fails, it is undone, and the steps
before it stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from netlab.cluster import replacement
from netlab.cluster import rollout as rollouts
from netlab.cluster.replacement import LabState
from netlab.lab.outcome import Changes, compare
from netlab.objects import Document

if TYPE_CHECKING:
    from netlab.lab.lab import Lab

Plan = Callable[[LabState], Iterable[Sequence[Document]]]
"""Takes a lab's state; returns its documents after each step."""


def stop_node(lab: Lab, node: str) -> Changes:
    """Do as ``Lab.stop_node``."""
    if lab.has_control_plane:
        return in_steps(lab, partial(replacement.cut_off, node=node))
    return in_steps(lab, partial(replacement.stop, node=node))


def start_node(lab: Lab, node: str) -> Changes:
    """Do as ``Lab.start_node``."""
    if lab.has_control_plane:
        return in_steps(lab, partial(replacement.join_again, node=node))
    return in_steps(lab, partial(replacement.start, node=node))


def kill(lab: Lab, refs: Sequence[str]) -> Changes:
    """Do as ``Lab.kill``."""
    lab.check_no_control_plane()
    return in_steps(lab, _checked(lab, partial(replacement.kill, refs=refs)))


def rollout(lab: Lab, documents: Sequence[Document]) -> Changes:
    """Do as ``Lab.rollout``."""
    lab.check_no_control_plane()
    return in_steps(lab, _checked(lab, partial(rollouts.rollout, changes=documents)))


def _checked(lab: Lab, plan: Plan) -> Plan:
    """Return the plan; what does not go together at its end is an error before its first step."""

    def checked(state: LabState) -> Iterable[Sequence[Document]]:
        steps = list(plan(state))
        if steps:
            lab.cluster_as(lambda now: steps[-1])
        return steps

    return checked


def in_steps(lab: Lab, plan: Plan) -> Changes:
    """Change a lab's documents step by step; return the changes of all steps together."""
    with lab.stepping() as step:
        before = lab.documents
        found = Changes()
        for documents in plan(LabState(lab.documents, lab.objects, lab.cluster)):
            step(documents)
            found = _joined(found, lab.changes)
    lab.changes = Changes(compare(before, lab.documents), found.steps, found.elements, found.replaced, found.seconds)
    return lab.changes


def _joined(one: Changes, other: Changes) -> Changes:
    return Changes(
        (),
        (*one.steps, *other.steps),
        one.elements + other.elements,
        one.replaced + other.replaced,
        one.seconds + other.seconds,
        one.agent_steps + other.agent_steps,
    )
