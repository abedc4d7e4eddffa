"""The ruleset of every node, with the interfaces that the wiring gives its pods."""

from __future__ import annotations

from netlab.cluster.types import Cluster
from netlab.dataplane import names
from netlab.ruleset import Port, Ruleset, compile_rulesets


def rulesets(cluster: Cluster) -> dict[str, Ruleset]:
    """Return the ruleset of each node by name: what ``netlab compile`` prints and what a lab applies."""
    ports = {
        pod.ref: Port(names.port_name(pod), names.mac_of(pod.addresses[0]))
        for pod in cluster.pods
        if pod.attachment in ("bridge", "overlay", "routed")
    }
    return compile_rulesets(cluster, ports)
