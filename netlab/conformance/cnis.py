"""What each CNI answers to each probe, by the evaluator; ``docs/cnis.md`` is the page of it (``netlab.cli.cnis``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netlab.cluster import Cluster
from netlab.conformance.cni_probes import PROBES, Probe
from netlab.conformance.judges import cluster_of, flow_of
from netlab.conformance.shorthand import document
from netlab.objects.types import Document
from netlab.policy.evaluate import evaluate

COLUMNS = ("docker", "flannel", "calico", "calico-vxlan", "canal", "cilium", "kube-router", "romana", "weave")
"""The profiles of the table. ``calico-vxlan`` is there because some kernels lack the links of ``calico``."""

NO_PATH, NONE = "no path", "not supported"


def documents_of(probe: Probe, profile: str) -> tuple[Document, ...]:
    """Return the objects of a probe with the profile in their Topology."""
    topology, *rest = probe.documents
    spec = {**topology.data["spec"], "profile": profile}
    return (document("Topology", "probe", spec), *rest)


def answer(probe: Probe, profile: str) -> str:
    """Return what the evaluator says: ``allow`` or ``deny``, or what the probe asks in other words."""
    cluster = cluster_of(documents_of(probe, profile))
    special = _ANSWERS.get(probe.number)
    return special(cluster, probe, profile) if special is not None else _verdict(cluster, probe)


def _verdict(cluster: Cluster, probe: Probe) -> str:
    if probe.cell.family not in cluster.families:
        return NONE
    return evaluate(cluster, flow_of(cluster, probe.cell)).verdict


def _open_connection(cluster: Cluster, probe: Probe, profile: str) -> str:
    """Say what a policy does with an open connection that it no longer allows."""
    after = cluster_of((*documents_of(probe, profile), *probe.changed))
    if _verdict(after, probe) == "allow":
        return "allow"
    return "stays" if cluster.policy.established == "keep" else "cut"


def _source_seen(cluster: Cluster, probe: Probe, profile: str) -> str:
    """Say which address the other node sees: that of the pod, or of its node."""
    from netlab.cluster.paths import path

    flow = flow_of(cluster, probe.cell)
    assert flow.destination is not None
    way = path(cluster, flow.source, flow.destination, flow.family)
    return _owner(cluster, way.seen_as) if way.connected else NO_PATH


def _owner(cluster: Cluster, address: object) -> str:
    pod = cluster.by_ref["shop/subject"]
    return (
        "pod" if address in pod.addresses else "node" if address in cluster.node("node-1").addresses else str(address)
    )


def _sizes(cluster: Cluster, probe: Probe, profile: str) -> str:
    """Say which size the pod sends, and which one arrives if it is another."""
    from netlab.dataplane import names
    from netlab.dataplane.graph import Graph
    from netlab.dataplane.wanted import wanted

    flow = flow_of(cluster, probe.cell)
    assert flow.address is not None
    way = Graph(wanted(cluster)).way(names.endpoint_namespace(cluster.name, flow.source), flow.address)
    return NO_PATH if way is None else size_text(way.first_mtu, way.mtu)


def size_text(sent: int, arrives: int) -> str:
    """Return the size that a pod sends, and the size of the path where packets of the first do not pass."""
    return f"{sent}" if arrives >= sent else f"sent at {sent}, path {arrives}"


_Answer = Callable[[Cluster, Probe, str], str]
_ANSWERS: Mapping[str, _Answer] = {"13": _open_connection, "15": _source_seen, "17": _sizes}


def marks(probe: Probe, profile: str) -> str:
    """Return ``?`` if a choice that decided is a GUESS, else ""."""
    from netlab.policy.deciding import deciding

    cluster = cluster_of((*documents_of(probe, profile), *probe.changed))
    if probe.cell.family not in cluster.families:
        return ""
    decision = evaluate(cluster, flow_of(cluster, probe.cell))
    return "?" if any(one.mark == "GUESS" for one in deciding(cluster, decision)) else ""


def table(answers: Callable[[Probe, str], str], columns: Sequence[str] = COLUMNS) -> Iterator[str]:
    """Yield the lines of the table; ``answers`` returns a cell's text."""
    yield f"| # | probe | {' | '.join(columns)} |"
    yield f"|---|---|{'---|' * len(columns)}"
    for probe in PROBES:
        cells = [f"{answers(probe, name)}{marks(probe, name)}" for name in columns]
        yield f"| {probe.number} | {probe.title} | {' | '.join(cells)} |"
