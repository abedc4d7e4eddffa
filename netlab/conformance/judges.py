"""The three judges of a flow: the evaluator, the tracer of the ruleset, and packets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from netlab.cluster import Cluster, resolve
from netlab.cluster.flows import Flow, service_flow, service_ref
from netlab.cluster.paths import drops_unpublished, node_of, path
from netlab.cluster.translate import BackendFlow, translate
from netlab.cluster.types import Host, Pod, address_of
from netlab.conformance import service_judge
from netlab.conformance.cases import Cell
from netlab.dataplane.names import mac_of, port_name
from netlab.dataplane.node_rulesets import compiler as new_compiler
from netlab.errors import InputError
from netlab.objects import Document, decode
from netlab.objects.addresses import plain_address
from netlab.objects.meta import key_of
from netlab.objects.scenarios import ObjectRef
from netlab.objects.services import Service
from netlab.objects.types import Address
from netlab.objects.versions import STORED
from netlab.policy.decision import Decision
from netlab.policy.evaluate import evaluate
from netlab.testing.tracer import Link, Packet, Tracer
from netlab.verdicts import joined

if TYPE_CHECKING:
    from netlab.lab.lab import Lab

JudgeName = Literal["evaluator", "tracer", "packets"]
NAMES: tuple[JudgeName, ...] = ("evaluator", "tracer", "packets")


SERVICE = "service:"
"""The prefix of a cell's destination that is a Service."""

Judge = Callable[[Sequence[Document], Cluster, Sequence[Flow]], list[str]]
"""Returns the verdict of each flow, in order, in the cluster that the documents describe."""


def cluster_of(documents: Sequence[Document]) -> Cluster:
    """Return the cluster that documents describe; raises InputError with all their errors."""
    # Cases also have what only older servers accept.
    objects, problems = decode(documents, server=STORED)
    if any(problem.severity == "error" for problem in problems):
        raise InputError(problems)
    return resolve(objects)


def flow_of(cluster: Cluster, cell: Cell) -> Flow:
    """Return the flow of a cell; raises KeyError for an end that does not exist."""
    source = cluster.by_ref[cell.source]
    if cell.destination.startswith(SERVICE):
        service = services_of(cluster)[cell.destination]
        return service_flow(source, service, cell.protocol, cell.port, cell.family)
    if (address := plain_address(cell.destination)) is not None:
        return Flow(source, cluster.by_address.get(address), cell.family, cell.protocol, cell.port, address)
    destination = cluster.by_ref[cell.destination]
    return Flow(source, destination, cell.family, cell.protocol, cell.port, address_of(destination, cell.family))


def services_of(cluster: Cluster) -> Mapping[str, Service]:
    """Return the Services of a cluster by the reference that cells have, ``service:NAMESPACE/NAME``."""
    return {service_ref(service): service for service in cluster.services}


def evaluator(_: Sequence[Document], cluster: Cluster, flows: Sequence[Flow]) -> list[str]:
    """Judge by the plain reading of the specification."""
    return [_decided(evaluate(cluster, flow)) for flow in flows]


def _decided(decision: Decision) -> str:
    if decision.verdict != "some":
        return decision.verdict
    ways = ((endpoint.through, endpoint.verdict) for endpoint in decision.endpoints)
    return _some((way.backend.address, verdict) for way, verdict in ways if way is not None)


def _some(backends: Iterable[tuple[Address | str, str]]) -> str:
    """Return the verdict ``some`` with the verdict of each backend, as judges must agree on each."""
    return f"some: {', '.join(sorted(f'{address} {verdict}' for address, verdict in backends))}"


def tracer() -> Judge:
    """Return the judge that traces a packet through the ruleset text of each node.

    The source's node judges egress, the destination's node ingress. The text is the one that a lab applies. Whether
    the wiring connects two ends comes from ``cluster.paths``. One compiler compiles all cases, as a lab's compiler
    follows its changes.
    """
    compiler = new_compiler()

    def judge(_: Sequence[Document], cluster: Cluster, flows: Sequence[Flow]) -> list[str]:
        tracers = {node: Tracer(ruleset) for node, ruleset in compiler.compile(cluster).items()}
        return [_traced(cluster, tracers, flow) for flow in flows]

    return judge


def _traced(cluster: Cluster, tracers: Mapping[str, Tracer], flow: Flow) -> str:
    translated = translate(cluster, flow)
    if translated is not None and service_judge.translates(tracers, translated):
        backends = list(service_judge.traced(cluster, tracers, flow, translated))
        verdict = joined(one for _, one in backends)
        return _some(backends) if verdict == "some" else verdict
    if translated is not None:
        return joined(_traced_through(cluster, tracers, flow, way) for way in translated.flows)
    source, destination = flow.source, flow.destination
    if destination is None or flow.address is None:
        raise ValueError(f"no endpoint of the lab has {flow.target}")
    way = path(cluster, source, destination, flow.family)
    own = address_of(source, flow.family)
    if way.dropped and own is not None and not isinstance(destination, Host):
        # The rules drop it, and not the wiring.
        return _crossing(cluster, tracers, {getattr(destination, "node", ""): way.seen_as or own}, flow)
    if not way.connected or own is None or way.seen_as is None:
        return "deny"
    crossed: dict[str, Address] = {}
    own_node = isinstance(source, Pod) and node_of(source) is None and node_of(destination) == source.node
    if (way.egress_enforced or own_node or way.node_to_own_pod) and not isinstance(source, Host):
        crossed[getattr(source, "node", source.name)] = own
    if way.ingress_enforced and not isinstance(destination, Host):
        crossed.setdefault(getattr(destination, "node", destination.name), way.seen_as)
    return _crossing(cluster, tracers, crossed, flow)


