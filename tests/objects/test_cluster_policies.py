"""Cluster-wide policies: every rule of their CRDs with its path and its message, and the values that they become."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from netlab.cli import kind_names, listing
from netlab.cluster.resolve import resolve
from netlab.errors import Problem, UsageError
from netlab.objects import Objects, decode
from netlab.objects.cluster_policies import ClusterPeer, ClusterPolicy, ClusterRule, PodsPeer, is_named
from netlab.objects.document_changes import apply, delete
from netlab.objects.documents import parse
from netlab.objects.ignored import ignored_documents
from netlab.objects.policies import PolicyPort
from netlab.objects.reduced import reduced
from netlab.objects.scenarios import ObjectRef
from netlab.objects.selectors import LabelSelector

Read = Callable[[str], tuple[Objects, list[Problem]]]
Problems = Callable[[str], list[str]]

GROUP = "policy.networking.k8s.io"
VERSIONS = {
    "ClusterNetworkPolicy": "v1beta1",
    "AdminNetworkPolicy": "v1alpha1",
    "BaselineAdminNetworkPolicy": "v1alpha1",
}
CNP, ANP, BANP = VERSIONS
PODS = "{namespaces: {}}"
TEAM = LabelSelector((("team", "a"),))
EVERY = ClusterPeer(PodsPeer(LabelSelector()))
DOMAIN = r"([-a-zA-Z0-9_]*[a-zA-Z0-9])?"
FIRST = r"^(\*\.)?([a-zA-Z0-9]" + DOMAIN + r"\.)+[a-zA-Z0-9]" + DOMAIN + r"\.?$"


def policy(kind: str, *, version: str = "", **fields: str) -> str:
    """Return a policy whose spec has the given fields, each on a line of its own from line 5; "" leaves one out."""
    head = {"tier": "Admin", "priority": "1"} if kind == CNP else {"priority": "1"} if kind == ANP else {}
    spec = {**head, "subject": PODS, **fields}
    lines = "".join(f"  {name}: {text}\n" for name, text in spec.items() if text)
    api = f"{GROUP}/{version or VERSIONS[kind]}"
    return f"apiVersion: {api}\nkind: {kind}\nmetadata: {{name: default}}\nspec:\n{lines or '  {}'}"


def rule(kind: str, direction: str, text: str = "", peer: str = PODS) -> str:
    """Return one rule of a direction with more fields."""
    action = "Accept" if kind == CNP else "Allow"
    return f"[{{action: {action}, {'from' if direction == 'ingress' else 'to'}: [{peer}]{text and f', {text}'}}}]"


def ports(kind: str, items: str, *, peer: str = PODS) -> str:
    """Return a policy with an egress rule for some ports."""
    name = "protocols" if kind == CNP else "ports"
    return policy(kind, egress=rule(kind, "egress", f"{name}: [{items}]", peer))


def to(kind: str, peer: str) -> str:
    """Return a policy with an egress rule for one peer."""
    return policy(kind, egress=rule(kind, "egress", peer=peer))


def below(path: str, least: str) -> str:
    return f"{path}: Invalid value: 0: {path} in body should have at least 1 {least}"


def typed(path: str, found: str, wanted: str) -> str:
    return f'{path}: Invalid value: "{found}": {path} in body must be of type {wanted}: "{found}"'


def many(count: int) -> str:
    return ", ".join(f"10.{number}.0.0/16" for number in range(count))


def no_cidr(text: str) -> str:
    return f'spec.egress[0].to[0].networks[0]: Invalid value: "{text}": Invalid CIDR format provided'


PORT = "spec.egress[0].protocols[0]"
NUMBER = "spec.egress[0].ports[0].portNumber"
NAMES = "since there are no namedPorts for"
SELECTOR = "spec.subject.namespaces"
PRUNED = "an API server prunes it, and what is left selects every namespace"

INVALID: dict[str, tuple[str, list[str]]] = {
    # --- the spec
    "no spec": (f"apiVersion: {GROUP}/v1beta1\nkind: {CNP}\nmetadata: {{name: a}}\n", ["spec: Required value"]),
    "an empty spec": (
        policy(CNP, tier="", priority="", subject=""),
        ["spec.tier: Required value", "spec.priority: Required value", "spec.subject: Required value"],
    ),
    "nulls": (
        policy(CNP, tier="null", priority="null", subject="null"),
        ["spec.tier: Required value", "spec.priority: Required value", "spec.subject: Required value"],
    ),
    "a tier in lower case": (
        policy(CNP, tier="admin"),
        ['spec.tier: Unsupported value: "admin": supported values: "Admin", "Baseline"'],
    ),
    "a priority that is too high": (
        policy(CNP, priority="1001"),
        ["spec.priority: Invalid value: 1001: spec.priority in body should be less than or equal to 1000"],
    ),
    "a negative priority": (
        policy(ANP, priority="-1"),
        ["spec.priority: Invalid value: -1: spec.priority in body should be greater than or equal to 0"],
    ),
    "a priority in quotes": (policy(CNP, priority="'1'"), [typed("spec.priority", "string", "integer")]),
    "a priority that is no whole number": (policy(CNP, priority="1.5"), [typed("spec.priority", "number", "integer")]),
    "a priority of a baseline policy": (policy(BANP, priority="1"), ['spec.priority: unknown field "priority"']),
    "a tier of an admin policy": (policy(ANP, tier="Admin"), ['spec.tier: unknown field "tier"']),
    "rules that are no list": (policy(CNP, ingress="{}"), [typed("spec.ingress", "object", "array")]),
    "a rule that is null": (policy(CNP, ingress="[null]"), [typed("spec.ingress[0]", "null", "object")]),
    "26 rules": (
        policy(CNP, ingress=f"[{', '.join([rule(CNP, 'ingress')[1:-1]] * 26)}]"),
        ["spec.ingress: Too many: 26: must have at most 25 items"],
    ),
    "101 rules of an admin policy": (
        policy(ANP, egress=f"[{', '.join([rule(ANP, 'egress')[1:-1]] * 101)}]"),
        ["spec.egress: Too many: 101: must have at most 100 items"],
    ),
    # --- subject and peers
    "a subject without a field": (policy(CNP, subject="{}"), [below("spec.subject", "properties")]),
    "a subject with two fields": (
        policy(CNP, subject="{namespaces: {}, pods: {podSelector: {}}}"),
        ["spec.subject: Too many: 2: must have at most 1 item"],
    ),
    "a subject that is null inside": (policy(CNP, subject="{namespaces: null}"), [below("spec.subject", "properties")]),
    "a subject of addresses": (
        policy(CNP, subject="{networks: [10.0.0.0/8]}"),
        ['spec.subject.networks: unknown field "networks"; a subject and a peer of an ingress rule are pods'],
    ),
    "pods without podSelector": (
        policy(CNP, subject="{pods: {namespaceSelector: {}}}"),
        ["spec.subject.pods.podSelector: Required value"],
    ),
    "pods without namespaceSelector": (
        policy(ANP, subject="{pods: {podSelector: {}}}"),
        ["spec.subject.pods.namespaceSelector: Required value"],
    ),
    "no peers": (policy(CNP, ingress="[{action: Deny}]"), ["spec.ingress[0].from: Required value"]),
    "an empty list of peers": (
        policy(CNP, ingress="[{action: Deny, from: []}]"),
        [below("spec.ingress[0].from", "items")],
    ),
    "a peer without a field": (to(CNP, "{}"), [below("spec.egress[0].to[0]", "properties")]),
    "a peer that is null": (to(CNP, "null"), [typed("spec.egress[0].to[0]", "null", "object")]),
    "a peer with two fields": (
        to(CNP, "{namespaces: {}, networks: [10.0.0.0/8]}"),
        ["spec.egress[0].to[0]: Too many: 2: must have at most 1 item"],
    ),
    "networks for ingress": (
        policy(CNP, ingress=rule(CNP, "ingress", peer="{networks: [10.0.0.0/8]}")),
        [
            'spec.ingress[0].from[0].networks: unknown field "networks";'
            " a subject and a peer of an ingress rule are pods"
        ],
    ),
    "domain names of a baseline policy": (
        to(BANP, "{domainNames: [a.example]}"),
        ['spec.egress[0].to[0].domainNames: unknown field "domainNames"'],
    ),
    # --- fields of version 0.1.1, which an API server prunes
    "the old namespaceSelector": (
        policy(CNP, subject="{namespaces: {namespaceSelector: {matchLabels: {team: a}}}}"),
        [
            f'{SELECTOR}.namespaceSelector: unknown field "namespaceSelector"; {PRUNED};'
            ' write the selector itself: "matchLabels"'
        ],
    ),
    "sameLabels": (
        policy(ANP, subject="{namespaces: {sameLabels: [team]}}"),
        [f'{SELECTOR}.sameLabels: unknown field "sameLabels"; {PRUNED}; write the selector itself: "matchLabels"'],
    ),
    "the old namespaces of pods": (
        policy(CNP, subject="{pods: {namespaces: {namespaceSelector: {}}, podSelector: {}}}"),
        [f'spec.subject.pods.namespaces: unknown field "namespaces"; {PRUNED}; write "namespaceSelector"'],
    ),
    "the old namespaces of pods of an admin policy": (
        policy(ANP, subject="{pods: {namespaces: {namespaceSelector: {}}, podSelector: {}}}"),
        [
            'spec.subject.pods.namespaces: unknown field "namespaces"; write "namespaceSelector"',
            "spec.subject.pods.namespaceSelector: Required value",
        ],
    ),
    "the ports of an admin policy": (
        policy(CNP, ingress=rule(CNP, "ingress", "ports: []")),
        ['spec.ingress[0].ports: unknown field "ports"; write "protocols"'],
    ),
    "a namespace by its name": (
        policy(CNP, subject="{namespaces: {name: shop}}"),
        [
            f'{SELECTOR}.name: unknown field "name";'
            ' write "matchLabels: {kubernetes.io/metadata.name: …}", a label that each namespace has'
        ],
    ),
    "the peer of a NetworkPolicy": (
        policy(CNP, ingress=rule(CNP, "ingress", peer="{podSelector: {}}")),
        [
            'spec.ingress[0].from[0].podSelector: unknown field "podSelector";'
            ' write "pods: {namespaceSelector: …, podSelector: …}"'
        ],
    ),
    "a misspelt peer": (
        to(CNP, "{namespace: {}}"),
        ['spec.egress[0].to[0].namespace: unknown field "namespace"; did you mean "namespaces"?'],
    ),
    # --- selectors
    "an operator in lower case": (
        policy(CNP, subject="{namespaces: {matchExpressions: [{key: a, operator: notIn, values: [b]}]}}"),
        [f'{SELECTOR}.matchExpressions[0].operator: Invalid value: "notIn": not a valid selector operator'],
    ),
    "In without values": (
        policy(CNP, subject="{namespaces: {matchExpressions: [{key: a, operator: In, values: []}]}}"),
        [
            f"{SELECTOR}.matchExpressions[0].values: Required value:"
            " must be specified when `operator` is 'In' or 'NotIn'"
        ],
    ),
    "no key and no operator": (
        policy(CNP, subject="{namespaces: {matchExpressions: [{}]}}"),
        [f"{SELECTOR}.matchExpressions[0].{name}: Required value" for name in ("key", "operator")],
    ),
    "a label that is a number": (
        policy(CNP, subject="{namespaces: {matchLabels: {a: 1}}}"),
        [typed(f"{SELECTOR}.matchLabels.a", "integer", "string")],
    ),
    "labels that are a list": (
        policy(CNP, subject="{namespaces: {matchLabels: [a]}}"),
        [typed(f"{SELECTOR}.matchLabels", "array", "object")],
    ),
    "a value that is true": (
        policy(CNP, subject="{namespaces: {matchExpressions: [{key: a, operator: In, values: [true, b]}]}}"),
        [typed(f"{SELECTOR}.matchExpressions[0].values[0]", "boolean", "string")],
    ),
    "an unknown field of a selector": (
        policy(CNP, subject="{namespaces: {matchLabel: {a: b}}}"),
        [f'{SELECTOR}.matchLabel: unknown field "matchLabel"; did you mean "matchLabels"?'],
    ),
    # --- rules
    "no action": (policy(CNP, ingress=f"[{{from: [{PODS}]}}]"), ["spec.ingress[0].action: Required value"]),
    "an action of the older version": (
        policy(CNP, ingress=f"[{{action: Allow, from: [{PODS}]}}]"),
        ['spec.ingress[0].action: Unsupported value: "Allow": supported values: "Accept", "Deny", "Pass"'],
    ),
    "an action of the newer version": (
        policy(ANP, ingress=f"[{{action: Accept, from: [{PODS}]}}]"),
        ['spec.ingress[0].action: Unsupported value: "Accept": supported values: "Allow", "Deny", "Pass"'],
    ),
    "Pass of a baseline policy": (
        policy(BANP, ingress=f"[{{action: Pass, from: [{PODS}]}}]"),
        ['spec.ingress[0].action: Unsupported value: "Pass": supported values: "Allow", "Deny"'],
    ),
    "a long name": (
        policy(CNP, ingress=rule(CNP, "ingress", f"name: {'x' * 101}")),
        ["spec.ingress[0].name: Too long: may not be more than 100 bytes"],
    ),
    # --- networks
    "no networks": (to(CNP, "{networks: []}"), [below("spec.egress[0].to[0].networks", "items")]),
    "26 networks": (
        to(ANP, f"{{networks: [{many(26)}]}}"),
        ["spec.egress[0].to[0].networks: Too many: 26: must have at most 25 items"],
    ),
    "one network twice": (
        to(CNP, "{networks: [10.0.0.0/8, 10.0.0.0/8]}"),
        ['spec.egress[0].to[0].networks[1]: Duplicate value: "10.0.0.0/8"'],
    ),
    "a long network": (
        to(CNP, f"{{networks: ['{'0' * 44}']}}"),
        ["spec.egress[0].to[0].networks[0]: Too long: may not be more than 43 bytes"],
    ),
    "an address": (to(CNP, "{networks: [10.0.0.1]}"), [no_cidr("10.0.0.1")]),
    "an octet that is too large": (to(CNP, "{networks: [10.0.0.300/24]}"), [no_cidr("10.0.0.300/24")]),
    "host bits": (to(CNP, "{networks: [10.1.2.3/8]}"), [no_cidr("10.1.2.3/8")]),
    "leading zeros": (to(ANP, "{networks: [010.0.0.0/8]}"), [no_cidr("010.0.0.0/8")]),
    "leading zeros of the length": (to(ANP, "{networks: [10.0.0.0/08]}"), [no_cidr("10.0.0.0/08")]),
    "an IPv4-mapped network": (to(ANP, "{networks: ['::ffff:10.0.0.0/104']}"), [no_cidr("::ffff:10.0.0.0/104")]),
    "a zone": (to(ANP, "{networks: ['fe80::1%eth0/64']}"), [no_cidr("fe80::1%eth0/64")]),
    "a mask": (to(ANP, "{networks: [10.0.0.0/255.0.0.0]}"), [no_cidr("10.0.0.0/255.0.0.0")]),
    "a length that is too large": (to(ANP, "{networks: [10.0.0.0/33]}"), [no_cidr("10.0.0.0/33")]),
    # --- domain names
    "a name of one label": (
        to(CNP, "{domainNames: [x]}"),
        [
            'spec.egress[0].to[0].domainNames[0]: Invalid value: "x": spec.egress[0].to[0].domainNames[0] in body'
            f" should match '{FIRST}'"
        ],
    ),
    "a name with punctuation of the older pattern": (
        to(ANP, "{domainNames: ['a.-b']}"),
        [
            'spec.egress[0].to[0].domainNames[0]: Invalid value: "a.-b": spec.egress[0].to[0].domainNames[0] in body'
            f" should match '{FIRST.replace('A-Z0-9]' + DOMAIN, 'A-z0-9]' + DOMAIN)}'"
        ],
    ),
    "a name that is denied": (
        policy(CNP, egress="[{action: Deny, to: [{domainNames: [a.example]}]}]"),
        ["spec.egress[0].to[0].domainNames: Forbidden: may only be used with the action Accept"],
    ),
    "a name that is passed": (
        policy(ANP, egress="[{action: Pass, to: [{domainNames: [a.example]}]}]"),
        ["spec.egress[0].to[0].domainNames: Forbidden: may only be used with the action Allow"],
    ),
    # --- ports
    "no ports": (ports(CNP, ""), [below("spec.egress[0].protocols", "items")]),
    "a port without a field": (ports(CNP, "{}"), [below(PORT, "properties")]),
    "a port with two fields": (
        ports(CNP, "{destinationNamedPort: a, tcp: {destinationPort: {number: 1}}}"),
        [f"{PORT}: Too many: 2: must have at most 1 item"],
    ),
    "TCP alone": (ports(CNP, "{tcp: {}}"), [below(f"{PORT}.tcp", "properties")]),
    "an empty port": (
        ports(CNP, "{udp: {destinationPort: {}}}"),
        [below(f"{PORT}.udp.destinationPort", "properties")],
    ),
    "number and range": (
        ports(CNP, "{tcp: {destinationPort: {number: 1, range: {start: 1, end: 2}}}}"),
        [f"{PORT}.tcp.destinationPort: Too many: 2: must have at most 1 item"],
    ),
    "port 0": (
        ports(CNP, "{tcp: {destinationPort: {number: 0}}}"),
        [
            f"{PORT}.tcp.destinationPort.number: Invalid value: 0: {PORT}.tcp.destinationPort.number in body should be"
            " greater than or equal to 1"
        ],
    ),
    "port 65536": (
        ports(ANP, "{portNumber: {port: 65536}}"),
        [f"{NUMBER}.port: Invalid value: 65536: {NUMBER}.port in body should be less than or equal to 65535"],
    ),
    "a range of one port": (
        ports(CNP, "{tcp: {destinationPort: {range: {start: 80, end: 80}}}}"),
        [f"{PORT}.tcp.destinationPort.range: Invalid value: Start port must be less than End port"],
    ),
    "a range that ends before its start": (
        ports(CNP, "{sctp: {destinationPort: {range: {start: 90, end: 80}}}}"),
        [f"{PORT}.sctp.destinationPort.range: Invalid value: Start port must be less than End port"],
    ),
    "half a range": (
        ports(CNP, "{tcp: {destinationPort: {range: {start: 80}}}}"),
        [f"{PORT}.tcp.destinationPort.range.end: Required value"],
    ),
    "ICMP": (ports(CNP, "{icmp: {}}"), [f'{PORT}.icmp: unknown field "icmp"']),
    "a port number as a name": (
        ports(CNP, "{destinationNamedPort: 80}"),
        [typed(f"{PORT}.destinationNamedPort", "integer", "string")],
    ),
    "an empty name": (
        ports(CNP, "{destinationNamedPort: ''}"),
        [f'{PORT}.destinationNamedPort: Invalid value: "": must be the name of a container port'],
    ),
    "a port number without a port": (ports(ANP, "{portNumber: {protocol: UDP}}"), [f"{NUMBER}.port: Required value"]),
    "names and networks": (
        ports(CNP, "{destinationNamedPort: web}", peer="{networks: [10.0.0.0/8]}"),
        [
            "spec.egress[0]: Invalid value: networks/nodes/domainNames peer cannot be set with namedPorts"
            f" {NAMES} networks/nodes/domainNames"
        ],
    ),
    "a name that no port can have and nodes": (
        ports(CNP, "{destinationNamedPort: 'a b'}", peer="{nodes: {}}"),
        [
            "spec.egress[0]: Invalid value: networks/nodes/domainNames peer cannot be set with namedPorts"
            f" {NAMES} networks/nodes/domainNames"
        ],
    ),
    "names and nodes of a baseline policy": (
        ports(BANP, "{namedPort: web}", peer="{nodes: {}}"),
        [f"spec.egress[0]: Invalid value: networks/nodes peer cannot be set with namedPorts {NAMES} networks/nodes"],
    ),
    # --- the object
    "another baseline policy": (
        policy(BANP).replace("name: default", "name: other"),
        [
            ': Invalid value: Only one baseline admin network policy with metadata.name="default" can be'
            " created in the cluster"
        ],
    ),
    "a field of the object": (policy(CNP) + "rules: []\n", ['rules: unknown field "rules"']),
    "a field of metadata": (
        policy(CNP).replace("name: default", "name: default, lables: {}"),
        ['metadata.lables: unknown field "lables"; did you mean "labels"?'],
    ),
    "a version that does not exist": (
        policy(CNP, version="v1"),
        [f'apiVersion: Invalid value: "{GROUP}/v1": no {CNP} that netlab reads; write "{GROUP}/v1beta1"'],
    ),
    "the version of another kind": (
        policy(ANP, version="v1alpha2"),
        [f'apiVersion: Invalid value: "{GROUP}/v1alpha2": no {ANP} that netlab reads; write "{GROUP}/v1alpha1"'],
    ),
    "the group of NetworkPolicy": (
        policy(ANP).replace(f"{GROUP}/v1alpha1", "networking.k8s.io/v1"),
        [f'apiVersion: Invalid value: "networking.k8s.io/v1": no {ANP} that netlab reads; write "{GROUP}/v1alpha1"'],
    ),
    "a kind in another case": (
        policy(CNP).replace(CNP, "clusternetworkpolicy"),
        [f'kind: Invalid value: "clusternetworkpolicy": no such kind; write "{CNP}"'],
    ),
}


@pytest.mark.parametrize(("text", "expected"), INVALID.values(), ids=INVALID)
def test_what_a_crd_refuses_is_an_error(problems: Problems, text: str, expected: list[str]) -> None:
    """With the API server's path and message."""
    assert expected == problems(text)


