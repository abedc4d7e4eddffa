"""Tiers in rulesets: one value and one line (``known``) each; the first matching rule allows, denies or passes."""

import random
import re
from dataclasses import replace
from itertools import pairwise, permutations

import pytest
from mid_change import verdicts_during_change

from netlab.objects.policies import Peer
from netlab.objects.topology import TopologyPolicy
from netlab.objects.types import Meta
from netlab.ruleset import Compiler, compile_rulesets, difference, tiers
from netlab.ruleset.tiers import Tier, TierPolicy, TierRule
from netlab.testing.tracer import Packet, Tracer

PODS = {f"{ns}/{n}": f"10.244.0.{i}" for i, (ns, n) in enumerate(((n, p) for n in "xy" for p in "pqr"), start=1)}
OUTSIDE = "192.0.2.10"
PROBES = [("TCP", 80), ("TCP", 81), ("TCP", 85), ("UDP", 80), ("ICMP", None)]


@pytest.fixture
def known(monkeypatch):
    """Add two tiers of this test to the list. Each takes its policies from the cluster's memo."""
    monkeypatch.setattr(
        tiers,
        "TIERS",
        (
            Tier("Admin", True, lambda cluster: cluster.memo.get("Admin", ())),
            Tier("Baseline", False, lambda cluster: cluster.memo.get("Baseline", ())),
        ),
    )


def world(build, policies=(), admin=(), baseline=(), **choices):
    """Return a cluster of six pods in two namespaces, with NetworkPolicies and policies of both tiers."""
    members = [build.pod(ref, a, labels=f"app={ref[2:]}", ports="web=80/TCP") for ref, a in PODS.items()]
    found = build.cluster(members, list(policies))
    found = replace(found, policy=TopologyPolicy(**choices))
    found.memo.update(Admin=tuple(admin), Baseline=tuple(baseline))
    return found


def every(build, *words, namespace=()):
    """Return a peer of pods with some labels, in all namespaces or in those with some labels."""
    return Peer(namespace_selector=build.selector(*namespace), pod_selector=build.selector(*words))


def judge(build, name, *rules, subject=None, egress=False):
    """Return a policy of a tier with rules (action, peers, ports) of one direction."""
    written = tuple(TierRule(action, tuple(peers), tuple(ports)) for action, peers, ports in rules)
    subject = subject or every(build)
    return TierPolicy(Meta(name), subject, () if egress else written, written if egress else ())


def passes(cluster, source, destination, protocol="TCP", port=80):
    (ruleset,) = compile_rulesets(cluster).values()
    packet = Packet(PODS.get(source, OUTSIDE), PODS.get(destination, OUTSIDE), protocol, port)
    return Tracer(ruleset).verdict(packet).verdict == "accept"


def test_labs_without_policies_of_tiers_have_the_text_of_network_policy_alone(build, monkeypatch, known):
    """They have no lookup more."""
    policies = [build.policy("x/p", ingress=[build.rule(build.pods("app=q"), build.port(80))])]
    (with_tiers,) = compile_rulesets(world(build, policies)).values()
    monkeypatch.setattr(tiers, "TIERS", ())
    (alone,) = compile_rulesets(world(build, policies)).values()

    assert alone.text() == with_tiers.text()


def test_a_tier_denies_what_network_policy_allows(build, known):
    """A tier also allows what NetworkPolicy denies. Each rule applies to its own peers and ports only."""
    allows = build.policy("x/p", ingress=[build.rule(build.pods())])
    p, q = every(build, "app=p"), every(build, "app=q")
    cluster = world(
        build,
        [allows],
        admin=[judge(build, "a", ("allow", [every(build, namespace=("kubernetes.io/metadata.name=y",))], []),
                     ("deny", [q], [build.port(80)]), ("deny", [p], [build.port(90, "TCP", 99)]))],
    )  # fmt: skip

    assert passes(cluster, "y/q", "x/p", "TCP", 80)
    assert not passes(cluster, "x/q", "x/p", "TCP", 80)
    assert passes(cluster, "x/q", "x/p", "TCP", 81)
    assert not passes(cluster, "x/p", "x/q", "TCP", 95)
    assert not passes(cluster, "out", "x/p")


def test_pass_leaves_a_connection_to_network_policy_and_then_to_the_baseline_tier(build, known):
    """The Baseline tier applies to pods that no NetworkPolicy isolates in the direction."""
    deny_all = judge(build, "z", ("deny", [every(build)], []))
    admin = [judge(build, "a", ("pass", [every(build, "app=q")], [build.port(80)]), ("deny", [every(build)], []))]
    opened = build.policy("x/p", "app=p", ingress=[build.rule()])
    closed = build.policy("x/q", "app=q", ingress=[])
    cluster = world(build, [opened, closed], admin, [deny_all])

    assert passes(cluster, "y/q", "x/p")
    assert not passes(cluster, "y/q", "x/p", "TCP", 81)
    assert not passes(cluster, "y/q", "x/q")
    assert not passes(cluster, "y/q", "x/r")
    assert not passes(cluster, "y/r", "x/p")
    assert passes(cluster, "out", "x/r")


