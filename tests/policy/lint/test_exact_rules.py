"""Rules about ranges and ports say what the evaluator says: each claim is checked address by address."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_network
from random import Random
from typing import Any

import pytest
from linting import found_in, given_of
from sizes import some

from netlab.cluster import Cluster
from netlab.objects.input import input_of
from netlab.objects.policies import PolicyPort
from netlab.objects.types import Document, Source
from netlab.policy.isolating import isolating
from netlab.policy.lint import all_rules
from netlab.policy.lint.covers import block_covers, ports_cover
from netlab.policy.lint.findings import lint
from netlab.policy.matching import matching_peer, ports_mismatch_text
from netlab.policy.meaning import policies_meant

RULES = {rule.id: rule for rule in all_rules()}
EXCEPT = RULES["except-excludes-nothing"]
ADDRESSES = [IPv4Address("192.0.2.0") + number for number in range(16)]
PORTS: list[tuple[str, int | None]] = [("TCP", 80), ("TCP", 81), ("UDP", 80), ("ICMP", None)]
INGRESS = "podSelector: {}\ningress:\n"
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: x, labels: {app: %s}}\n---\n"


def objects(rng: Random) -> list[dict[str, Any]]:
    """Return three pods and some policies with ipBlocks inside of a few addresses."""
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "x", "labels": {"app": name}}}
        for name in "abc"
    ]
    policies = []
    for number in range(rng.randint(1, 3)):
        selector = rng.choice(({}, {"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}))
        rules = [rule(rng) for _ in range(rng.randint(1, 2))]
        spec = {"podSelector": selector, "policyTypes": ["Egress"], "egress": rules}
        metadata = {"name": f"p{number}", "namespace": "x"}
        kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
        policies.append({**kind, "metadata": metadata, "spec": spec})
    return [*pods, *policies]


def rule(rng: Random) -> dict[str, Any]:
    """Return a rule with up to two ipBlocks, or with none at all."""
    peers = []
    for _ in range(rng.choice((0, 1, 1, 2, 2))):
        size = rng.choice((0, 24, 28, 29))
        cidr = IPv4Network(f"192.0.2.{rng.choice((0, 8))}/{size}", strict=False)
        some_ranges = [
            IPv4Network(f"192.0.2.{rng.randrange(16)}/{rng.choice((29, 30, 31))}", strict=False)
            for _ in range(rng.randint(1, 2))
        ]
        inside = [str(one) for one in some_ranges if one != cidr and one.subnet_of(cidr)]
        peers.append({"ipBlock": {"cidr": str(cidr), **({"except": inside} if rng.random() < 0.8 else {})}})
    ports = rng.choice(([], [{"port": 80}], [{"port": 80, "endPort": 81}], [{"protocol": "UDP"}]))
    return {**({"to": peers} if peers else {}), **({"ports": ports} if ports else {})}


def allowed(cluster: Cluster) -> set[tuple[str, IPv4Address, str, int | None]]:
    """Return which pod may send to which address and port."""
    return {
        (pod.ref, address, protocol, port)
        for pod in cluster.asked_pods()
        for policy in isolating(cluster, pod, "egress")
        for one in policy.rules("egress")
        for address in ADDRESSES
        if matching_peer(cluster, policy, one, None, address) is not None
        for protocol, port in PORTS
        if not ports_mismatch_text(one, None, protocol, port)
    }


@pytest.mark.parametrize("seed", some(range(60)))
def test_an_except_that_is_found_changes_nothing_when_it_is_removed(seed: int) -> None:
    """No pod may send to another address or port than before."""
    rng = Random(seed)  # noqa: S311
    documents = [Document(data, Source("a.yaml")) for data in objects(rng)]
    given = given_of(input_of(documents))
    before = allowed(given.cluster)
    found = {(one.object, one.path) for one in lint(given, [EXCEPT]).found}
    for policy in policies_meant(given.cluster):
        for one in policy.egress:
            for number, peer in enumerate(one.peers):
                for at, _ in enumerate(peer.ip_block.excepts if peer.ip_block else ()):
                    path = f"{one.path}.to[{number}].ipBlock.except[{at}]"
                    same = before == allowed(given_of(input_of(_without(documents, policy.meta.name, path))).cluster)

                    assert same or (f"NetworkPolicy {policy.meta.key}", path) not in found


def _without(documents: list[Document], name: str, path: str) -> list[Document]:
    """Return the documents without one item of an except."""
    import copy
    import re

    left = [Document(copy.deepcopy(dict(one.data)), one.source) for one in documents]
    data: Any = next(one.data for one in left if one.data["metadata"]["name"] == name)
    *steps, last = re.findall(r"[a-zA-Z]+|[0-9]+", path)
    for step in steps:
        data = data[int(step)] if step.isdecimal() else data[step]
    del data[int(last)]
    return left


def test_some_of_the_random_excepts_are_found() -> None:
    """Else the test above would prove nothing."""
    found = 0
    for seed in range(40):
        documents = [Document(data, Source("a.yaml")) for data in objects(Random(seed))]  # noqa: S311
        found += bool(lint(given_of(input_of(documents)), [EXCEPT]).found)

    assert 5 < found


# --- ports ----------------------------------------------------------------------------------------------------------

SOME_PORTS = [
    (),
    (PolicyPort("TCP", 80),),
    (PolicyPort("TCP", 80, 90),),
    (PolicyPort("TCP"),),
    (PolicyPort("UDP", 80),),
    (PolicyPort("TCP", "web"),),
    (PolicyPort("TCP", 85, 95), PolicyPort("UDP")),
]


@pytest.mark.parametrize("wide", SOME_PORTS)
@pytest.mark.parametrize("narrow", SOME_PORTS)
def test_ports_cover_others_only_if_they_match_all_of_their_packets(
    wide: tuple[PolicyPort, ...], narrow: tuple[PolicyPort, ...]
) -> None:
    """A name covers itself only, as pods may give it any number."""
    from netlab.objects.policies import Rule

    asked: list[tuple[str, int | None]] = [("TCP", n) for n in range(78, 98)] + [
        ("UDP", 80),
        ("UDP", 9),
        ("ICMP", None),
    ]
    matched = {
        which: {one for one in asked if not ports_mismatch_text(Rule((), ports), None, *one)}
        for which, ports in (("wide", wide), ("narrow", narrow))
    }
    names = any(isinstance(one.port, str) for one in narrow)

    if names:
        assert ports_cover(wide, narrow) == (wide in ((), (PolicyPort("TCP"),), narrow))
    else:
        assert ports_cover(wide, narrow) == (matched["wide"] >= matched["narrow"])


def test_a_block_covers_a_range_without_its_excepts() -> None:
    """An except that only touches the range is enough."""
    documents = [Document(data, Source("a")) for data in objects_with("10.0.0.0/8", "10.1.0.0/16")]
    given_block = given_of(input_of(documents)).policies[0].egress[0].peers[0].ip_block

    assert given_block is not None
    for text, covered in (("10.2.0.0/16", True), ("10.0.0.0/8", False), ("10.1.2.0/24", False), ("11.0.0.0/8", False)):
        assert covered == block_covers(given_block, ip_network(text))
    assert not block_covers(given_block, ip_network("::/0"))


def objects_with(cidr: str, excluded: str) -> list[dict[str, Any]]:
    block = {"cidr": cidr, "except": [excluded]}
    spec = {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [{"ipBlock": block}]}]}
    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "x"}}
    return [pod, {**kind, "metadata": {"name": "p", "namespace": "x"}, "spec": spec}]


# --- single rules ---------------------------------------------------------------------------------------------------


def policy(spec: str, name: str = "web") -> str:
    head = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: x}}\nspec:\n"
    return head + "".join(f"  {line}\n" for line in spec.splitlines())


@pytest.mark.parametrize(
    ("ports", "fires"),
    [
        ("[{port: 53}]", True),
        ("[{port: 53, protocol: TCP}]", False),
        ("[{port: 53}, {port: 53, protocol: UDP}]", False),
        ("[{port: 53}, {protocol: UDP}]", False),
        ("[{port: 50, endPort: 60}]", False),
        ("[{port: 80}]", False),
        ("[{port: 7777}]", True),
        ("[{port: 8888}]", False),
        ("[{port: 123}]", True),
        ("[{port: 514}]", False),
    ],
)
def test_a_port_without_protocol_is_found_if_only_udp_uses_it(ports: str, fires: bool) -> None:
    """The pods of the rule decide, then what is well known; a protocol that is written is meant."""
    container = "{name: c, image: i, ports: [{containerPort: 7777, protocol: UDP}, {containerPort: 8888}, %s]}"
    more = "{containerPort: 8888, protocol: UDP}, {containerPort: 514}"
    pod = POD.replace("\n---", f"\nspec: {{containers: [{container % more}]}}\n---") % ("web", "web")
    text = pod + policy(f"podSelector: {{}}\ningress:\n- ports: {ports}")

    assert fires == bool(found_in(text, RULES["udp-without-protocol"]))


SPACES = """\
apiVersion: v1
kind: Namespace
metadata: {name: ops, labels: {team: ops}}
---
apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {team: x}}
---
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: ops, labels: {app: p}}
---
"""


@pytest.mark.parametrize(
    ("peers", "own", "fires"),
    [
        ("[{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: p}}}]", "web", True),
        ("[{podSelector: {matchLabels: {app: p}}}, {namespaceSelector: {matchLabels: {team: ops}}}]", "web", True),
        ("[{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: p}}}]", "p", False),
        ("[{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {matchLabels: {app: q}}}]", "web", False),
        ("[{namespaceSelector: {}}, {podSelector: {matchLabels: {app: p}}}]", "p", True),
        ("[{namespaceSelector: {matchLabels: {team: ops}}}, {podSelector: {}}]", "web", False),
        ("[{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: p}}}]", "web", False),
    ],
)
def test_two_peers_are_a_slip_if_the_second_adds_nothing_and_one_item_would_match(
    peers: str, own: str, fires: bool
) -> None:
    """A peer that matches pods of the policy's own namespace is meant."""
    text = SPACES + POD % (own, own) + policy(f"podSelector: {{}}\ningress:\n- from: {peers}")

    assert fires == bool(found_in(text, RULES["and-or-slip"]))


