"""Verdicts of the compiled text: the cases of the Kubernetes e2e suite ``netpol``, and the corners it leaves out."""

from fnmatch import fnmatch

import pytest

from netlab.ruleset import compile_rulesets
from netlab.testing.tracer import Packet, Tracer

ADDRESS = {f"{ns}/{n}": f"10.244.{i}.{j}" for i, ns in enumerate("xyz") for j, n in enumerate("abc", start=1)}
OUTSIDE = "192.0.2.10"
NAME = "kubernetes.io/metadata.name"
PORTS = " ".join(f"serve-{n}-{p.lower()}={n}/{p}" for n in (80, 81) for p in ("TCP", "UDP", "SCTP"))


def denied(build, policies, port=80, protocol="TCP", *, namespaces=None, labels=None, members=()):
    """The pairs SOURCE>DESTINATION of different pods that the node drops; the outside host takes part as ``out``."""
    pods = [
        build.pod(ref, address, labels=f"pod={ref[2:]} {(labels or {}).get(ref, '')}", ports=PORTS)
        for ref, address in ADDRESS.items()
    ]
    cluster = build.cluster([*pods, *members], policies, namespaces=namespaces)
    tracer = Tracer(compile_rulesets(cluster)["node-1"])
    everyone = {**ADDRESS, "out": OUTSIDE, **{p.ref: str(p.addresses[0]) for p in members}}
    return {
        f"{s}>{d}"
        for s, source in everyone.items()
        for d, destination in everyone.items()
        if s != d and tracer.verdict(Packet(source, destination, protocol, port)).verdict == "drop"
    }


def pairs(*globs, more=()):
    """The pairs that the last matching glob names without a ``!``."""
    found = set()
    everyone = [*ADDRESS, "out", *more]
    for pair in (f"{s}>{d}" for s in everyone for d in everyone if s != d):
        matching = [g for g in globs if fnmatch(pair, g.lstrip("!"))]
        if matching and not matching[-1].startswith("!"):
            found.add(pair)
    return found