def test_a_tier_that_allows_egress_does_not_allow_ingress(build, known):
    """Both sides must allow a connection."""
    out = judge(build, "a", ("allow", [every(build)], []), ("deny", [build.block("0.0.0.0/0")], []), egress=True)
    cluster = world(build, [build.policy("x/p", "app=p", ingress=[], egress=[])], admin=[out])

    assert passes(cluster, "x/p", "y/q")
    assert not passes(cluster, "y/q", "x/p")
    assert not passes(cluster, "y/q", "out")


def test_a_rule_of_a_tier_needs_peers():
    """Without peers a rule would match every peer in one API and no peer in another."""
    with pytest.raises(ValueError, match="peers"):
        TierRule("deny", ())


# --- against a plain reading ----------------------------------------------------------------------------------------


def drawn(build, seed):
    """Return a cluster with random policies of every tier; a seed always gives the same one."""
    draw = random.Random(seed)  # noqa: S311
    peers = [every(build), every(build, "app=p"), every(build, "app notin (p)"), build.block("192.0.2.0/24"),
             build.block("10.244.0.0/30", "10.244.0.2/32"),
             every(build, "app=q", namespace=("kubernetes.io/metadata.name=x",))]  # fmt: skip
    ports = [build.port(80), build.port(81), build.port("web"), build.port(80, "TCP", 90), build.port(80, "UDP")]

    def some(names, count):
        return draw.sample(names, draw.randint(0, count))

    def rules():
        return tuple(
            TierRule(draw.choice(("allow", "deny", "pass")), tuple(some(peers, 2) or peers[:1]), tuple(some(ports, 2)))
            for _ in range(draw.randint(0, 4))
        )

    def policies(tier):
        subjects = [every(build), every(build, "app=p"), every(build, namespace=("kubernetes.io/metadata.name=y",))]
        return [
            TierPolicy(Meta(f"{tier}{n}"), draw.choice(subjects), rules(), rules()) for n in range(draw.randint(0, 3))
        ]

    written = [
        build.policy(
            f"{draw.choice('xy')}/p{n}", *draw.choice([(), ("app=p",)]),
            ingress=[build.rule(*some([build.pods(), build.block("0.0.0.0/0")], 1), *some(ports[:4:3], 1))],
            egress=draw.choice([None, [build.rule(*some(ports[:4:3], 1))]]),
        )
        for n in range(draw.randint(0, 2))
    ]  # fmt: skip
    return world(build, written, policies("admin"), policies("baseline"))


def side_passes(cluster, direction, own, other, destination, protocol, port):
    """Evaluate one side of a connection, tier by tier; pods are looked up by address."""
    by_address = {str(pod.addresses[0]): pod for pod in cluster.pods}
    pod, peer, target = by_address.get(own), by_address.get(other), by_address.get(destination)

    def is_peer(item):
        from ipaddress import ip_address

        if item.ip_block:
            return item.ip_block.contains(ip_address(other))
        return (
            peer is not None
            and (item.namespace_selector is None or item.namespace_selector.matches(cluster.namespaces[peer.namespace]))
            and (item.pod_selector is None or item.pod_selector.matches(peer.labels))
        )

    def is_port(item):
        if isinstance(item.port, str):
            return item.protocol == protocol and target is not None and port == 80
        return item.protocol == protocol and item.port <= port <= (item.end_port or item.port)

    def matches(rule, without_peers):
        return ((without_peers and not rule.peers) or any(map(is_peer, rule.peers))) and (
            not rule.ports or any(map(is_port, rule.ports))
        )

    def decided(policies):
        rules = (rule for policy in policies if policy.selects(pod, cluster) for rule in policy.rules(direction))
        found = next((rule.action for rule in rules if matches(rule, False)), "pass")
        return None if found == "pass" else found == "allow"

    if pod is None:
        return True
    if (found := decided(cluster.memo["Admin"])) is not None:
        return found
    isolating = [
        p for p in cluster.policies
        if direction in p.policy_types and p.meta.namespace == pod.namespace and p.pod_selector.matches(pod.labels)
    ]  # fmt: skip
    if isolating:
        return any(
            matches(rule, True)
            and (peer is None or not rule.peers or rule.peers[0].ip_block or in_own(rule, pod, peer))
            for policy in isolating
            for rule in policy.rules(direction)
        )
    return (found := decided(cluster.memo["Baseline"])) is None or found


def in_own(rule, pod, peer):
    return pod.namespace == peer.namespace


