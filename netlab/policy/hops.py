"""Hops: the pods that one pod reaches over several connections, each from a pod that the one before reached."""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cluster.types import Pod
from netlab.frozen import frozen
from netlab.policy.bitsets import members
from netlab.policy.groups import Groups
from netlab.policy.tiers.tier import AskedPort


@frozen
class Step:
    """One connection: the pod that it goes to, and the port."""

    pod: Pod
    asked: AskedPort


@frozen
class ReachedPods:
    """Pods of one group, and a shortest path to the first of them, its ``steps``."""

    pods: tuple[Pod, ...]
    steps: tuple[Step, ...]


def reached_pods(found: Groups, start: Pod, most: int) -> Iterator[ReachedPods]:
    """Yield the pods that ``start`` reaches over at most ``most`` connections, nearest first.

    Only pods are passed through. Pairs whose verdict is unknown are not followed.
    """
    own = next(group.number for group in found.groups if any(one is start for one in group.members))
    allowed = found.having_by_source["allow"]
    pods = sum(1 << group.number for group in found.groups if isinstance(group.members[0], Pod))
    # All members of a group are reached at once; those of the start's group may be reached later than the start.
    paths: dict[int, tuple[Step, ...]] = {}
    frontier: dict[int, tuple[Step, ...]] = {own: ()}
    seen = 0
    for _ in range(most):
        after: dict[int, tuple[Step, ...]] = {}
        for number, way in frontier.items():
            for asked, columns in allowed.items():
                new = columns[number] & pods & ~seen
                for to in members(new):
                    others = [one for one in found.groups[to].members if isinstance(one, Pod) and one is not start]
                    seen |= 1 << to
                    if others:
                        after[to] = paths[to] = (*way, Step(others[0], asked))
                        yield ReachedPods(tuple(others), paths[to])
        frontier = after
