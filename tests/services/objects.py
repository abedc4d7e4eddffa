"""Documents of Services, pods and Topologies in short form."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netlab.conformance.shorthand import document, pairs
from netlab.objects.types import Document


def topology(name: str, mode: str = "overlay", families: Sequence[int] = (4,), **more: Any) -> Document:
    """Return a Topology of two nodes and an outside host; ``more`` are further fields of its spec."""
    cidrs = {4: "10.244.0.0/16", 6: "fd00:10:244::/56"}
    hosts = {4: "192.0.2.10", 6: "2001:db8::10"}
    spec: dict[str, Any] = {
        "networks": [{"name": "default", "mode": mode, "podCIDRs": [cidrs[f] for f in families]}],
        "nodes": [{"name": "n1"}, {"name": "n2"}],
        "hosts": [{"name": "out", "addresses": [hosts[f] for f in families]}],
        # No test here uses DNS, and its pod costs time.
        "dns": False,
    }
    return document("Topology", name, spec | more)


def pod(
    ref: str, labels: str = "", node: str = "n1", ports: Sequence[str] = (), *, host: bool = False, **more: Any
) -> Document:
    """Return a Pod; ``ports`` are ``[NAME=]NUMBER[/PROTOCOL]``, ``more`` are further fields of the document."""
    found = []
    for text in ports:
        name, _, port = text.rpartition("=")
        number, _, protocol = port.partition("/")
        named = {"name": name} if name else {}
        found.append({"containerPort": int(number), "protocol": protocol or "TCP"} | named)
    spec: dict[str, Any] = {"nodeName": node, "containers": [{"name": "c", "ports": found}]}
    if host:
        spec["hostNetwork"] = True
    return document("Pod", ref, spec, labels=labels, **more)


def exported(
    ref: str, labels: str = "", node: str = "n1", *, ready: bool = True, terminating: bool = False
) -> Document:
    """Return an exported Pod with the condition Ready; ``terminating`` adds a deletionTimestamp."""
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    found = pod(ref, labels, node, status={"phase": "Running", "conditions": [condition]})
    if terminating:
        found.data["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return found


def service(
    ref: str, selector: str = "", ports: Sequence[str] = ("80",), *, dual: bool = False, **spec: Any
) -> Document:
    """Return a Service; ``ports`` are ``[NAME=]PORT[:TARGET][@NODEPORT][/PROTOCOL]``."""
    items = []
    for text in ports:
        rest, _, protocol = text.partition("/")
        rest, _, node_port = rest.partition("@")
        name, _, rest = rest.rpartition("=")
        number, _, target = rest.partition(":")
        item: dict[str, Any] = {"port": int(number), "protocol": protocol or "TCP"}
        item |= {"name": name} if name else {}
        item |= {"targetPort": int(target) if target.isdecimal() else target} if target else {}
        item |= {"nodePort": int(node_port)} if node_port else {}
        items.append(item)
    fields: dict[str, Any] = {"ports": items}
    fields |= {"selector": pairs(selector)} if selector else {}
    fields |= {"ipFamilyPolicy": "RequireDualStack"} if dual else {}
    labels = spec.pop("labels", "")
    more = {"status": spec.pop("status")} if "status" in spec else {}
    return document("Service", ref, fields | spec, labels=labels, **more)