@pytest.mark.parametrize("seed", range(25))
def test_the_ruleset_agrees_with_the_plain_reading_of_all_tiers(build, known, seed):
    """For every pair, protocol and port of a random cluster."""
    cluster = drawn(build, seed)
    (ruleset,) = compile_rulesets(cluster).values()
    tracer = Tracer(ruleset)
    wrong = [
        (source, destination, *probe)
        for source, destination in permutations([*PODS.values(), OUTSIDE], 2)
        for probe in PROBES
        if (tracer.verdict(Packet(source, destination, *probe)).verdict == "accept")
        != (
            side_passes(cluster, "egress", source, destination, destination, *probe)
            and side_passes(cluster, "ingress", destination, source, destination, *probe)
        )
    ]

    assert [] == wrong


@pytest.mark.parametrize("seed", range(0, 24, 4))
def test_a_compiled_history_equals_a_fresh_compile_of_each_cluster(build, known, seed):
    """And no packet that two rulesets allow is denied while one replaces the other."""
    compiler = Compiler()
    clusters = [drawn(build, seed + n) for n in range(4)]
    compiled = [compiler.compile(cluster)["node-1"] for cluster in clusters]
    for cluster, ruleset in zip(clusters, compiled, strict=True):
        new = Compiler().compile(cluster)["node-1"]

        assert {n: {k: e.value for k, e in of.items()} for n, of in new.elements.items()} == {
            n: {k: e.value for k, e in of.items()} for n, of in ruleset.elements.items()
        }
    for before, after in pairwise(compiled):
        if before.tables != after.tables:
            continue
        for source, destination in list(permutations(PODS.values(), 2))[::3]:
            earliest, *between, latest = verdicts_during_change(before, after, Packet(source, destination, "TCP", 80))
            if earliest == latest == "accept":
                assert {"accept"} >= {*between}


@pytest.mark.parametrize("established", ["keep", "reevaluate"])
def test_the_kernel_loads_the_ruleset_and_its_changes(build, known, nft, established):
    """A chain of differences gives the same tables as a fresh load of the last ruleset."""
    clusters = [replace(drawn(build, seed), policy=TopologyPolicy(established=established)) for seed in range(6)]
    for seed, cluster in enumerate(clusters):
        cluster.memo.update(drawn(build, seed).memo)
    compiler = Compiler()
    compiled = [compiler.compile(cluster)["node-1"] for cluster in clusters]

    assert nft(compiled[-1].text()) == nft(
        compiled[0].text(), *(text for old, new in pairwise(compiled) if (text := difference(old, new).text))
    )


def test_every_rule_of_a_tier_changes_some_verdict(build, known):
    """Each rule of a tier's chains is removed, together with its copy for the second lookup."""
    packets = [Packet(*ends, *probe) for ends in permutations([*PODS.values(), OUTSIDE], 2) for probe in PROBES]
    worlds = []
    # No peer matches p, so its address has no identity: the mark must not keep that of q, which egress of p sets.
    p, q = every(build, "app=p"), every(build, "app=q")
    out, into = (
        judge(build, "a", ("allow", [q], []), subject=p, egress=True),
        judge(build, "b", ("deny", [q], []), subject=q),
    )
    # NetworkPolicy denies what the tier passes, in one direction.
    passing, allowing = ("pass", [q], [build.port(80)]), ("allow", [every(build)], ())
    closed = [
        world(
            build,
            [build.policy("x/c", **{direction: []})],
            admin=[judge(build, "c", passing, allowing, egress=egress)],
        )
        for direction, egress in (("ingress", False), ("egress", True))
    ]
    for cluster in [world(build, admin=[out, into]), *closed, *(drawn(build, seed) for seed in range(60))]:
        text = compile_rulesets(cluster)["node-1"].text()
        tracer = Tracer(text)
        worlds.append((text, [tracer.verdict(packet).verdict for packet in packets]))
    found_rules = {}  # type: ignore[var-annotated]
    for text, _ in worlds:
        chain = ""
        for line in text.splitlines():
            chain = line.split()[1] if line.startswith("\tchain ") else "" if line == "\t}" else chain
            if re.match(r"(in|eg)_tiers", chain) and not line.startswith("\tchain "):
                once = chain.removesuffix("_again")
                twin = re.sub("goto (in|eg)_again", r"goto deny_\1", line).replace("_again", "")
                found_rules.setdefault((once, twin), set()).add((chain, line))

    def found(lines):
        for text, usual in worlds:
            chain, kept = "", []
            for line in text.splitlines():
                chain = line.split()[1] if line.startswith("\tchain ") else "" if line == "\t}" else chain
                if (chain, line) not in lines:
                    kept.append(line)
            if len(kept) < text.count("\n"):
                tracer = Tracer("\n".join(kept))
                if any(tracer.verdict(one).verdict != was for one, was in zip(packets, usual, strict=True)):
                    return True
        return False

    # Egress comes before ingress, so the mark is zero.
    same = {("eg_tiers", "\t\tct mark set 0x0")}
    unnoticed = [rule for rule, lines in found_rules.items() if rule not in same and not found(lines)]

    assert not unnoticed, "\n".join(map(str, unnoticed))
