"""The ruleset of every node, compiled with the names and MACs of its pods' ports."""

from __future__ import annotations

from netlab.cluster.types import Cluster, Pod
from netlab.dataplane import names
from netlab.ruleset import Compiler, Port, Ruleset


def compiler() -> Compiler:
    """Return a compiler for the successive clusters of a lab."""
    return Compiler(_port_of)


def rulesets(cluster: Cluster) -> dict[str, Ruleset]:
    """Return the ruleset of each node by name: what ``netlab compile`` prints and what a lab applies."""
    return compiler().compile(cluster)


def _port_of(pod: Pod) -> Port:
    return Port(names.port_name(pod), names.mac_of(pod.addresses[0]))