def test_v1alpha2_is_checked_as_v1beta1(problems: Problems) -> None:
    """The two versions of ClusterNetworkPolicy are equal."""
    for text, expected in INVALID.values():
        if f"{GROUP}/v1beta1" in text:
            assert expected == problems(text.replace("v1beta1", "v1alpha2", 1))


def test_all_problems_of_a_policy_are_reported_at_once(read_text: Read) -> None:
    """Each with its line."""
    text = policy(
        CNP,
        priority="-1",
        subject="{namespaces: {matchLabels: {a: -}}}",
        ingress=rule(CNP, "ingress", peer="{}"),
        egress=rule(CNP, "egress", peer="{networks: [10.1.0.0/8]}"),
    )

    assert [
        (6, "spec.priority"),
        (8, "spec.ingress[0].from[0]"),
        (7, "spec.subject.namespaces.matchLabels"),
        (9, "spec.egress[0].to[0].networks[0]"),
    ] == [(one.line, one.path) for one in read_text(text)[1]]


def test_rules_of_a_crd_wait_until_its_schema_is_right(problems: Problems) -> None:
    """As in the API server: an error of type, enum, length or size, or a missing field, stops the CEL rules."""
    egress = rule(CNP, "egress", peer="{networks: [10.1.0.0/8]}")

    assert [
        "spec.priority: Required value",
        ": some validation rules were not checked because the object was invalid; correct the existing errors to"
        " complete validation",
    ] == problems(policy(CNP, priority="", egress=egress))
    assert ["spec.priority: Required value"] == problems(policy(CNP, priority=""))
    assert [no_cidr("10.1.0.0/8")] == problems(policy(CNP, egress=egress))


