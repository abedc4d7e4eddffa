"""The policies of a cluster that have an effect, as its settings read them; with the defaults, those of the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster
from netlab.errors import Problem
from netlab.objects.policies import NetworkPolicy
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Namespace

if TYPE_CHECKING:
    from netlab.cluster.policy_reading import PolicyWithoutEffect

DEFAULT_DENY = "DefaultDeny"
"""The name of the policy that an annotated namespace has. No object has it, as names have no capital letters."""


def reads_plainly(settings: TopologyPolicy) -> bool:
    """Say whether the settings read every field of a policy as the documentation of Kubernetes does."""
    return (
        settings.named_ports != "refuse-policy"
        and settings.selectors == "labels"
        and settings.end_port == "honour"
        and settings.isolation == "policies"
    )


def policies_in_force(cluster: Cluster) -> tuple[NetworkPolicy, ...]:
    """Return the policies that have an effect, sorted by namespace and name."""
    if reads_plainly(cluster.policy):
        return cluster.policies
    # Imported here, as most clusters have the defaults.
    from netlab.cluster.policy_reading import policy_reading

    return policy_reading(cluster).policies


def policies_without_effect(cluster: Cluster) -> tuple[PolicyWithoutEffect, ...]:
    """Return the policies that have no effect because of a setting, in some or in all directions."""
    if reads_plainly(cluster.policy):
        return ()
    from netlab.cluster.policy_reading import policy_reading

    return policy_reading(cluster).without_effect


def isolated_namespaces(settings: TopologyPolicy, spaces: Sequence[Namespace]) -> tuple[frozenset[str], list[Problem]]:
    """Return the namespaces that an annotation isolates, if the settings read it, and warnings about wrong ones."""
    if settings.isolation == "policies":
        return frozenset(), []
    from netlab.cluster.policy_reading import isolated_by_annotation

    return isolated_by_annotation(spaces)