def test_a_slip_in_a_rule_about_dns_is_found_without_pods_of_dns() -> None:
    """Most inputs have none. A rule with other ports may mean pods of the policy's own namespace."""
    peers = "[{namespaceSelector: {matchLabels: {a: b}}}, {podSelector: {matchLabels: {k8s-app: kube-dns}}}]"
    spec = "podSelector: {}\npolicyTypes: [Egress]\negress:\n- to: %s\n  ports: [{port: %s, protocol: UDP}]"

    for port, fires in ((53, True), (80, False)):
        text = SPACES + POD % ("web", "web") + policy(spec % (peers, port))
        assert fires == bool(found_in(text, RULES["and-or-slip"]))


@pytest.mark.parametrize(
    ("cidr", "direction", "stated", "fires"),
    [
        ("0.0.0.0/0", "egress", False, True),
        ("0.0.0.0/0", "ingress", False, False),
        ("10.0.0.0/8", "egress", False, False),
        ("10.0.0.0/8", "egress", True, True),
        ("10.0.0.0/8", "ingress", True, True),
        ("192.168.0.0/16", "egress", True, False),
        ("'::/0'", "egress", True, False),
    ],
)
def test_a_block_covers_pods_if_the_input_says_where_pods_are(
    cidr: str, direction: str, stated: bool, fires: bool
) -> None:
    """A block that is all of a family does in any case, and matters for egress."""
    status = "status: {podIP: 10.1.2.3}\n" if stated else ""
    field = "to" if direction == "egress" else "from"
    spec = f"podSelector: {{}}\npolicyTypes: [{direction.capitalize()}]\n"
    spec += f"{direction}:\n- {field}: [{{ipBlock: {{cidr: {cidr}}}}}]"
    text = (POD % ("web", "web")).replace("---", f"{status}---") + policy(spec)

    assert fires == bool(found_in(text, RULES["block-covers-pods"]))


