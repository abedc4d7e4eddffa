"""An index of a namespace's policies: it finds those that select a pod without a look at each policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.objects.policies import NetworkPolicy
from netlab.objects.types import Direction
from netlab.policy.bitsets import members, set_of
from netlab.policy.label_index import SelectorIndex


class PolicyIndex:
    """The policies of a namespace by their selectors."""

    def __init__(self, policies: Sequence[NetworkPolicy]) -> None:
        self._policies = policies
        self._selectors = SelectorIndex([policy.pod_selector for policy in policies])
        self._known: dict[int, tuple[NetworkPolicy, ...]] = {}
        self._isolating = {direction: self._of(direction) for direction in ("ingress", "egress")}

    def _of(self, direction: Direction) -> int:
        numbers = (number for number, policy in enumerate(self._policies) if policy.isolates(direction))
        return set_of(numbers, len(self._policies))

    def selecting(self, labels: Mapping[str, str], direction: Direction) -> tuple[NetworkPolicy, ...]:
        """Return the policies that select a pod with these labels and isolate it in a direction, in order."""
        found = self._selectors.matching(labels) & self._isolating[direction]
        if found not in self._known:
            self._known[found] = tuple([self._policies[number] for number in members(found)])
        return self._known[found]
