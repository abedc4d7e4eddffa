"""NetworkPolicy: decoding, defaulting and validation as the API server does them.

Source: kubernetes pkg/apis/networking, ``v1/defaults.go`` and ``validation/validation.go``. Unknown and duplicate
fields are errors. CIDRs follow the legacy rules (host bits are masked), with the API server's warnings.
"""

from __future__ import annotations

from netlab.errors import Problem
from netlab.objects import names
from netlab.objects.addresses import CIDR_RULE, UNUSUAL_CIDR, cidr_warnings, parse_cidr, prefix_length
from netlab.objects.fields import Fields, forbidden, invalid, required, unsupported
from netlab.objects.kind import Kind
from netlab.objects.label_selectors import label_selector
from netlab.objects.meta import object_meta, open_document
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import (
    Direction,
    Document,
    IPBlock,
    NetworkPolicy,
    Peer,
    PolicyPort,
    Prefix,
    Protocol,
    Rule,
)

API_VERSION = "networking.k8s.io/v1"
PROTOCOLS: tuple[Protocol, ...] = ("TCP", "UDP", "SCTP")
_TYPES: dict[str, Direction] = {"Ingress": "ingress", "Egress": "egress"}
_PORT_RANGE = "must be between 1 and 65535, inclusive"


def network_policy(document: Document) -> tuple[NetworkPolicy, list[Problem]]:
    """Decode a NetworkPolicy of networking.k8s.io/v1; it means nothing where a problem is an error."""
    root = open_document(document, strict=True)
    report = root.report
    # An exported object of Kubernetes 1.24 to 1.27 has a status, which no longer means anything.
    root.only("apiVersion", "kind", "metadata", "spec", "status")
    meta = object_meta(root, strict=True)
    spec = root.sub("spec")
    spec.only("podSelector", "policyTypes", "ingress", "egress")
    _warn_of_null(spec, "podSelector", "every pod of the namespace")
    selector = _selector(spec.sub("podSelector"), "every pod of the namespace")
    ingress = _rules(spec, "ingress", "from")
    egress = _rules(spec, "egress", "to")
    types = _policy_types(spec, egress)
    mistyped = any(p.path.startswith("spec.policyTypes") for p in report.problems)
    for direction, rules in (("ingress", ingress), ("egress", egress)):
        if rules and direction not in types and not mistyped:
            missing = direction.capitalize()
            message = f"rules have no effect: policyTypes has no {missing}; add it, or remove the rules"
            report.warn(spec.at(direction), message, "rules-without-type")
    policy = NetworkPolicy(meta, selector, types, ingress, egress, document.source)
    return policy, report.problems


def _policy_types(spec: Fields, egress: tuple[Rule, ...]) -> frozenset[Direction]:
    written = spec.strings("policyTypes")
    if not spec.data.get("policyTypes"):
        return frozenset(("ingress", "egress") if egress else ("ingress",))
    if len(written) > len(_TYPES):
        spec.error("policyTypes", invalid([t for _, t in written], "may not specify more than two policyTypes"))
        return frozenset()
    for path, value in written:
        if value not in _TYPES:
            spec.report.error(path, unsupported(value, tuple(_TYPES)))
    return frozenset(_TYPES[value] for _, value in written if value in _TYPES)


def _rules(spec: Fields, direction: Direction, peers: str) -> tuple[Rule, ...]:
    rules = []
    _warn_of_null_items(spec, direction, "a rule for every peer and port")
    everybody = "every source" if direction == "ingress" else "every destination"
    for fields in spec.mappings(direction):
        fields.only("ports", peers)
        _warn_of_null(fields, peers, everybody)
        _warn_of_null(fields, "ports", "every port of every protocol")
        _warn_of_null_items(fields, "ports", "every TCP port")
        ports = tuple(_port(item) for item in fields.mappings("ports"))
        found = tuple(_peer(item) for item in fields.mappings(peers))
        rules.append(Rule(found, ports, fields.path, fields.report.source.line(fields.path)))
    return tuple(rules)


