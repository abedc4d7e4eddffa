"""Endpoints by the names that users give them: docs/reference.md, "Endpoints and pairs"."""

from __future__ import annotations

from bisect import bisect_left

from netlab.cluster.nobody import no_machines, own_gateway
from netlab.cluster.types import Cluster, Endpoint
from netlab.errors import UsageError
from netlab.objects.addresses import plain_address
from netlab.objects.types import Address


def find(cluster: Cluster, ref: str, namespace: str = "default") -> Endpoint:
    """Return what a name means: ``NAMESPACE/POD``, ``POD``, ``NAMESPACE/WORKLOAD``, ``node:N`` or ``host:N``.

    A workload stands for its first pod, and a pod goes before a workload of the same name. ``namespace`` is where a
    name is given without one.

    Raises:
      UsageError: when nothing has the name; it names what comes close.
    """
    full = ref if "/" in ref or ref.startswith(("node:", "host:")) else f"{namespace}/{ref}"
    found = cluster.by_ref.get(full) or cluster.by_workload.get(full)
    if found is None:
        raise UsageError(_missing(cluster, full))
    return found


def pod_of(cluster: Cluster, ref: str) -> tuple[str, str] | None:
    """Return the pod that ``NAMESPACE/NAME`` means, by its reference, and its workload; None where there is none."""
    # Pods are sorted: to look one up costs less than an index of all.
    at = bisect_left(cluster.pods, tuple(ref.split("/")), key=lambda pod: (pod.namespace, pod.name))
    exact = cluster.pods[at] if at < len(cluster.pods) and cluster.pods[at].ref == ref else None
    found = exact or cluster.by_workload.get(ref)
    return (found.ref, found.workload) if found is not None else None


def find_destination(
    cluster: Cluster, ref: str, namespace: str = "default", source: Endpoint | None = None
) -> Endpoint | Address:
    """Return what a destination's name means: as ``find``, or of an IP address its owner, else the address itself.

    To a ``source``, its gateway is its own node.

    Raises:
      UsageError: when nothing has the name, or when it is an address that no other machine can have.
    """
    address = literal(ref)
    if address is None:
        return find(cluster, ref, namespace)
    owner = cluster.by_address.get(address) or (own_gateway(cluster, source, address) if source else None)
    if owner is None and (why := no_machines(address)):
        raise UsageError(why)
    return owner or address


def literal(text: str) -> Address | None:
    """Return the IP address that a text is, in brackets or not, None where it is none."""
    return plain_address(text[1:-1] if text.startswith("[") and text.endswith("]") else text)


def _missing(cluster: Cluster, ref: str) -> str:
    if ref in cluster.finished:
        return f"pod {ref} has finished: it has no address and takes no part"
    if ref in cluster.finished_workloads:
        return f"all pods of {ref} have finished: they have no address and take no part"
    import difflib

    kind, _, name = ref.partition(":")
    what = f"{kind} {name!r}" if ref.startswith(("node:", "host:")) else f"pod or workload {ref!r}"
    known = [*cluster.by_ref, *cluster.by_workload]
    near = _elsewhere(ref, known) or difflib.get_close_matches(ref, known, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else _known(known)
    return f"no {what}{hint}"


def _elsewhere(ref: str, known: list[str]) -> list[str]:
    """Return what has the same name in another namespace."""
    name = ref.rpartition("/")[2]
    return [other for other in known if other.rpartition("/")[2] == name][:3]


def _known(known: list[str]) -> str:
    if not known:
        return ""
    return f" (known: {', '.join(known[:6])}{', …' if len(known) > 6 else ''})"