def test_a_field_that_is_written_twice_is_an_error(problems: Problems) -> None:
    """As an unknown field is."""
    assert ["spec.priority: duplicate field"] == problems(
        policy(CNP).replace("priority: 1", "priority: 1\n  priority: 2")
    )


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def policy_of(read_text: Read) -> Callable[[str], ClusterPolicy]:
    def decoded(text: str) -> ClusterPolicy:
        objects, problems = read_text(text)

        assert [] == [str(p) for p in problems if p.severity == "error"]
        found: ClusterPolicy = objects.cluster_policies[0]
        return found

    return decoded


PolicyOf = Callable[[str], ClusterPolicy]


def test_a_cluster_network_policy_as_a_value(policy_of: PolicyOf) -> None:
    """Its tier, priority, subject and rules; each rule with its path and line."""
    found = policy_of(
        policy(
            CNP,
            tier="Baseline",
            priority="1000",
            subject="{pods: {podSelector: {matchLabels: {team: a}}}}",
            ingress="[{name: first, action: Pass, from: [{namespaces: {matchLabels: {team: a}}}, {pods:"
            " {namespaceSelector: {matchLabels: {team: a}}, podSelector: {}}}]}]",
            egress="[{action: Deny, to: [{networks: [10.0.0.0/8, '2001:DB8::/32']}, {nodes: {}}]},"
            " {action: Accept, to: [{domainNames: ['*.example.com', b.example.]}]}]",
        )
    )

    assert ("Baseline", 1000, CNP, f"{CNP} default") == (found.tier, found.priority, found.kind, found.ref)
    assert PodsPeer(None, TEAM) == found.subject
    assert (
        ClusterRule(
            "pass",
            (ClusterPeer(PodsPeer(TEAM)), ClusterPeer(PodsPeer(TEAM, LabelSelector()))),
            (),
            "first",
            "spec.ingress[0]",
            8,
        ),
    ) == found.ingress
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert [
        (ClusterPeer(networks=networks), ClusterPeer(nodes=LabelSelector())),
        (ClusterPeer(domain_names=("*.example.com", "b.example.")),),
    ] == [one.peers for one in found.egress]


