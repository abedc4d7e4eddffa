"""Edge cases about reading: objects that the CRDs refuse, each with a part of the message."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netlab.conformance.cases import Case, Stage
from netlab.conformance.cluster_policies.edge import CHOSEN
from netlab.conformance.cluster_policies.shorthand import OLD, Version
from netlab.conformance.shorthand import parse_yaml
from netlab.objects.cluster_policy_decoder import API_GROUP
from netlab.objects.types import Document

_A = "namespaces: {}"
_RULE = "{action: Deny, from: [{namespaces: {}}]}"
_IN_BODY = "in body should have at least 1"
_CIDR = "Invalid CIDR format provided"
_NAMED = (
    "networks/nodes/domainNames peer cannot be set with namedPorts"
    " since there are no namedPorts for networks/nodes/domainNames"
)
_SINGLETON = 'Only one baseline admin network policy with metadata.name="default" can be created in the cluster'


def _cnp(spec: str, version: Version = "v1beta1", **metadata: str) -> Document:
    """Return a ClusterNetworkPolicy of the tier Admin; ``spec`` is YAML without braces."""
    return _object("ClusterNetworkPolicy", f"tier: Admin, {spec}", version, **metadata)


def _anp(spec: str) -> Document:
    return _object("AdminNetworkPolicy", f"priority: 10, subject: {{{_A}}}, {spec}", OLD)


def _object(kind: str, spec: str, version: Version, **metadata: str) -> Document:
    meta = ", ".join(f"{key}: {value}" for key, value in ({"name": "p"} | metadata).items())
    (found,) = parse_yaml(
        f"{{apiVersion: {API_GROUP}/{version}, kind: {kind}, metadata: {{{meta}}}, spec: {{{spec}}}}}"
    )
    return found


def _in(rule: str) -> Document:
    """Return a policy with an ingress rule."""
    return _cnp(f"priority: 10, subject: {{{_A}}}, ingress: [{{action: Deny, {rule}}}]")


def _out(rule: str, action: str = "Deny") -> Document:
    """Return a policy with an egress rule."""
    return _cnp(f"priority: 10, subject: {{{_A}}}, egress: [{{action: {action}, {rule}}}]")


def _protocols(items: str) -> Document:
    return _in(f"from: [{{{_A}}}], protocols: {items}")


def _networks(*texts: str) -> Document:
    return _out(f"to: [{{networks: {list(texts)}}}]")


def _ingress(count: int, old: bool = False) -> Document:
    rules = f"ingress: [{', '.join([_RULE] * count)}]"
    return _anp(rules) if old else _cnp(f"priority: 10, subject: {{{_A}}}, {rules}")


_SINGLE = f"subject: {{{_A}}}, ingress: [{_RULE}]"
_FROM, _TO = "spec.ingress[0].from", "spec.egress[0].to"

REFUSED: tuple[tuple[int, str, Document, str], ...] = (
    (21, "from: []", _in("from: []"), f"{_FROM} {_IN_BODY} items"),
    (21, "to: []", _out("to: []"), f"{_TO} {_IN_BODY} items"),
    (21, "protocols: []", _protocols("[]"), f"spec.ingress[0].protocols {_IN_BODY} items"),
    (
        22,
        "a peer of two kinds",
        _in("from: [{namespaces: {}, pods: {podSelector: {}}}]"),
        f"{_FROM}[0]: Too many: 2: must have at most 1 item",
    ),
    (23, "an empty peer", _in("from: [{}]"), f"{_FROM}[0] {_IN_BODY} properties"),
    *(
        (
            number,
            f"an unknown peer in a rule with action {action}",
            _out("to: [{namespaces: {}}, {services: {}}]", action),
            'spec.egress[0].to[1].services: unknown field "services"',
        )
        for number, action in ((24, "Accept"), (25, "Pass"), (26, "Deny"))
    ),
    (
        27,
        f"an empty item of protocols{CHOSEN}",
        _protocols("[{}]"),
        f"spec.ingress[0].protocols[0] {_IN_BODY} properties",
    ),
    (28, "tcp: {}", _protocols("[{tcp: {}}]"), f"spec.ingress[0].protocols[0].tcp {_IN_BODY} properties"),
    (
        28,
        "destinationPort: {}",
        _protocols("[{tcp: {destinationPort: {}}}]"),
        f"spec.ingress[0].protocols[0].tcp.destinationPort {_IN_BODY} properties",
    ),
    (
        30,
        "a range of one port",
        _protocols("[{tcp: {destinationPort: {range: {start: 80, end: 80}}}}]"),
        "destinationPort.range: Invalid value: Start port must be less than End port",
    ),
    (
        40,
        "host bits of a network",
        _networks("10.1.2.3/8"),
        f'{_TO}[0].networks[0]: Invalid value: "10.1.2.3/8": {_CIDR}',
    ),
    (41, "an IPv4-mapped network", _networks("::ffff:10.0.0.0/104"), _CIDR),
    (41, "leading zeros in a network", _networks("010.0.0.0/8"), _CIDR),
    (41, "an address as a network", _networks("10.0.0.1"), _CIDR),
    (
        42,
        "a network twice in a peer",
        _networks("10.0.0.0/8", "10.0.0.0/8"),
        f'{_TO}[0].networks[1]: Duplicate value: "10.0.0.0/8"',
    ),
    (
        54,
        "a named port with networks",
        _out("to: [{networks: ['10.0.0.0/8']}], protocols: [{destinationNamedPort: web}]"),
        f"spec.egress[0]: Invalid value: {_NAMED}",
    ),
    (
        54,
        "a named port with nodes beside pods",
        _out("to: [{namespaces: {}}, {nodes: {}}], protocols: [{destinationNamedPort: web}]"),
        _NAMED,
    ),
    (56, f"a named port without a name{CHOSEN}", _protocols("[{destinationNamedPort: ''}]"), "must be the name of a"),
    (
        57,
        f"Deny with domainNames{CHOSEN}",
        _out("to: [{domainNames: [example.com]}]"),
        f"{_TO}[0].domainNames: Forbidden: may only be used with the action Accept",
    ),
    (
        60,
        "pods without a podSelector",
        _in("from: [{pods: {namespaceSelector: {}}}]"),
        f"{_FROM}[0].pods.podSelector: Required value",
    ),
    (
        60,
        "a null podSelector",
        _in("from: [{pods: {namespaceSelector: {}, podSelector: null}}]"),
        "podSelector: Required value",
    ),
    (
        61,
        "pods without a namespaceSelector in v1alpha1",
        _anp("ingress: [{action: Deny, from: [{pods: {podSelector: {}}}]}]"),
        f"{_FROM}[0].pods.namespaceSelector: Required value",
    ),
    (
        62,
        "namespaceSelector below namespaces",
        _in("from: [{namespaces: {namespaceSelector: {matchLabels: {ns: 'y'}}}}]"),
        'from[0].namespaces.namespaceSelector: unknown field "namespaceSelector"; an API server prunes it',
    ),
    (
        63,
        f"operator notIn{CHOSEN}",
        _in("from: [{namespaces: {matchExpressions: [{key: ns, operator: notIn, values: ['y']}]}}]"),
        f'{_FROM}[0].namespaces.matchExpressions[0].operator: Invalid value: "notIn": not a valid selector operator',
    ),
    (
        64,
        "a BaselineAdminNetworkPolicy with another name",
        _object("BaselineAdminNetworkPolicy", _SINGLE, OLD),
        _SINGLETON,
    ),
    (
        66,
        "priority 1001",
        _cnp(f"priority: 1001, {_SINGLE}"),
        "spec.priority in body should be less than or equal to 1000",
    ),
    (66, "priority -1", _cnp(f"priority: -1, {_SINGLE}"), "spec.priority in body should be greater than or equal to 0"),
    (67, "26 rules", _ingress(26), "spec.ingress: Too many: 26: must have at most 25 items"),
    (67, "101 rules in v1alpha1", _ingress(101, old=True), "spec.ingress: Too many: 101: must have at most 100 items"),
)


def refusals(base: Sequence[Document]) -> Iterator[Case]:
    """Yield the cases, each on the documents of a cluster."""
    for number, name, wrong, message in REFUSED:
        yield Case(f"edge/{number:02} {name}", "edge", (Stage("read", (*base, wrong), {}),), message)
