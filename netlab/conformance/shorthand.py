"""Shorthand for objects, as plain documents: cases test the reading of documents too.

Selectors are written as kubectl writes them: ``"app=web,tier notin (a,b),!old"``; "" selects everything. Ports are
``"80"``, ``"80/UDP"``, ``"80-90/TCP"``, ``"http"``, ``"/SCTP"`` (every port of a protocol) or "" (an empty item).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from netlab.objects.documents import parse
from netlab.objects.kind import get
from netlab.objects.types import Document, Source

Data = dict[str, Any]

_FILE = "conformance"
_REQUIREMENT = re.compile(r"(?P<key>\S+) (?P<operator>in|notin) \((?P<values>[^)]*)\)")
_KEY = re.compile(r"!?[^\s!()]+")
_PORT = re.compile(r"(?P<port>[^/-][^/]*)?(?:/(?P<protocol>\w+))?")


def parse_yaml(text: str) -> tuple[Document, ...]:
    """Return the documents of a YAML text; raises ValueError for invalid YAML."""
    documents, problems = parse(text, _FILE)
    if problems:
        raise ValueError("; ".join(map(str, problems)))
    return tuple(documents)


def document(kind: str, ref: str, spec: Data | None = None, *, labels: str = "", **more: Any) -> Document:
    """Return an object of a kind with a ``NAMESPACE/NAME``; ``labels`` is as for ``pairs``."""
    namespace, _, name = ref.rpartition("/")
    metadata: Data = {"name": name, **({"namespace": namespace} if namespace else {})}
    if labels:
        metadata["labels"] = pairs(labels)
    known = get(kind)
    data: Data = {"apiVersion": known.api_version if known is not None else "v1", "kind": kind, "metadata": metadata}
    if spec is not None:
        data["spec"] = spec
    return Document({**data, **more}, Source(_FILE))


def policy(
    ref: str,
    selector: str = "",
    *,
    ingress: Sequence[Data] | None = None,
    egress: Sequence[Data] | None = None,
    types: Sequence[str] | None = None,
) -> Document:
    """Return a NetworkPolicy; ``types`` defaults to the directions with a list of rules, also an empty one."""
    rules = {"ingress": ingress, "egress": egress}
    spec: Data = {"podSelector": selector_of(selector)}
    spec["policyTypes"] = (
        [d.capitalize() for d, given in rules.items() if given is not None] if types is None else types
    )
    return document("NetworkPolicy", ref, spec | {d: list(given) for d, given in rules.items() if given is not None})


def policy_text(ref: str, spec: str) -> Document:
    """Return a NetworkPolicy with a spec in YAML, which tells absent, null and empty fields apart."""
    (found,) = parse_yaml(f"{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {spec}}}")
    return document("NetworkPolicy", ref, found.data["spec"])


def pod(ref: str, labels: str, address: str, ports: Sequence[str] = (), node: str = "") -> Document:
    """Return a Pod with an address; ``ports`` are ``[NAME=]NUMBER/PROTOCOL``.

    Each port has a container of its own, as names of ports are unique in a container.
    """
    containers: list[Data] = []
    for index, text in enumerate(ports):
        name, _, port = text.rpartition("=")
        number, _, protocol = port.partition("/")
        found = {"containerPort": int(number), "protocol": protocol} | ({"name": name} if name else {})
        containers.append({"name": f"c{index}", "ports": [found]})
    spec: Data = {"containers": containers or [{"name": "c0"}], **({"nodeName": node} if node else {})}
    return document("Pod", ref, spec, labels=labels, status={"podIPs": [{"ip": address}]})


def rule(direction: str, peers: Sequence[Data] = (), ports: Sequence[str] = ()) -> Data:
    """Return a rule; empty peers and ports are left out."""
    where = "from" if direction == "ingress" else "to"
    found: Data = {where: list(peers)} if peers else {}
    return found | ({"ports": [port(text) for text in ports]} if ports else {})


def peer(pods: str | None = None, ns: str | None = None) -> Data:
    """Return a peer with selectors; None leaves a selector out."""
    found = {"podSelector": pods, "namespaceSelector": ns}
    return {name: selector_of(text) for name, text in found.items() if text is not None}


def block(cidr: str, *but: str) -> Data:
    """Return a peer with an ipBlock; ``but`` are its exceptions."""
    return {"ipBlock": {"cidr": cidr, **({"except": list(but)} if but else {})}}


def port(text: str) -> Data:
    """Return an item of ``ports``; parts that the text lacks are left out."""
    match = _PORT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a port: {text!r}")
    found: Data = {"protocol": match["protocol"]} if match["protocol"] else {}
    number = match["port"] or ""
    first, dash, last = number.partition("-")
    if first.isdecimal():
        return found | {"port": int(first)} | ({"endPort": int(last)} if dash else {})
    return found | ({"port": number} if number else {})


def pairs(text: str) -> dict[str, str]:
    """Return the labels of ``"a=b,c=d"``."""
    return dict(part.split("=", 1) for part in text.split(",") if part)


def selector_of(text: str) -> Data:
    """Return the selector of kubectl's text form; raises ValueError for another text."""
    labels: Data = {}
    expressions: list[Mapping[str, Any]] = []
    for part in re.split(r",(?![^(]*\))", text) if text else []:
        if found := _REQUIREMENT.fullmatch(part):
            operator = "In" if found["operator"] == "in" else "NotIn"
            expressions.append({"key": found["key"], "operator": operator, "values": found["values"].split(",")})
        elif "=" in part:
            labels |= pairs(part)
        elif not _KEY.fullmatch(part):
            raise ValueError(f"not a selector: {text!r}")
        else:
            operator = "DoesNotExist" if part.startswith("!") else "Exists"
            expressions.append({"key": part.lstrip("!"), "operator": operator})
    return ({"matchLabels": labels} if labels else {}) | ({"matchExpressions": expressions} if expressions else {})
