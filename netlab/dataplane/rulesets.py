"""The ruleset of every node, with the interfaces that the wiring gives its pods."""

from __future__ import annotations

from netlab.cluster.types import Cluster, Pod
from netlab.dataplane import names
from netlab.ruleset import Compiler, Port, Ruleset


def compiler() -> Compiler:
    """Return what compiles the clusters of a lab one after the other."""
    return Compiler(_port_of)


def rulesets(cluster: Cluster) -> dict[str, Ruleset]:
    """Return the ruleset of each node by name: what ``netlab compile`` prints and what a lab applies."""
    return compiler().compile(cluster)


def _port_of(pod: Pod) -> Port:
    return Port(names.port_name(pod), names.mac_of(pod.addresses[0]))