def e2e(b):
    """Policies, port and denied pairs of each case of the upstream suite that one set of policies describes."""
    a, peer = "pod=a", b.pods
    ns_y, not_x = b.namespaces(f"{NAME}=y"), f"{NAME} notin x"
    both = {"ingress": [], "egress": []}
    only_b = [b.rule(peer("pod=b"))]
    to_y_81 = b.policy("x/p", a, ingress=[b.rule(ns_y, b.port(81))])
    cidr = "0.0.0.0/4"
    return {
        "default-deny-ingress": ([b.policy("x/p", ingress=[])], 80, ["*>x/*"]),
        "default-deny-all": ([b.policy("x/p", **both)], 80, ["*>x/*", "x/*>*"]),
        "server namespace, PodSelector": ([b.policy("x/p", a, ingress=only_b)], 80, ["*>x/a", "!x/b>x/a"]),
        "ingress for a target": (
            [b.policy("x/deny", ingress=[]), b.policy("x/p", a, ingress=[b.rule(b.namespaces(pods=()))])],
            80,
            ["*>x/*", "!*>x/a", "out>x/a"],
        ),
        "from all namespaces": ([b.policy("x/p", a, ingress=[b.rule(b.namespaces())])], 80, ["out>x/a"]),
        "from a namespace": ([b.policy("x/p", a, ingress=[b.rule(ns_y)])], 80, ["*>x/a", "!y/*>x/a"]),
        "PodSelector, MatchExpressions": (
            [b.policy("x/p", a, ingress=[b.rule(peer("pod in b"))])],
            80,
            ["*>x/a", "!x/b>x/a"],
        ),
        "NamespaceSelector, MatchExpressions": (
            [b.policy("x/p", a, ingress=[b.rule(b.namespaces(f"{NAME} in y"))])],
            80,
            ["*>x/a", "!y/*>x/a"],
        ),
        "PodSelector or NamespaceSelector": (
            [b.policy("x/p", a, ingress=[b.rule(b.namespaces(not_x), peer("pod=b"))])],
            80,
            ["x/c>x/a", "out>x/a"],
        ),
        "PodSelector and NamespaceSelector": (
            [b.policy("x/p", a, ingress=[b.rule(b.namespaces(not_x, pods=("pod=b",)))])],
            80,
            ["*>x/a", "![yz]/b>x/a"],
        ),
        "several PodSelectors and NamespaceSelectors": (
            [b.policy("x/p", a, ingress=[b.rule(b.namespaces(not_x, pods=("pod in b,c",)))])],
            80,
            ["*>x/a", "![yz]/[bc]>x/a"],
        ),
        "any PodSelectors": (
            [b.policy("x/p", a, ingress=[b.rule(peer("pod=b"), peer("pod=c"))])],
            80,
            ["*>x/a", "!x/[bc]>x/a"],
        ),
        "pod in another namespace": (
            [b.policy("x/p", a, ingress=[b.rule(b.namespaces(f"{NAME}=y", pods=(a,)))])],
            80,
            ["*>x/a", "!y/a>x/a"],
        ),
        "ports": ([to_y_81], 81, ["*>x/a", "!y/*>x/a"]),
        "stacked policies, first alone": ([to_y_81], 80, ["*>x/a"]),
        "stacked policies": (
            [to_y_81, b.policy("x/q", a, ingress=[b.rule(ns_y, b.port(80))])],
            80,
            ["*>x/a", "!y/*>x/a"],
        ),
        "allow-all": ([b.policy("x/p", ingress=[b.rule()])], 80, []),
        "named port": ([b.policy("x/p", ingress=[b.rule(b.port("serve-81-tcp"))])], 81, []),
        "named port, another one": ([b.policy("x/p", ingress=[b.rule(b.port("serve-81-tcp"))])], 80, ["*>x/*"]),
        "namespace on a named port": (
            [b.policy("x/p", a, ingress=[b.rule(ns_y, b.port("serve-80-tcp"))])],
            80,
            ["*>x/a", "!y/*>x/a"],
        ),
        "egress on a named port": (
            [b.policy("x/p", egress=[b.rule(b.port("serve-80-tcp"))])],
            80,
            ["x/*>out"],
        ),
        "egress on another named port": ([b.policy("x/p", egress=[b.rule(b.port("serve-80-tcp"))])], 81, ["x/*>*"]),
        "no longer any rule": ([b.policy("x/p", ingress=[])], 81, ["*>x/*"]),
        "pods of other namespaces": ([b.policy("x/p", ingress=[b.rule(peer())])], 80, ["*>x/*", "!x/*>x/*"]),
        "egress of a pod": ([b.policy("x/p", a, egress=[])], 80, ["x/a>*"]),
        "egress of a namespace": ([b.policy("x/p", egress=[])], 80, ["x/*>*"]),
        "ingress and egress together": (
            [b.policy("x/p", a, ingress=only_b, egress=[b.rule(b.port(80))])],
            80,
            ["*>x/a", "!x/b>x/a"],
        ),
        "ingress and egress together, other port": (
            [b.policy("x/p", a, ingress=only_b, egress=[b.rule(b.port(80))])],
            81,
            ["*>x/a", "!x/b>x/a", "x/a>*"],
        ),
        "egress denied though the server allows": (
            [
                b.policy("x/p", a, egress=[b.rule(b.namespaces(f"{NAME}=y", pods=(a,)))]),
                b.policy("y/a", a, ingress=[b.rule(b.namespaces(f"{NAME}=x", pods=(a,)))]),
                b.policy("y/b", "pod=b", ingress=[b.rule(b.namespaces(f"{NAME}=x", pods=(a,)))]),
            ],
            80,
            ["x/a>*", "*>y/[ab]", "!x/a>y/a"],
        ),
        "egress to another namespace": (
            [b.policy("x/p", a, egress=[b.rule(b.namespaces(f"{NAME}=y", pods=(a,)))])],
            80,
            ["x/a>*", "!x/a>y/a"],
        ),
        "any port of a protocol": ([b.policy("x/p", a, ingress=[b.rule(b.port())])], 80, []),
        "allow-all takes precedence": (
            [b.policy("x/p", ingress=[b.rule(b.port(80))]), b.policy("x/q", ingress=[b.rule()])],
            81,
            [],
        ),
        "allow-all takes precedence, egress": (
            [b.policy("x/p", egress=[b.rule(b.port(80))]), b.policy("x/q", egress=[b.rule()])],
            81,
            [],
        ),
        "CIDR block": (
            [b.policy("x/p", a, egress=[b.rule(b.block("10.244.1.2/32"))])],
            80,
            ["x/a>*", "!x/a>y/b"],
        ),
        "except clause": (
            [b.policy("x/p", a, egress=[b.rule(b.block(cidr, "10.244.0.2/32"))])],
            80,
            ["x/a>x/b", "x/a>out"],
        ),
        "CIDR and except overlap": (
            [
                b.policy("x/p", a, egress=[b.rule(b.block(cidr, "10.244.0.2/32"))]),
                b.policy("x/q", a, egress=[b.rule(b.block("10.244.0.2/32"))]),
            ],
            80,
            ["x/a>out"],
        ),
        "directions are apart": (
            [b.policy("x/p", a, egress=[b.rule()]), b.policy("x/q", a, ingress=[])],
            80,
            ["*>x/a"],
        ),
        "SCTP is not TCP": (
            [b.policy("x/d", ingress=[]), b.policy("x/p", a, ingress=[b.rule(b.port(81, "SCTP"))])],
            81,
            ["*>x/*"],
        ),
        "isolated by a rule for SCTP": ([b.policy("x/p", a, ingress=[b.rule(b.port(80, "SCTP"))])], 81, ["*>x/a"]),
        "UDP is not TCP": ([b.policy("x/p", a, ingress=[b.rule(b.port(81, "UDP"))])], 81, ["*>x/a"]),
        "default namespace label": ([b.policy("x/p", a, ingress=[b.rule(ns_y)])], 80, ["*>x/a", "!y/*>x/a"]),
        "default namespace label, egress": (
            [b.policy("x/p", a, egress=[b.rule(b.namespaces(f"{NAME} notin y"))])],
            80,
            ["x/a>y/*", "x/a>out"],
        ),
    }


