"""NetworkPolicy: decoding, defaults and validation as in the API server.

Source: kubernetes pkg/apis/networking, ``v1/defaults.go`` and ``validation/validation.go``. Unknown and duplicate
fields are errors. In CIDRs host bits are masked. ``objects.versions`` has the servers that refuse them.
"""

from __future__ import annotations

from typing import Any

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import CIDR_RULE, parse_cidr, prefix_length
from netlab.objects.core_v1 import check_cidr_form
from netlab.objects.field_types import CIDR, Choice, Part, Parts, Raw, Root, Text, Texts, Unread, Whole, int_or_text
from netlab.objects.fields import PORT_RANGE, Fields, forbidden, invalid, required, unsupported
from netlab.objects.kind import Kind
from netlab.objects.label_selectors import Selector, label_selector
from netlab.objects.meta import STRICT_METADATA, object_meta, open_document
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.shapes import Field, Shape
from netlab.objects.types import Direction, Document, Prefix, Protocol

API_VERSION = "networking.k8s.io/v1"
PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
_TYPES: dict[str, Direction] = {"Ingress": "ingress", "Egress": "egress"}


class _Port(Shape, strict=True):
    """A port, or a range of ports, that a rule allows."""

    protocol = Choice[Protocol]("protocol", "The protocol.", values=PROTOCOLS, default="TCP")
    port = Raw(
        "port",
        "The port's number, or the name of a container port; by default every port of the protocol.",
        type=int_or_text(1, 65535),
    )
    end_port = Whole("endPort", "The last port of a range that begins with `port`.")


class _IPBlock(Shape, strict=True):
    """A range of addresses."""

    cidr = Text("cidr", "The range, such as 10.0.0.0/8.", required=True)
    excepts = Texts("except", "Ranges inside `cidr` that are excluded.", pattern=CIDR)


class _Peer(Shape, strict=True, any_of=[("podSelector",), ("namespaceSelector",), ("ipBlock",)]):
    """Pods, or a range of addresses."""

    pods = Part("podSelector", "The pods, in the policy's namespace or in the selected ones.", shape=Selector)
    namespaces = Part("namespaceSelector", "The namespaces of the pods.", shape=Selector)
    block = Part("ipBlock", "A range of addresses; no other peer may be beside it.", shape=_IPBlock)


class _Rule(Shape, strict=True):
    """A rule: the traffic that it allows."""

    ports = Parts("ports", "The ports; an empty list stands for every port.", shape=_Port)


class _IngressRule(_Rule):
    """A rule that allows ingress."""

    peers = Parts("from", "The sources; an empty list stands for every source.", shape=_Peer)


class _EgressRule(_Rule):
    """A rule that allows egress."""

    peers = Parts("to", "The destinations; an empty list stands for every destination.", shape=_Peer)


class _Spec(Shape, strict=True):
    """The spec of a NetworkPolicy."""

    pods = Part("podSelector", "The pods that the policy selects; an empty selector matches all.", shape=Selector)
    ingress = Parts("ingress", "What the selected pods may receive.", shape=_IngressRule)
    egress = Parts("egress", "What the selected pods may send.", shape=_EgressRule)
    types = Texts(
        "policyTypes",
        "The directions in which the policy isolates pods; by default Ingress, and with egress rules Egress too.",
        values=tuple(_TYPES),
        most=len(_TYPES),
    )


class _Root(Root, strict=True):
    """Which traffic the selected pods may receive and send."""

    metadata = STRICT_METADATA
    spec = Part("spec", "The pods that the policy selects, and the rules.", shape=_Spec)
    # Kubernetes 1.24 to 1.27 export a status. Later versions do not have it.
    status = Unread("status", "Not read.")


def network_policy(document: Document) -> tuple[NetworkPolicy, list[Problem]]:
    """Decode a NetworkPolicy of networking.k8s.io/v1. The value must not be used if a problem is an error."""
    root = open_document(document, strict=True)
    report = root.report
    _Root.only(root)
    meta = object_meta(root, metadata=_Root.metadata)
    spec = _Root.spec.read(root)
    _Spec.only(spec)
    _warn_of_null(spec, _Spec.pods, "every pod of the namespace")
    selector = _selector(_Spec.pods.read(spec), "every pod of the namespace")
    ingress = _rules(spec, _Spec.ingress, _IngressRule.peers, "every source")
    egress = _rules(spec, _Spec.egress, _EgressRule.peers, "every destination")
    types = _policy_types(spec, egress)
    mistyped = any(p.path.startswith(_Spec.types.at(spec)) for p in report.problems)
    for direction, rules in (("ingress", ingress), ("egress", egress)):
        if rules and direction not in types and not mistyped:
            missing = direction.capitalize()
            message = f"rules have no effect: policyTypes has no {missing}; add it, or remove the rules"
            report.warn(spec.at(direction), message, "rules-without-type")
    policy = NetworkPolicy(meta, selector, types, ingress, egress, document.source)
    return policy, report.problems


def _policy_types(spec: Fields, egress: tuple[Rule, ...]) -> frozenset[Direction]:
    written = _Spec.types.read(spec)
    if _Spec.types.empty(spec):
        return frozenset(("ingress", "egress") if egress else ("ingress",))
    if len(written) > len(_TYPES):
        _Spec.types.error(spec, invalid([t for _, t in written], "may not specify more than two policyTypes"))
        return frozenset()
    for path, value in written:
        if value not in _TYPES:
            spec.report.error(path, unsupported(value, tuple(_TYPES)))
    return frozenset(_TYPES[value] for _, value in written if value in _TYPES)