PORTS: list[tuple[str, str, PolicyPort]] = [
    (CNP, "{tcp: {destinationPort: {number: 80}}}", PolicyPort("TCP", 80)),
    (CNP, "{udp: {destinationPort: {range: {start: 1, end: 65535}}}}", PolicyPort("UDP", 1, 65535)),
    (CNP, "{sctp: {destinationPort: {number: 65535}}}", PolicyPort("SCTP", 65535)),
    (CNP, "{destinationNamedPort: web}", PolicyPort(port="web")),
    (ANP, "{portNumber: {port: 80}}", PolicyPort("TCP", 80)),
    (ANP, "{portNumber: {protocol: null, port: 80}}", PolicyPort("TCP", 80)),
    (ANP, "{portNumber: {protocol: UDP, port: 53}}", PolicyPort("UDP", 53)),
    (ANP, "{portRange: {start: 80, end: 80}}", PolicyPort("TCP", 80, 80)),
    (BANP, "{portRange: {protocol: SCTP, start: 1, end: 2}}", PolicyPort("SCTP", 1, 2)),
    (BANP, "{namedPort: web}", PolicyPort(port="web")),
]


@pytest.mark.parametrize(("kind", "item", "expected"), PORTS)
def test_a_port_as_a_value(policy_of: PolicyOf, kind: str, item: str, expected: PolicyPort) -> None:
    """Every form of each version."""
    assert (expected,) == policy_of(ports(kind, item)).egress[0].ports


