"""What the ends of a rule of invariants select in a cluster."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.cluster.services.system import SYSTEM_NAMESPACES
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.invariants import InvariantRule, RuleEnd
from netlab.objects.services import Service
from netlab.objects.similar_names import did_you_mean, similar
from netlab.policy.outside import Outside, covers


def selected(cluster: Cluster, end: RuleEnd, family: int = 0) -> tuple[Endpoint, ...]:
    """Return the endpoints that an end selects, in the cluster's order.

    Pods that netlab added are selected only if the end states their namespace. A range has no address of the other IP
    ``family``, so it selects no host there, whatever other address the host has; 0 stands for both.
    """
    match end.kind:
        case "pods":
            return tuple(pod for pod in cluster.asked_pods(bool(end.namespace)) if _selects(cluster, end, pod))
        case "hosts":
            return tuple(host for host in cluster.hosts if not isinstance(host, Outside))
        case "host":
            return tuple(host for host in cluster.hosts if host.name == end.name and not isinstance(host, Outside))
        case "nodes":
            return cluster.nodes
        case "cidr":
            if end.cidr is None or end.cidr.version == 10 - family:
                return ()
            return tuple(host for host in cluster.hosts if covers(end.cidr, host))
        case "service":
            return ()


def service_of(cluster: Cluster, end: RuleEnd) -> Service | None:
    """Return the Service that an end names, None if there is no such Service."""
    return next((one for one in cluster.services if one.meta.key == end.name), None)


def others(cluster: Cluster, rule: InvariantRule) -> tuple[Endpoint, ...]:
    """Return the endpoints that ``only`` of a rule is about: all pods, outside hosts and outside addresses.

    Pods that netlab added count if the rule names their namespace.
    """
    system = any(end.namespace in SYSTEM_NAMESPACES for end in rule.ends)
    return (*cluster.asked_pods(system), *cluster.hosts)


def without_match(cluster: Cluster, end: RuleEnd) -> str:
    """Return why an end selects nothing, with similar names."""
    names: Sequence[str] = ()
    match end.kind:
        case "pods":
            known = list(cluster.namespaces)
            if end.namespace and end.namespace not in known:
                return f"no namespace {end.namespace!r}{did_you_mean(similar(end.namespace, known))}"
            return f"no pod matches {end}"
        case "host":
            names = [host.name for host in cluster.hosts if not isinstance(host, Outside)]
        case "service":
            names = [service.meta.key for service in cluster.services]
        case "cidr":
            return f"nothing outside of the cluster is in {end.cidr}"
        case "hosts" | "nodes":
            return f"the input has no {end.kind}"
    what = "Service" if end.kind == "service" else end.kind
    return f"no {what} {end.name!r}{did_you_mean(similar(end.name, names))}"


def _selects(cluster: Cluster, end: RuleEnd, pod: Pod) -> bool:
    if end.namespace and pod.namespace != end.namespace:
        return False
    return end.spaces.matches(cluster.namespaces.get(pod.namespace, {})) and end.labels.matches(pod.labels)