def test_upstream_e2e(build):
    """Every case denies exactly the pairs that the upstream suite expects to fail, the outside host added."""
    cases = e2e(build)

    assert {name: pairs(*globs) for name, (_, _, globs) in cases.items()} == {
        name: denied(build, policies, port) for name, (policies, port, _) in cases.items()
    }


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_upstream_e2e_of_other_protocols(build, protocol):
    """Isolation and ports mean the same in UDP and SCTP."""
    rules = [build.rule(build.namespaces(f"{NAME}=y"), build.port(81, protocol))]
    policies = [build.policy("x/deny", ingress=[]), build.policy("x/p", "pod=a", ingress=rules)]

    assert pairs("*>x/*", "!y/*>x/a") == denied(build, policies, 81, protocol)
    assert pairs("*>x/*") == denied(build, policies, 81, "TCP")


def test_protocol_without_port_leaves_other_protocols_out(build):
    """All of TCP is not UDP, nor ICMP."""
    policies = [build.policy("x/p", "pod=a", ingress=[build.rule(build.port())])]

    assert set() == denied(build, policies, 65535, "TCP")
    assert pairs("*>x/a") == denied(build, policies, 80, "UDP")
    assert pairs("*>x/a") == denied(build, policies, None, "ICMP")


def test_icmp_passes_where_no_port_is_named(build):
    """A peer without ports is every protocol; a peer with ports is none without ports."""
    policies = [
        build.policy(
            "x/p", "pod=a", ingress=[build.rule(build.pods("pod=b")), build.rule(build.pods(), build.port(80))]
        )
    ]

    assert pairs("*>x/a", "!x/b>x/a") == denied(build, policies, None, "ICMP")


def test_updated_namespace_and_pod_labels(build):
    """Labels count as they are now, on subjects, peers and namespaces."""
    by_namespace = [build.policy("x/p", "pod=a", ingress=[build.rule(build.namespaces("ns2=updated"))])]
    by_pod = [build.policy("x/p", "target=isolated", ingress=[build.rule(build.pods("pod2=updated"))])]

    assert pairs("*>x/a") == denied(build, by_namespace)
    assert pairs("*>x/a", "!y/*>x/a") == denied(build, by_namespace, namespaces={"y": {"ns2": "updated"}})
    assert set() == denied(build, by_pod)
    assert pairs("*>x/a", "!x/b>x/a") == denied(build, by_pod, labels={"x/a": "target=isolated", "x/b": "pod2=updated"})


