"""Warns of Services that lead nowhere: a selector that no pod has, a name of a port that none of its pods has.

A Service selects pods of its own namespace; a named ``targetPort`` is the name of a container port
(https://kubernetes.io/docs/concepts/services-networking/service/).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from netlab.cluster.services.endpoints import target_port
from netlab.cluster.services.families import problem_of
from netlab.cluster.services.pod_index import pods_of
from netlab.cluster.services.system import DNS_LABELS
from netlab.cluster.types import Cluster, Pod
from netlab.errors import Problem
from netlab.objects.selectors import LabelSelector
from netlab.objects.services import Service, ServicePort
from netlab.policy.almost import almost_selects
from netlab.policy.matched_pods import pods_by_namespace, pods_elsewhere
from netlab.policy.problems import some


def service_warnings(cluster: Cluster) -> Iterator[Problem]:
    """Yield the warnings about Services with a selector, by Service; not about those of the cluster's own DNS."""
    for service in cluster.services:
        # The input need not have the pods of kube-dns.
        if service.system or not service.selector or service.type == "ExternalName" or _is_dns(service):
            continue
        pods = pods_of(cluster, service)
        if not pods:
            yield _selects_nothing(cluster, service)
            continue
        for at, port in enumerate(service.ports):
            if isinstance(port.target_port, str) and all(target_port(port, pod) is None for pod in pods):
                path = f"{port.path or f'spec.ports[{at}]'}.targetPort"
                yield _warning(service, path, _no_such_port(port, pods), "service-port-name")


def _is_dns(service: Service) -> bool:
    return service.meta.namespace == "kube-system" and DNS_LABELS.items() <= service.selector.items()


def _selects_nothing(cluster: Cluster, service: Service) -> Problem:
    namespace, selector = service.meta.namespace, LabelSelector(tuple(sorted(service.selector.items())))
    here = pods_by_namespace(cluster).get(namespace, ())
    if not here:
        message = f"namespace {namespace!r} has no pods in the input, so {_effect(service)}: add its workloads"
        return _warning(service, "spec.selector", message, "service-without-pods", namespace)
    message = (
        f"{selector} matches no pod of namespace {namespace!r}, so {_effect(service)}{_hint(cluster, here, selector)}"
    )
    return _warning(service, "spec.selector", message, "service-without-pods")


def _hint(cluster: Cluster, here: Sequence[Pod], selector: LabelSelector) -> str:
    """Return the nearest pod as text: one that lacks one label, else one of another namespace; "" without one."""
    known: set[frozenset[tuple[str, str]]] = set()
    for pod in here:
        labels = frozenset(pod.labels.items())
        if labels not in known:
            known.add(labels)
            if why := almost_selects(selector, pod.labels):
                return f"; {pod.ref} almost matches: {why}"
    others = pods_elsewhere(cluster, selector)
    return f"; {others[0].ref} has it, and a Service selects pods of its own namespace only" if others else ""


def _effect(service: Service) -> str:
    if service.headless:
        return "its name has no address"
    return "it has no endpoints, and every connection is refused"


def _no_such_port(port: ServicePort, pods: Sequence[Pod]) -> str:
    name = port.target_port
    message = f"none of {some([pod.ref for pod in pods])} has a {port.protocol} port named {name!r}"
    if len(pods) == 1:
        message = f"{pods[0].ref} has no {port.protocol} port named {name!r}"
    have = sorted({f"{p.name}={p.port}/{p.protocol}" for pod in pods for p in pod.ports if p.name})
    named = f", but {some(have)}" if have else ""
    return f"{message}{named}, so the port has no endpoints; name one so, or write a number"


def _warning(service: Service, path: str, message: str, rule: str, together: str = "") -> Problem:
    return replace(problem_of(service, path, message), severity="warning", rule=rule, together=together)
