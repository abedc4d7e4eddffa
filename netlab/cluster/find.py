"""Endpoints by name, as users write them: docs/reference.md, "Endpoints and pairs"."""

from __future__ import annotations

from bisect import bisect_left

from netlab.cluster.types import Cluster, Endpoint
from netlab.cluster.unowned import own_gateway, special_purpose
from netlab.errors import UsageError
from netlab.objects.addresses import plain_address
from netlab.objects.services import Service, ServicePort
from netlab.objects.similar_names import did_you_mean, known_names, similar
from netlab.objects.types import Address

_SERVICE = "service:"


def find(cluster: Cluster, ref: str, namespace: str = "default") -> Endpoint:
    """Return the endpoint ``NAMESPACE/POD``, ``POD``, ``NAMESPACE/WORKLOAD``, ``node:N`` or ``host:N``.

    A workload stands for its first pod. A pod has precedence over a workload of the same name. ``namespace`` is the
    namespace of a name without one.

    Raises:
      UsageError: if no endpoint has the name. The message has similar names.
    """
    if is_service(ref):
        raise UsageError(f"{ref!r}: a Service is a destination only; name a pod, node:NAME or host:NAME")
    full = _full(ref, namespace)
    found = cluster.by_ref.get(full) or cluster.by_workload.get(full)
    if found is None:
        raise UsageError(_missing(cluster, full))
    return found


def _full(ref: str, namespace: str) -> str:
    return ref if "/" in ref or ref.startswith(("node:", "host:")) else f"{namespace}/{ref}"


def is_service(ref: str) -> bool:
    """Say whether a destination names a Service: ``service:NAMESPACE/NAME``."""
    return ref.startswith(_SERVICE)


def find_service(cluster: Cluster, ref: str, namespace: str = "default") -> Service:
    """Return the Service of ``service:NAMESPACE/NAME`` or ``service:NAME``.

    Raises:
      UsageError: if no Service has the name. The message has similar names.
    """
    name = ref.removeprefix(_SERVICE)
    if ":" in name:
        raise UsageError(f"{ref!r} has a port: an expectation has it in the field port")
    full = name if "/" in name else f"{namespace}/{name}"
    found = next((service for service in cluster.services if service.meta.key == full), None)
    if found is None:
        known = [service.meta.key for service in cluster.services]
        near = similar(full, known)
        names = [f"{_SERVICE}{key}" for key in near or known]
        raise UsageError(f"no Service {full!r}{did_you_mean(names) if near else known_names(names)}")
    return found


def find_ports(service: Service, port: str | None, protocol: str | None = None) -> list[ServicePort]:
    """Return the ports of a Service with a number or name and a protocol; None stands for all.

    Raises:
      UsageError: if the Service has no such port. The message lists its ports.
    """
    found = [
        of_service
        for of_service in service.ports
        if (port is None or port in (str(of_service.port), of_service.name)) and protocol in (None, of_service.protocol)
    ]
    if not found:
        of = f"Service {service.meta.key}"
        has = ", ".join(f"{p.name} {p.port}/{p.protocol}".strip() for p in service.ports)
        asked = f"port {port}{f'/{protocol}' if protocol else ''}" if port else f"{protocol or 'port'}".strip()
        if service.type == "ExternalName" and not has:
            raise UsageError(
                f"{of} is of type ExternalName: it has no ports, and its name leads to {service.external_name}"
            )
        raise UsageError(f"{of} has no {asked}; it has {has}" if has else f"{of} has no ports")
    return found


def pod_of(cluster: Cluster, ref: str) -> tuple[str, str] | None:
    """Return the reference and the workload of the pod ``NAMESPACE/NAME``, or of a workload's first pod, else None."""
    # Pods are sorted, so one look-up needs no index of all pods.
    at = bisect_left(cluster.pods, tuple(ref.split("/")), key=lambda pod: (pod.namespace, pod.name))
    exact = cluster.pods[at] if at < len(cluster.pods) and cluster.pods[at].ref == ref else None
    found = exact or cluster.by_workload.get(ref)
    return (found.ref, found.workload) if found is not None else None


def find_destination(
    cluster: Cluster, ref: str, namespace: str = "default", source: Endpoint | None = None
) -> Endpoint | Address:
    """Return the endpoint that ``find`` finds, or the endpoint that has an IP address, else the address itself.

    The gateway of ``source`` is the node of ``source``.

    Raises:
      UsageError: if no endpoint has the name, or if no other machine can have the address. If a Service has the name,
        the message says how to write it.
    """
    address = literal(ref)
    if address is None:
        full = _full(ref, namespace)
        if full not in cluster.by_ref and full not in cluster.by_workload and (own := _services_named(cluster, full)):
            raise UsageError(f"no pod or workload {full!r}; did you mean {' or '.join(own)}?")
        return find(cluster, ref, namespace)
    owner = cluster.by_address.get(address) or (own_gateway(cluster, source, address) if source else None)
    if owner is None and (why := special_purpose(address)):
        raise UsageError(why)
    return owner or address


def literal(text: str) -> Address | None:
    """Return the IP address in a text, with or without brackets, else None."""
    return plain_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)


def _missing(cluster: Cluster, ref: str) -> str:
    if ref in cluster.finished:
        return f"pod {ref} has finished: it has no address and is not in the lab"
    if ref in cluster.finished_workloads:
        return f"all pods of {ref} have finished: they have no address and are not in the lab"
    known = [*cluster.by_ref, *cluster.by_workload]
    what = f"pod or workload {ref!r}"
    if ref.startswith(("node:", "host:")):
        kind, _, name = ref.partition(":")
        what = f"{kind} {name!r}"
        known = [one for one in known if one.startswith(f"{kind}:")]
        if not known:
            return f"no {what}; the input has no {kind}s: add it to spec.{kind}s of a Topology"
    return f"no {what}{did_you_mean(similar(ref, known)) or known_names(known)}"


def _services_named(cluster: Cluster, ref: str) -> list[str]:
    """Return the Services that a name may mean: ``NAMESPACE/NAME``, ``svc/NAME`` as for kubectl, or a name in DNS."""
    prefix, _, name = ref.rpartition("/")
    first, _, rest = name.partition(".")
    found = []
    for one in cluster.services:
        meta = one.meta
        by_kind = name == meta.name and prefix in ("svc", "service", "services")
        names = (meta.namespace, f"{meta.namespace}.svc", f"{meta.namespace}.svc.{cluster.cluster_domain}")
        if ref == meta.key or by_kind or (first == meta.name and rest in names):
            found.append(f"{_SERVICE}{meta.key}")
    return found[:3]