@pytest.mark.parametrize(("kind", "tier", "priority"), [(CNP, "Admin", 1), (ANP, "Admin", 1), (BANP, "Baseline", 0)])
def test_each_kind_has_its_tier(policy_of: PolicyOf, kind: str, tier: str, priority: int) -> None:
    """The tier of the older kinds is their kind."""
    found = policy_of(policy(kind, ingress=f"[{{action: Deny, from: [{PODS}]}}]"))

    assert (tier, priority) == (found.tier, found.priority)
    assert ("deny", (EVERY,)) == (found.ingress[0].action, found.ingress[0].peers)


def test_an_admin_policy_may_have_host_bits(policy_of: PolicyOf) -> None:
    """They are masked."""
    assert (ip_network("10.0.0.0/8"),) == policy_of(to(ANP, "{networks: [10.1.2.3/8]}")).egress[0].peers[0].networks


VALID = {
    "no rules": policy(CNP),
    "empty lists of rules": policy(CNP, ingress="[]", egress="[]"),
    "rules that are null": policy(CNP, ingress="null"),
    "protocols that are null": policy(CNP, ingress=rule(CNP, "ingress", "protocols: null")),
    "priority 0": policy(CNP, priority="0"),
    "25 rules": policy(CNP, ingress=f"[{', '.join([rule(CNP, 'ingress')[1:-1]] * 25)}]"),
    "100 rules of an admin policy": policy(ANP, ingress=f"[{', '.join([rule(ANP, 'ingress')[1:-1]] * 100)}]"),
    "a name of 100 letters": policy(CNP, ingress=rule(CNP, "ingress", f"name: {'x' * 100}")),
    "one name twice": policy(
        CNP, ingress=f"[{rule(CNP, 'ingress', 'name: a')[1:-1]}, {rule(CNP, 'ingress', 'name: a')[1:-1]}]"
    ),
    "one network in two peers": policy(
        CNP, egress="[{action: Deny, to: [{networks: [10.0.0.0/8]}, {networks: [10.0.0.0/8]}]}]"
    ),
    "one network in two spellings": to(CNP, "{networks: ['2001:DB8::/32', '2001:db8::/32']}"),
    "25 networks": to(CNP, f"{{networks: [{many(25)}]}}"),
    "a status": policy(CNP) + "status: {conditions: []}\n",
    "a namespace": policy(CNP).replace("name: default", "name: default, namespace: shop"),
    "punctuation of the older pattern": to(ANP, "{domainNames: ['_a.example']}"),
    "named ports for ingress": policy(CNP, ingress=rule(CNP, "ingress", "protocols: [{destinationNamedPort: web}]")),
    "an admin policy of another name": policy(ANP).replace("name: default", "name: a.b"),
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
def test_what_a_crd_accepts_has_no_error(problems: Problems, text: str) -> None:
    """At the limits, and with fields that have no meaning."""
    assert [] == problems(text)


# --- what v1alpha1 accepts and cannot mean --------------------------------------------------------------------------

EVERYWHERE = (ClusterPeer(networks=(ip_network("0.0.0.0/0"), ip_network("::/0"))),)


@pytest.mark.parametrize(
    ("direction", "action", "expected"),
    [
        ("egress", "Deny", [("deny", EVERYWHERE, ())]),
        ("egress", "Pass", [("deny", EVERYWHERE, ())]),
        ("egress", "Allow", []),
        ("ingress", "Deny", [("deny", (ClusterPeer(PodsPeer()),), ())]),
        ("ingress", "Allow", []),
    ],
)
def test_a_protocol_without_a_meaning_fails_closed(
    read_text: Read, direction: str, action: str, expected: list[Any]
) -> None:
    """The rule denies everything that a rule of its direction can match; a rule that allows is left out."""
    written = rule(ANP, direction, "ports: [{portNumber: {port: 80}}, {portNumber: {protocol: ICMP, port: 1}}]")
    objects, problems = read_text(policy(ANP, **{direction: written.replace("Allow", action)}))
    (found,) = objects.cluster_policies

    assert expected == [(one.action, one.peers, one.ports) for one in found.rules(direction)]
    assert [
        f"x.yaml:7: {ANP} default: spec.{direction}[0].ports[1].portNumber.protocol: no rule can match the protocol"
        ' "ICMP", so the whole rule fails closed: a rule that allows matches nothing, and another one denies everything'
    ] == [str(one) for one in problems]


def test_a_range_that_matches_nothing_is_left_out(read_text: Read) -> None:
    """So is a rule that has no other port: a rule without ports would match every port."""
    empty = "{portRange: {start: 90, end: 80}}"
    one = read_text(ports(ANP, f"{empty}, {{portNumber: {{port: 1}}}}"))[0].cluster_policies[0]
    objects, problems = read_text(ports(ANP, empty))

    assert ((PolicyPort("TCP", 1),), ()) == (one.egress[0].ports, objects.cluster_policies[0].egress)
    assert ["start 90 is greater than end 80, so the range matches nothing"] == [p.message for p in problems]


def test_a_name_that_no_port_can_have_is_a_warning(read_text: Read) -> None:
    """The API server accepts it. A rule without another port is left out."""
    objects, (problem,) = read_text(ports(CNP, "{destinationNamedPort: Web}"))

    assert ("warning", f"{PORT}.destinationNamedPort") == (problem.severity, problem.path)
    assert problem.message.startswith("no container port can have this name, so it matches nothing: ")
    assert () == objects.cluster_policies[0].egress


def test_a_rule_name_that_is_a_boolean_is_a_warning(read_text: Read) -> None:
    """An API server refuses it, and a name decides nothing. Text must be quoted in each field that decides."""
    objects, (problem,) = read_text(policy(CNP, ingress=rule(CNP, "ingress", "name: no")))

    assert ("warning", "spec.ingress[0].name") == (problem.severity, problem.path)
    assert "" == objects.cluster_policies[0].ingress[0].name


def test_a_required_field_that_is_null_is_an_error_only(read_text: Read) -> None:
    """The older kinds need a namespaceSelector."""
    text = policy(ANP, subject="{pods: {namespaceSelector: null, podSelector: {}}}")

    assert ["spec.subject.pods.namespaceSelector: Required value"] == [
        f"{one.path}: {one.message}" for one in read_text(text)[1]
    ]


@pytest.mark.parametrize(
    ("fields", "path", "meaning"),
    [
        (
            {"subject": "{pods: {namespaceSelector: null, podSelector: {}}}"},
            "pods.namespaceSelector",
            "every namespace",
        ),
        ({"subject": "{namespaces: {matchLabels: null}}"}, "namespaces.matchLabels", "every label"),
        ({"subject": "{namespaces: {matchExpressions: null}}"}, "namespaces.matchExpressions", "every label"),
        (
            {"subject": "{namespaces: {matchLabels: {a: null}}}"},
            "namespaces.matchLabels.a",
            "every value, and no label",
        ),
    ],
)
def test_a_null_that_matches_everything_is_a_warning(
    read_text: Read, fields: dict[str, str], path: str, meaning: str
) -> None:
    """The API server drops it, so the policy selects more than it says."""
    objects, problems = read_text(policy(CNP, **fields))

    assert [(f"spec.subject.{path}", f"null means {meaning}")] == [
        (one.path, one.message.partition(":")[0]) for one in problems
    ]
    subject = objects.cluster_policies[0].subject
    assert (subject.namespaces or LabelSelector()) == LabelSelector()


# --- names of kinds and of objects ----------------------------------------------------------------------------------


def test_one_name_in_two_versions_is_one_object(read_text: Read) -> None:
    """The last one counts."""
    objects, problems = read_text(f"{policy(CNP)}---\n{policy(CNP, version='v1alpha2', priority='2')}")

    assert [2] == [one.priority for one in objects.cluster_policies]
    assert ["defined twice: this one counts, the one at x.yaml:1 does not"] == [one.message for one in problems]


def test_the_three_kinds_may_share_a_name(read_text: Read) -> None:
    """All have one type of value."""
    objects, problems = read_text("---\n".join(policy(kind) for kind in VERSIONS))

    assert [] == problems
    assert [*VERSIONS] == [one.kind for one in objects.cluster_policies]
    assert {ClusterPolicy} == {type(one) for one in objects.cluster_policies}
    assert () == objects.namespaces


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clusternetworkpolicies", CNP),
        ("cnp", CNP),
        ("adminnetworkpolicies", ANP),
        ("anp", ANP),
        ("baselineadminnetworkpolicy", BANP),
        ("banp", BANP),
    ],
)
def test_commands_know_the_names_of_kubectl(name: str, kind: str) -> None:
    """``get`` lists each kind."""
    assert kind == kind_names.kind_of(name, *kind_names.listed())


