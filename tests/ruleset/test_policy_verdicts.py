"""Verdicts of the compiled text in edge cases that ``netlab.conformance`` does not have."""

from fnmatch import fnmatch

import pytest

from netlab.ruleset import compile_rulesets
from netlab.testing.tracer import Packet, Tracer

ADDRESS = {f"{ns}/{n}": f"10.244.{i}.{j}" for i, ns in enumerate("xyz") for j, n in enumerate("abc", start=1)}
OUTSIDE = "192.0.2.10"
NAME = "kubernetes.io/metadata.name"
PORTS = " ".join(f"serve-{n}-{p.lower()}={n}/{p}" for n in (80, 81) for p in ("TCP", "UDP", "SCTP"))


def denied(build, policies, port=80, protocol="TCP", *, namespaces=None, labels=None, members=()):
    """Return the pairs SOURCE>DESTINATION of different pods that the node drops; ``out`` is the outside host."""
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
    """Return the pairs whose last matching glob has no ``!``."""
    found = set()
    everyone = [*ADDRESS, "out", *more]
    for pair in (f"{s}>{d}" for s in everyone for d in everyone if s != d):
        matching = [g for g in globs if fnmatch(pair, g.lstrip("!"))]
        if matching and not matching[-1].startswith("!"):
            found.add(pair)
    return found


def test_protocol_without_port_leaves_other_protocols_out(build):
    """A rule for every TCP port matches neither UDP nor ICMP."""
    policies = [build.policy("x/p", "pod=a", ingress=[build.rule(build.port())])]

    assert set() == denied(build, policies, 65535, "TCP")
    assert pairs("*>x/a") == denied(build, policies, 80, "UDP")
    assert pairs("*>x/a") == denied(build, policies, None, "ICMP")


def test_icmp_passes_where_no_port_is_named(build):
    """A rule without ports matches ICMP; a rule with ports does not."""
    policies = [
        build.policy(
            "x/p", "pod=a", ingress=[build.rule(build.pods("pod=b")), build.rule(build.pods(), build.port(80))]
        )
    ]

    assert pairs("*>x/a", "!x/b>x/a") == denied(build, policies, None, "ICMP")


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
    """Peers are a union; ``except`` means that this peer does not match, and never denies; ipBlocks match pods too."""
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
    """Selectors do not match a host-network pod; an ipBlock with its node's address does."""
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

    assert ["x/c"] == sources("tier notin (db)")
    assert ["x/c"] == sources("!tier")
    assert ["x/b"] == sources("tier")
