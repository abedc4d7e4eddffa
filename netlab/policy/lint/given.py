"""What rules of ``netlab lint`` read: the objects, their cluster, and the warnings that ``netlab check`` gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import cached_property

from netlab.cluster.flows import FlowSelection
from netlab.cluster.policies_in_force import DEFAULT_DENY
from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.frozen import frozen_with_cache
from netlab.objects.all_objects import Objects
from netlab.objects.policies import NetworkPolicy, Rule
from netlab.objects.types import DIRECTIONS, Direction
from netlab.policy.matched_pods import pods_by_namespace
from netlab.policy.meaning import policies_meant
from netlab.policy.tiers import only_network_policy


@frozen_with_cache
class Given:
    """An input without errors, as rules read it.

    ``problems`` has the warnings of ``netlab check``. ``asked`` says which ports, families and endpoints rules about
    verdicts ask about. ``cluster.memo`` keeps values that several rules need.
    """

    objects: Objects
    cluster: Cluster
    problems: tuple[Problem, ...] = ()
    asked: FlowSelection = field(default_factory=FlowSelection)

    def warnings(self, name: str) -> Sequence[Problem]:
        """Return the warnings of one check, by its name (``Problem.rule``)."""
        return self._by_rule.get(name, ())

    @cached_property
    def _by_rule(self) -> dict[str, list[Problem]]:
        found: dict[str, list[Problem]] = {}
        for one in self.problems:
            if one.severity == "warning":
                found.setdefault(one.rule, []).append(one)
        return found

    @cached_property
    def policies(self) -> tuple[NetworkPolicy, ...]:
        """The policies that rules ask about: those in force, in namespaces with pods.

        Policies of other namespaces are left out, as ``no-pods-in-namespace`` finds them. Where nothing enforces
        policies, there are none.
        """
        if self.cluster.policy.enforcement != "all":
            return ()
        here = pods_by_namespace(self.cluster)
        return tuple(
            one for one in policies_meant(self.cluster) if one.meta.namespace in here and one.meta.name != DEFAULT_DENY
        )

    @cached_property
    def directions(self) -> tuple[Direction, ...]:
        """The directions in which policies isolate pods."""
        return ("ingress",) if self.cluster.policy.directions == "ingress-only" else DIRECTIONS

    @cached_property
    def decided_by_policies(self) -> bool:
        """Whether policies that netlab reads decide, and no others."""
        return self.cluster.policy.enforcement == "all" and not self.cluster.unread

    @cached_property
    def decided_by_network_policies(self) -> bool:
        """Whether NetworkPolicies decide, and no other policies."""
        return self.decided_by_policies and only_network_policy(self.cluster)

    def rules(self) -> Iterator[tuple[NetworkPolicy, Direction, Rule]]:
        """Yield every rule in force of ``policies``, with its policy and direction."""
        for policy in self.policies:
            for direction in DIRECTIONS:
                for rule in policy.rules(direction):
                    yield policy, direction, rule