def _traced_through(
    cluster: Cluster, tracers: Mapping[str, Tracer], flow: Flow, through: BackendFlow
) -> Literal["allow", "deny"]:
    """Judge a flow to one backend of its destination, on each side's node before or after the translation."""
    way, own, end = through.path, address_of(flow.source, flow.family), through.backend.endpoint
    if not way.connected or own is None or way.seen_as is None:
        return "deny"
    before_dnat = cluster.policy.service_egress == "pre-dnat"
    crossed: list[tuple[str, Address, Flow]] = []
    if through.egress is not None and isinstance(flow.source, Pod):
        crossed.append((flow.source.node, own, flow if before_dnat else through.egress.flow))
    if through.ingress is not None and isinstance(end, Pod):
        # A rule reads what the packet was before, so the ruleset of the end's node translates the packet itself.
        here = through.target.node is not None and through.target.node.name == end.node
        untranslated = here and (before_dnat or drops_unpublished(cluster, end))
        crossed.append((end.node, way.seen_as, flow if untranslated else through.ingress.flow))
    verdicts = {_crossing(cluster, tracers, {node: seen}, asked) for node, seen, asked in crossed}
    return "deny" if "deny" in verdicts else "allow"


def _crossing(
    cluster: Cluster, tracers: Mapping[str, Tracer], crossed: Mapping[str, Address], flow: Flow
) -> Literal["allow", "deny"]:
    """Trace a flow's packet through the rulesets of nodes, with the source address that each node sees."""
    source, destination = flow.source, flow.destination
    if flow.address is None:
        return "deny"
    for node, seen in crossed.items():
        of_node = not isinstance(destination, Pod) or destination.host_network
        for_node = of_node and flow.address in cluster.node(node).addresses
        from_node = not isinstance(source, Host) and node_of(source) == node
        came_by = _link(source) if isinstance(source, Pod) and source.node == node and not from_node else None
        packet = Packet(
            seen, flow.address, flow.protocol, flow.port, for_node=for_node, from_node=from_node, came_by=came_by
        )
        if tracers[node].verdict(packet).verdict == "drop":
            return "deny"
    return "allow"


def _link(pod: Pod) -> Link | None:
    """Return the node's end of a pod's link, which the anti-spoof tables match."""
    if not pod.traits.attachment.node_link:
        return None
    return Link(port_name(pod), mac_of(pod.addresses[0]), "a bridge" if pod.traits.attachment.bridged else "")


@contextlib.contextmanager
def packets(documents: Sequence[Document]) -> Iterator[Judge]:
    """Yield the judge that sends packets, in a lab that is built from documents and removed after the block.

    One lab serves all cases: the judge changes its objects to those of a case.

    Raises:
      HostError, KernelError: when this host cannot run a lab.
    """
    from netlab.machines.labs import temporary

    objects, _ = decode(documents)
    with temporary(objects) as lab:

        def judge(wanted: Sequence[Document], cluster: Cluster, flows: Sequence[Flow]) -> list[str]:
            change(lab, wanted)
            if lab.cluster.pods != cluster.pods:
                raise ValueError("the lab's pods are not those of the case")
            here = lab.cluster.by_ref
            # The lab keeps cluster IPs, so a Service may have another cluster IP than in a new cluster.
            services = services_of(lab.cluster)

            def asked() -> Iterator[Flow]:
                for f in flows:
                    source, to = here[f.source.ref], f.destination
                    if f.service is not None:
                        yield service_flow(source, services[f.target], f.protocol, f.port, f.family)
                    else:
                        yield f._replace(source=source, destination=None if to is None else here[to.ref])

            return [
                _some((one.address, one.verdict) for one in m.backends) if m.verdict == "some" else m.verdict
                for m in lab.probe(asked())
            ]

        yield judge


def change(lab: Lab, wanted: Sequence[Document]) -> None:
    """Change a running lab's objects to the wanted ones: delete the others, apply those that differ."""
    have = {key_of(d): d for d in lab.documents}
    want = {key_of(d): d for d in wanted}
    gone = sorted((key for key in have if key not in want), key=lambda key: key.kind == "Namespace")
    if gone:
        lab.delete([ObjectRef(key.kind, key.name, key.namespace) for key in gone])
    if changed := [d for key, d in want.items() if key not in have or have[key].data != d.data]:
        lab.apply(changed)
