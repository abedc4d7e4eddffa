"""Random clusters with policies and Services. The same seed gives the same cases.

Pods, nodes and an outside host ask for a Service at its cluster IP, its nodePorts and its load balancer's address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from netlab import modes
from netlab.conformance.base_cluster import ADDRESSES, HOST, HOST_ADDRESS
from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.judges import SERVICE
from netlab.conformance.random_cases import PODS, stage
from netlab.conformance.shorthand import Data, document, pairs
from netlab.objects.types import Document

# Most pods have the label that most Services select, so that Services have several endpoints.
_LABEL = ("of", "services")
_SELECTORS = (*["of=services"] * 6, "app=p", "app=q", "of=services,app=p", "app=none", "")
_PORTS: tuple[Data, ...] = (
    {"port": 80, "protocol": "TCP"},
    {"port": 8080, "protocol": "TCP", "targetPort": 80},
    {"port": 80, "protocol": "TCP", "targetPort": "web"},
    {"port": 443, "protocol": "TCP", "targetPort": 81},
    {"port": 53, "protocol": "UDP", "targetPort": "dns"},
    {"port": 53, "protocol": "UDP", "targetPort": 80},
    {"port": 80, "protocol": "SCTP"},
)
_TYPES = ("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer")
_RANGES = ("192.0.2.0/24", "10.244.0.0/24", "10.0.0.0/8", "203.0.113.0/24")
# Endpoints of a Service without a selector: pods, the outside host, and an address that no machine has.
_ENDPOINTS = (*(ADDRESSES[ref] for ref in PODS), HOST_ADDRESS, "10.244.0.200")
_FIRST_NODE_PORT = 30_100


def cases(
    count: int, seed: int, mode: str = modes.ONE_NODE, around_of: Callable[[Random, str], Stage] = stage
) -> Iterator[Case]:
    """Yield ``count`` cases without expected verdicts; each depends on the seed and its own number only.

    ``around_of`` returns a random stage, to which Services are added.
    """
    for number in range(count):
        name = f"services-{seed}-{number}"
        around = around_of(Random(f"{seed}-{number}"), mode)  # noqa: S311
        yield Case(f"random/{name}", "random", (_stage(Random(name), around, mode),))  # noqa: S311


def _stage(rng: Random, around: Stage, mode: str) -> Stage:
    services: list[Document] = []
    cells: list[Cell] = []
    nodes = ["node:node-1", *(["node:node-2"] if modes.of(mode).transport.joins_nodes else [])]
    documents = [one for document in around.documents if (one := _changed(rng, document)) is not None]
    pods = ["{namespace}/{name}".format_map(one.data["metadata"]) for one in documents if one.kind == "Pod"]
    for number in range(rng.randint(1, 3)):
        made = _service(rng, number)
        services += made
        cells += _cells(made[0].data, (*pods, *nodes, HOST), nodes)
    return replace(around, documents=(*documents, *services), table=dict.fromkeys(cells))


def _changed(rng: Random, one: Document) -> Document | None:
    """Return a document as a case with Services has it.

    Most Pods get the label. Half of the policies are left out, as many of them deny nearly everything. The lab has no
    DNS, as no case asks for it.
    """
    if one.kind == "Topology":
        return replace(one, data={**one.data, "spec": {**one.data["spec"], "dns": False}})
    if one.kind == "NetworkPolicy":
        return one if rng.random() < 0.5 else None
    if one.kind != "Pod" or rng.random() < 0.2:
        return one
    metadata = one.data["metadata"]
    labels = {**metadata.get("labels", {}), _LABEL[0]: _LABEL[1]}
    return replace(one, data={**one.data, "metadata": {**metadata, "labels": labels}})


def _service(rng: Random, number: int) -> list[Document]:
    """Return a Service, and the Endpoints of one without a selector."""
    ref, kind, selector = f"{rng.choice('xyz')}/s{number}", rng.choice(_TYPES), rng.choice(_SELECTORS)
    chosen: dict[tuple[int, str], Data] = {}
    for item in rng.sample(_PORTS, rng.randint(1, 2)):
        chosen.setdefault((item["port"], item["protocol"]), item)
    ports = [{**item, "name": f"port-{i}"} for i, item in enumerate(chosen.values())]
    spec: Data = {"type": kind, "ports": ports}
    if selector:
        spec["selector"] = pairs(selector)
    if rng.random() < 0.25:
        spec["internalTrafficPolicy"] = "Local"
    if rng.random() < 0.25:
        spec["sessionAffinity"] = "ClientIP"
    status: Data = {}
    if kind != "ClusterIP":
        for i, item in enumerate(ports):
            item["nodePort"] = _FIRST_NODE_PORT + 10 * number + i
        if rng.random() < 0.4:
            spec["externalTrafficPolicy"] = "Local"
    if kind == "LoadBalancer":
        status["status"] = {"loadBalancer": {"ingress": [{"ip": f"198.18.0.{10 + number}"}]}}
        if rng.random() < 0.3:
            spec["loadBalancerSourceRanges"] = rng.sample(_RANGES, rng.randint(1, 2))
    found = [document("Service", ref, spec, **status)]
    if not selector:
        found.append(document("Endpoints", ref, subsets=[_subset(rng, ports)]))
    return found


def _subset(rng: Random, ports: Sequence[Data]) -> Data:
    addresses = rng.sample(_ENDPOINTS, rng.randint(1, 3))
    numbers = [{"name": item["name"], "port": rng.choice((80, 81)), "protocol": item["protocol"]} for item in ports]
    return {"addresses": [{"ip": address} for address in addresses], "ports": numbers}


def _cells(service: Any, sources: Sequence[str], nodes: Sequence[str]) -> Iterator[Cell]:
    meta = service["metadata"]
    name = f"{SERVICE}{meta['namespace']}/{meta['name']}"
    for item in service["spec"]["ports"]:
        frontends = [(name, item["port"])]
        if "nodePort" in item:
            frontends += [(node, item["nodePort"]) for node in nodes]
        for ingress in service.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
            frontends.append((ingress["ip"], item["port"]))
        for source in sources:
            yield from (Cell(source, to, item["protocol"], port) for to, port in frontends)