def test_a_block_beside_a_selector_of_all_pods_covers_nothing_new() -> None:
    """The pods are meant."""
    spec = (
        "podSelector: {}\npolicyTypes: [Egress]\negress:\n- to: [{ipBlock: {cidr: 0.0.0.0/0}}, {namespaceSelector: {}}]"
    )

    assert [] == found_in(POD % ("web", "web") + policy(spec), RULES["block-covers-pods"])


def test_a_policy_that_selects_host_network_pods_among_others_is_found() -> None:
    """If its selector asks for labels: an empty one selects what there is."""
    hosted = (POD % ("agent", "web")).replace("---", "spec: {hostNetwork: true}\n---")
    text = POD % ("web", "web") + hosted
    rule_ = RULES["host-network-in-vain"]

    (one,) = found_in(text + policy("podSelector: {matchLabels: {app: web}}\ningress: []"), rule_)
    assert "x/agent" in one.message
    assert [] == found_in(text + policy("podSelector: {}\ningress: []"), rule_)


@pytest.mark.parametrize(
    ("settings", "spec", "setting"),
    [
        ("profile: flannel", "podSelector: {}\ningress: []", "enforcement: none"),
        ("policy: {directions: ingress-only}", "podSelector: {}\npolicyTypes: [Egress]", "directions: ingress-only"),
        (
            "profile: cilium-1.15",
            "podSelector: {}\ningress:\n- ports: [{port: 80, endPort: 90}]",
            "endPort: first-only",
        ),
        ("profile: cilium", f"{INGRESS}- ports: [{{port: 80, protocol: SCTP}}]", "sctp: drop"),
        (
            "profile: cilium",
            "podSelector: {}\ningress:\n- from: [{ipBlock: {cidr: 10.244.0.0/24}}]",
            "ipBlockPods: ignore",
        ),
    ],
)
def test_what_a_profile_ignores_is_found_with_the_setting(settings: str, spec: str, setting: str) -> None:
    """With the default profile there is nothing to find."""
    topology = "apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {name: lab}\nspec:\n  %s\n"
    topology += "  networks: [{name: default, podCIDRs: [10.244.0.0/16]}]\n---\n"
    text = POD % ("web", "web") + policy(spec)
    rule_ = RULES["profile-ignores-policy"]

    assert any(setting in one.message for one in found_in(topology % settings + text, rule_))
    assert [] == found_in(topology % "profile: kubernetes" + text, rule_)


@pytest.mark.parametrize(
    ("peer", "fix"),
    [
        ("podSelector: {matchLabels: {app: wbe}}", "x/web almost matches: app=wbe, found app=web"),
        ("{namespaceSelector: {matchLabels: {team: osp}}}", "namespace ops almost matches: team=osp, found team=ops"),
        (
            "{namespaceSelector: {matchLabels: {team: ops}}, podSelector: {matchLabels: {app: p, a: b}}}",
            "ops/p almost matches",
        ),
        ("podSelector: {matchLabels: {app: nothing-like-it}}", RULES["peer-matches-nothing"].fix),
    ],
)
def test_a_peer_that_matches_nothing_is_told_what_it_is_near_to(peer: str, fix: str) -> None:
    """One label that is missing or misspelt; else the hint is that of the rule."""
    text = SPACES + POD % ("web", "web") + policy(f"podSelector: {{}}\ningress:\n- from:\n  - {peer}")
    (one,) = found_in(text, RULES["peer-matches-nothing"])

    assert one.fix.startswith(fix)