def test_every_field_of_a_policy_may_change() -> None:
    """No CRD has a rule about updates; another version of a ClusterNetworkPolicy replaces it."""
    before = parse(policy(CNP), "x.yaml")[0]
    after = parse(policy(CNP, version="v1alpha2", tier="Baseline", priority="9"), "y.yaml")[0]
    (found,) = apply(before, after)

    assert f"{GROUP}/v1alpha2" == found.data["apiVersion"]
    assert [] == delete([found], [ObjectRef(CNP, "default", "")])


def test_rules_peers_and_ports_have_their_lines(read_text: Read) -> None:
    """By their paths, also in a lab's record."""
    text = (
        policy(CNP)
        + """\
  egress:
  - action: Accept
    to:
    - namespaces: {}
    - networks:
      - 10.0.0.0/8
      - 10.1.0.0/16
    protocols:
    - tcp: {destinationPort: {number: 80}}
    - udp:
        destinationPort:
          range: {start: 1, end: 2}
"""
    )
    found = read_text(text)[0].cluster_policies[0]
    kept = decode(reduced(parse(text, "x.yaml")[0]))[0].cluster_policies[0]

    assert ("spec.egress[0]", 9) == (found.egress[0].path, found.egress[0].line)
    for source in (found.source, kept.source):
        assert {"to[0]": 11, "to[1]": 12, "to[1].networks[1]": 14, "protocols[0]": 16, "protocols[1].udp": 17} == {
            path: source.line(f"spec.egress[0].{path}")
            for path in ("to[0]", "to[1]", "to[1].networks[1]", "protocols[0]", "protocols[1].udp")
        }