def _port(fields: Fields) -> PolicyPort:
    fields.only("protocol", "port", "endPort")
    protocol = fields.choice("protocol", PROTOCOLS, "TCP")
    port, end_port = fields.data.get("port"), fields.integer("endPort")
    _warn_of_null(fields, "port", f"every {protocol} port")
    if isinstance(port, int) and not isinstance(port, bool):
        _check_numbers(fields, port, end_port)
        return PolicyPort(protocol, port, end_port)
    if port is None:
        if end_port is not None:
            fields.error("endPort", invalid(end_port, "may not be specified when `port` is not specified"))
    elif isinstance(port, str):
        if end_port is not None:
            fields.error("endPort", invalid(end_port, "may not be specified when `port` is non-numeric"))
        for message in names.port_name(port):
            fields.error("port", invalid(port, message))
    else:
        fields.error("port", invalid(port, "must be an integer or a string"))
    return PolicyPort(protocol, port)


def _check_numbers(fields: Fields, port: int, end_port: int | None) -> None:
    if not 1 <= port <= 65535:
        fields.error("port", invalid(port, _PORT_RANGE))
    if end_port is None:
        return
    if end_port < port:
        fields.error("endPort", invalid(end_port, "must be greater than or equal to `port`"))
    if not 1 <= end_port <= 65535:
        fields.error("endPort", invalid(end_port, _PORT_RANGE))


def _peer(fields: Fields) -> Peer:
    fields.only("podSelector", "namespaceSelector", "ipBlock")
    pods, namespaces, block = (fields.mapping(n) for n in ("podSelector", "namespaceSelector", "ipBlock"))
    if namespaces:
        _warn_of_null(fields, "podSelector", "every pod of the namespaces")
    peer = Peer(
        _selector(pods, "every pod") if pods else None,
        _selector(namespaces, "every namespace") if namespaces else None,
        _ip_block(block) if block else None,
    )
    written = [n for n in ("podSelector", "namespaceSelector", "ipBlock") if fields.has(n)]
    if not written:
        fields.report.error(fields.path, required("must specify a peer"))
    elif "ipBlock" in written and len(written) > 1:
        fields.report.error(fields.path, forbidden("may not specify both ipBlock and another peer"))
    return peer


def _selector(fields: Fields, everything: str) -> LabelSelector:
    found = label_selector(fields)
    if not found.match_labels and not found.match_expressions:
        for name in ("matchLabels", "matchExpressions"):
            _warn_of_null(fields, name, everything)
    return found


def _warn_of_null(fields: Fields, name: str, meaning: str) -> None:
    """Warn of a field that is written as null: as if it were absent, it means everything."""
    if fields.null(name):
        _warn_of(fields, fields.at(name), meaning)


def _warn_of_null_items(fields: Fields, name: str, meaning: str) -> None:
    items = fields.data.get(name)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if item is None:
            _warn_of(fields, f"{fields.at(name)}[{index}]", meaning)


def _warn_of(fields: Fields, path: str, meaning: str) -> None:
    message = f"null means {meaning}: give it a value, or leave it out if all are meant"
    fields.report.warn(path, message, "null-means-all")


def _ip_block(fields: Fields) -> IPBlock | None:
    fields.only("cidr", "except")
    text, excepts = fields.string("cidr"), fields.strings("except")
    if not text:
        if fields.missing("cidr"):
            fields.error("cidr", required())
        return None
    cidr = _cidr(fields, fields.at("cidr"), text)
    if cidr is None:
        return None
    found = [_except(fields, path, one, cidr, text) for path, one in excepts]
    return IPBlock(cidr, tuple(prefix for prefix in found if prefix is not None))


def _cidr(fields: Fields, path: str, text: str) -> Prefix | None:
    prefix = parse_cidr(text)
    if prefix is None:
        fields.report.error(path, invalid(text, CIDR_RULE))
    for warning in cidr_warnings(text):
        fields.report.warn(path, warning, UNUSUAL_CIDR)
    return prefix


def _except(fields: Fields, path: str, text: str, cidr: Prefix, cidr_text: str) -> Prefix | None:
    prefix = _cidr(fields, path, text)
    if prefix is None:
        return None
    # The API server compares the lengths as written, of an IPv4-mapped prefix that is 96 more than of the IPv4 one.
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
)
