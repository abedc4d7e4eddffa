"""What became of pods in a failure: which ended, and which began on which node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from netlab.cli import terminal
from netlab.cli.change_summary import print_changes
from netlab.quantity import quantity

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.lab.outcome import Changes


def print_moves(
    lab: str, changes: Changes, objects: Iterable[tuple[str, str]], before: Cluster, after: Cluster
) -> None:
    """Print the lines of objects, and one for each pod that ended or began; then the time until that was in force."""
    ended = [pod for pod in before.pods if _began(pod.ref, after, before)]
    began = [pod for pod in after.pods if _began(pod.ref, before, after)]
    lines = [*objects]
    lines += [(f"pod/{pod.ref}", f"ended on {pod.node}") for pod in ended]
    lines += [(f"pod/{pod.ref}", f"began on {pod.node}") for pod in began]
    print_changes(lab, changes, lines)
    waiting = [pod.ref for pod in after.pods if pod.node in after.stopped_nodes]
    if waiting:
        shown = ", ".join(waiting[:3]) + (f" and {len(waiting) - 3} more" if len(waiting) > 3 else "")
        terminal.say(f"lab {lab}: {quantity(len(waiting), 'pod')} on stopped nodes: {shown}")


def _began(ref: str, before: Cluster, after: Cluster) -> bool:
    """Say whether a pod of a name is in the second cluster, and not in the first one or on another node there."""
    one, other = before.by_ref.get(ref), after.by_ref.get(ref)
    return other is not None and (one is None or getattr(one, "node", "") != getattr(other, "node", ""))