def test_get_shows_what_kubectl_shows() -> None:
    """The columns of the CRDs; ``-o wide`` has the subject, the number of rules, and the place."""
    text = policy(CNP, subject="{pods: {podSelector: {matchLabels: {team: a}}}}", ingress=rule(CNP, "ingress"))
    documents = parse(f"{text}---\n{policy(BANP)}---\n{policy(ANP)}", "x.yaml")[0]
    cluster = resolve(decode(documents)[0])
    found = {kind: listing.of_kind(kind, cluster, documents, str) for kind in VERSIONS}

    assert [("NAME", "TIER", "PRIORITY"), ("NAME", "PRIORITY"), ("NAME",)] == [one.header for one in found.values()]
    assert ("default", "Admin", "1") == found[CNP].items[0].cells
    assert ("pods team=a of namespaces <all>", "1", "0", "x.yaml:1") == found[CNP].items[0].wide
    assert ("namespaces <all>", "0", "0", "x.yaml:10") == found[BANP].items[0].wide


def test_an_ignored_kind_is_that_of_another_api() -> None:
    """What netlab reads cannot be ignored."""
    assert ["ClusterNetworkPolicy.crd.antrea.io"] == [
        one.data["metadata"]["name"] for one in ignored_documents(["ClusterNetworkPolicy.crd.antrea.io"])
    ]
    for name in (CNP, f"{CNP}.{GROUP}", ANP, BANP):
        with pytest.raises(UsageError, match="netlab reads this kind"):
            ignored_documents([name])