CORNERS = {
    "everything of IPv4": (["0.0.0.0/0"], ["!*"]),
    "everything of IPv6": (["::/0"], ["*>x/a"]),
    "everything but one pod": ([("0.0.0.0/0", "10.244.1.1/32")], ["y/a>x/a"]),
    "except of one peer, allowed by another": ([("0.0.0.0/0", "10.244.0.0/16"), "10.244.1.0/24"], ["[xz]/*>x/a"]),
    "one block inside of another": (["10.244.0.0/16", "10.244.1.0/24"], ["out>x/a"]),
    "the same block with and without except": ([("10.244.0.0/16", "10.244.1.0/24"), "10.244.0.0/16"], ["out>x/a"]),
    "outside address alone": (["192.0.2.10/32"], ["*>x/a", "!out>x/a"]),
    "outside range with a hole": ([("192.0.2.0/24", "192.0.2.8/29")], ["*>x/a"]),
    "nothing": (["0.0.0.0/31"], ["*>x/a"]),
}


@pytest.mark.parametrize(("blocks", "globs"), CORNERS.values(), ids=CORNERS)
def test_ip_blocks(build, blocks, globs):
    """Peers are a union; except means "not by this peer", never deny; ipBlocks match pods and others alike."""
    peers = [build.block(*([b] if isinstance(b, str) else b)) for b in blocks]

    assert pairs(*globs) == denied(build, [build.policy("x/p", "pod=a", ingress=[build.rule(*peers)])])
    assert {">".join(reversed(p.split(">"))) for p in pairs(*globs)} == denied(
        build, [build.policy("x/p", "pod=a", egress=[build.rule(*peers)])]
    )


def test_named_port_differs_by_destination(build):
    """In egress rules the name is looked up on each destination, never as the union of its numbers."""
    members = [
        build.pod("w/1", "10.244.9.1", ports="web=8080/TCP"),
        build.pod("w/2", "10.244.9.2", ports="web=9090/TCP"),
    ]
    policies = [build.policy("x/p", egress=[build.rule(build.port("web"))])]
    more = ("w/1", "w/2")

    assert pairs("x/*>*", "!x/*>w/1", more=more) == denied(build, policies, 8080, members=members)
    assert pairs("x/*>*", "!x/*>w/2", more=more) == denied(build, policies, 9090, members=members)


def test_named_port_is_limited_by_the_peer(build):
    """Peers and ports AND, for names as for numbers."""
    peer = build.namespaces(f"{NAME}=y", pods=("pod=b",))
    policies = [build.policy("x/p", "pod=a", egress=[build.rule(peer, build.port("serve-81-udp", "UDP"))])]

    assert pairs("x/a>*", "!x/a>y/b") == denied(build, policies, 81, "UDP")
    assert pairs("x/a>*") == denied(build, policies, 81, "TCP")


def test_named_port_with_another_protocol_matches_nothing(build):
    """A name counts with its protocol; the pod stays isolated."""
    policies = [build.policy("x/p", "pod=a", ingress=[build.rule(build.port("serve-81-udp", "TCP"))])]

    assert pairs("*>x/a") == denied(build, policies, 81, "TCP")
    assert pairs("*>x/a") == denied(build, policies, 81, "UDP")


def test_host_network_pods_are_matched_by_ip_block_alone(build):
    """Selectors do not mean a host-network pod, but an ipBlock with its node's address does."""
    members = [build.pod("x/host", "100.64.0.7", labels="pod=b", attachment="host")]
    by_label = [build.policy("x/p", "pod=a", ingress=[build.rule(build.pods("pod=b"))])]
    by_block = [build.policy("x/p", "pod=a", ingress=[build.rule(build.block("100.64.0.7/32"))])]

    assert "x/host>x/a" in denied(build, by_label, members=members)
    assert "x/host>x/a" not in denied(build, by_block, members=members)
    assert set() == {
        p for p in denied(build, [build.policy("x/p", ingress=[])], members=members) if p.endswith("x/host")
    }


def test_selectors_of_missing_keys(build):
    """NotIn and DoesNotExist match pods without the key; Exists does not."""

    def sources(*words):
        found = denied(
            build,
            [build.policy("x/p", "pod=a", ingress=[build.rule(build.pods(*words))])],
            labels={"x/b": "tier=db"},
        )
        return sorted(p for p in ("x/b", "x/c") if f"{p}>x/a" not in found)

    assert ["x/c"] == sources("tier notin db")
    assert ["x/c"] == sources("!tier")
    assert ["x/b"] == sources("tier")