def _rules(spec: Fields, direction: Parts, peers: Parts, every_peer: str) -> tuple[Rule, ...]:
    rules = []
    _warn_of_null_items(spec, direction, "a rule for every peer and port")
    for fields in direction.read(spec):
        direction.shape.only(fields)
        _warn_of_null(fields, peers, every_peer)
        _warn_of_null(fields, _Rule.ports, "every port of every protocol")
        _warn_of_null_items(fields, _Rule.ports, "every TCP port")
        ports = tuple(_port(item) for item in _Rule.ports.read(fields))
        found = tuple(_peer(item) for item in peers.read(fields))
        rules.append(Rule(found, ports, fields.path, fields.report.source.line(fields.path)))
    return tuple(rules)


def _port(fields: Fields) -> PolicyPort:
    _Port.only(fields)
    protocol = _Port.protocol.read(fields)
    port, end_port = _Port.port.read(fields), _Port.end_port.read(fields)
    _warn_of_null(fields, _Port.port, f"every {protocol} port")
    if isinstance(port, int) and not isinstance(port, bool):
        _check_numbers(fields, port, end_port)
        return PolicyPort(protocol, port, end_port)
    if port is None:
        if end_port is not None:
            _Port.end_port.error(fields, invalid(end_port, "may not be specified when `port` is not specified"))
    elif isinstance(port, str):
        if end_port is not None:
            _Port.end_port.error(fields, invalid(end_port, "may not be specified when `port` is non-numeric"))
        for message in names.port_name(port):
            _Port.port.error(fields, invalid(port, message))
    else:
        _Port.port.error(fields, invalid(port, "must be an integer or a string"))
    return PolicyPort(protocol, port)


def _check_numbers(fields: Fields, port: int, end_port: int | None) -> None:
    if not 1 <= port <= 65535:
        _Port.port.error(fields, invalid(port, PORT_RANGE))
    if end_port is None:
        return
    if end_port < port:
        _Port.end_port.error(fields, invalid(end_port, "must be greater than or equal to `port`"))
    if not 1 <= end_port <= 65535:
        _Port.end_port.error(fields, invalid(end_port, PORT_RANGE))


def _peer(fields: Fields) -> Peer:
    _Peer.only(fields)
    pods, namespaces, block = _Peer.pods.find(fields), _Peer.namespaces.find(fields), _Peer.block.find(fields)
    if namespaces:
        _warn_of_null(fields, _Peer.pods, "every pod of the namespaces")
    peer = Peer(
        _selector(pods, "every pod") if pods else None,
        _selector(namespaces, "every namespace") if namespaces else None,
        _ip_block(block) if block else None,
    )
    written = [field for field in _Peer.fields.values() if field.has(fields)]
    if not written:
        fields.report.error(fields.path, required("must specify a peer"))
    elif _Peer.block in written and len(written) > 1:
        fields.report.error(fields.path, forbidden("may not specify both ipBlock and another peer"))
    return peer


def _selector(fields: Fields, everything: str) -> LabelSelector:
    found = label_selector(fields)
    if not found.match_labels and not found.match_expressions:
        for field in Selector.fields.values():
            _warn_of_null(fields, field, everything)
    return found


def _warn_of_null(fields: Fields, field: Field[Any], meaning: str) -> None:
    """Warn of a field that is null: like an absent field it selects everything, which is seldom intended."""
    if field.null(fields):
        _warn_of(fields, field.at(fields), meaning)


def _warn_of_null_items(fields: Fields, field: Parts, meaning: str) -> None:
    items = fields.data.get(field.name)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if item is None:
            _warn_of(fields, f"{field.at(fields)}[{index}]", meaning)


def _warn_of(fields: Fields, path: str, meaning: str) -> None:
    message = f"null means {meaning}: give it a value, or leave it out if that is intended"
    fields.report.warn(path, message, "null-means-all")


def _ip_block(fields: Fields) -> IPBlock | None:
    _IPBlock.only(fields)
    text, excepts = _IPBlock.cidr.read(fields), _IPBlock.excepts.read(fields)
    if not text:
        if _IPBlock.cidr.missing(fields):
            _IPBlock.cidr.error(fields, required())
        return None
    cidr = _cidr(fields, _IPBlock.cidr.at(fields), text)
    if cidr is None:
        return None
    found = [_except(fields, path, one, cidr, text) for path, one in excepts]
    return IPBlock(cidr, tuple(prefix for prefix in found if prefix is not None))


def _cidr(fields: Fields, path: str, text: str) -> Prefix | None:
    prefix = parse_cidr(text)
    if prefix is None:
        fields.report.error(path, invalid(text, CIDR_RULE))
    else:
        check_cidr_form(fields.report, path, text)
    return prefix


def _except(fields: Fields, path: str, text: str, cidr: Prefix, cidr_text: str) -> Prefix | None:
    prefix = _cidr(fields, path, text)
    if prefix is None:
        return None
    # The API server compares the lengths as written. An IPv4-mapped prefix has 96 more than the IPv4 prefix.
    shorter = prefix.prefixlen <= cidr.prefixlen or prefix_length(text) <= prefix_length(cidr_text)
    if shorter or prefix.version != cidr.version or prefix.network_address not in cidr:
        fields.report.error(path, invalid(text, "must be a strict subset of `cidr`"))
        return None
    return prefix


KIND = Kind(
    "NetworkPolicy",
    API_VERSION,
    NetworkPolicy,
    network_policy,
    plural="networkpolicies",
    short=("netpol",),
    columns=(),
    shape=_Root,
)