def test_a_step_of_a_scenario_applies_and_deletes_them(problems: Problems) -> None:
    """By kind and name."""
    apply = f"{{apiVersion: {GROUP}/v1beta1, kind: {CNP}, metadata: {{name: a}}, spec: {{tier: Admin, priority: 1}}}}"
    steps = f"[{{apply: [{apply}]}}, {{delete: [{{kind: {CNP}, name: a}}]}}, {{delete: [{{kind: {ANP}, name: b}}]}}]"
    scenario = f"apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec: {{steps: {steps}}}\n"

    found = problems(scenario)
    assert "spec.subject: Required value" in found[0]
    assert "AdminNetworkPolicy b does not exist" in found[-1]


@pytest.mark.parametrize("version", ["networking.k8s.aws/v1alpha1", "crd.antrea.io/v1beta1"])
def test_the_same_kind_of_another_group_is_another_api(read_text: Read, version: str) -> None:
    """It is a policy that netlab does not read; the warning names the API that netlab reads."""
    text = policy(CNP).replace(f"{GROUP}/v1beta1", version)
    objects, (problem,) = read_text(text)
    group = version.partition("/")[0]

    assert ([CNP], ()) == ([one.kind for one in objects.unread], objects.cluster_policies)
    assert problem.message.startswith(f"netlab does not read {CNP} of {group}, which is another API than {GROUP};")
    assert problem.message.endswith(f"--ignore {CNP}.{group}")


@pytest.mark.parametrize(
    ("host", "pattern", "expected"),
    [
        ("a.example", "a.example", True),
        ("A.Example.", "a.eXample", True),
        ("a.example", "a.example.", True),
        ("b.example", "a.example", False),
        ("a.example", "*.example", True),
        ("b.a.example", "*.example", True),
        ("example", "*.example", False),
        ("aexample", "*.example", False),
    ],
)
def test_a_domain_name_stands_for_names_of_hosts(host: str, pattern: str, expected: bool) -> None:
    """``*.`` stands for one or more labels, not for none."""
    assert expected == is_named(host, pattern)
