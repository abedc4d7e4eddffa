"""Tiers: a value and a line (``known``); the first rule that matches accepts, denies or passes on."""

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
    """The line of two tiers of the test's own: each has the policies that a cluster carries for it."""
    monkeypatch.setattr(
        tiers,
        "TIERS",
        (
            Tier("first", True, lambda cluster: cluster.memo.get("first", ())),
            Tier("last", False, lambda cluster: cluster.memo.get("last", ())),
        ),
    )


def world(build, policies=(), first=(), last=(), **choices):
    """Six pods in two namespaces, with NetworkPolicies and the policies of both tiers."""
    members = [build.pod(ref, a, labels=f"app={ref[2:]}", ports="web=80/TCP") for ref, a in PODS.items()]
    found = build.cluster(members, list(policies))
    found = replace(found, policy=TopologyPolicy(**choices))
    found.memo.update(first=tuple(first), last=tuple(last))
    return found


def every(build, *words, namespace=()):
    """Pods by labels in the namespaces that a selector means."""
    return Peer(namespace_selector=build.selector(*namespace), pod_selector=build.selector(*words))


def judge(build, name, *rules, subject=None, egress=False):
    """A policy of a tier with rules (verdict, peers, ports) of one direction."""
    written = tuple(TierRule(verdict, tuple(peers), tuple(ports)) for verdict, peers, ports in rules)
    subject = subject or every(build)
    return TierPolicy(Meta(name), subject, () if egress else written, written if egress else ())


def passes(cluster, source, destination, protocol="TCP", port=80):
    (ruleset,) = compile_rulesets(cluster).values()
    packet = Packet(PODS.get(source, OUTSIDE), PODS.get(destination, OUTSIDE), protocol, port)
    return Tracer(ruleset).verdict(packet).verdict == "accept"


def test_labs_without_policies_of_tiers_have_the_text_of_network_policy_alone(build, monkeypatch, known):
    """Not one look-up more."""
    policies = [build.policy("x/p", ingress=[build.rule(build.pods("app=q"), build.port(80))])]
    (with_tiers,) = compile_rulesets(world(build, policies)).values()
    monkeypatch.setattr(tiers, "TIERS", ())
    (alone,) = compile_rulesets(world(build, policies)).values()

    assert alone.text() == with_tiers.text()


def test_a_tier_denies_what_network_policy_allows(build, known):
    """And accepts what it denies, each for its peers and ports only."""
    allows = build.policy("x/p", ingress=[build.rule(build.pods())])
    p, q = every(build, "app=p"), every(build, "app=q")
    cluster = world(
        build,
        [allows],
        first=[judge(build, "a", ("accept", [every(build, namespace=("kubernetes.io/metadata.name=y",))], []),
                     ("deny", [q], [build.port(80)]), ("deny", [p], [build.port(90, "TCP", 99)]))],
    )  # fmt: skip

    assert passes(cluster, "y/q", "x/p", "TCP", 80)
    assert not passes(cluster, "x/q", "x/p", "TCP", 80)
    assert passes(cluster, "x/q", "x/p", "TCP", 81)
    assert not passes(cluster, "x/p", "x/q", "TCP", 95)
    assert not passes(cluster, "out", "x/p")


def test_a_rule_that_passes_leaves_it_to_network_policy_and_then_to_the_last_tier(build, known):
    """The last tier judges the pods that no NetworkPolicy isolates in the direction, those that it opens aside."""
    deny_all = judge(build, "z", ("deny", [every(build)], []))
    first = [judge(build, "a", ("pass", [every(build, "app=q")], [build.port(80)]), ("deny", [every(build)], []))]
    opened = build.policy("x/p", "app=p", ingress=[build.rule()])
    closed = build.policy("x/q", "app=q", ingress=[])
    cluster = world(build, [opened, closed], first, [deny_all])

    assert passes(cluster, "y/q", "x/p")
    assert not passes(cluster, "y/q", "x/p", "TCP", 81)
    assert not passes(cluster, "y/q", "x/q")
    assert not passes(cluster, "y/q", "x/r")
    assert not passes(cluster, "y/r", "x/p")
    assert passes(cluster, "out", "x/r")


def test_egress_is_judged_too_and_acceptance_of_one_side_is_no_acceptance_of_the_other(build, known):
    """A connection passes where both sides let it."""
    out = judge(build, "a", ("accept", [every(build)], []), ("deny", [build.block("0.0.0.0/0")], []), egress=True)
    cluster = world(build, [build.policy("x/p", "app=p", ingress=[], egress=[])], first=[out])

    assert passes(cluster, "x/p", "y/q")
    assert not passes(cluster, "y/q", "x/p")
    assert not passes(cluster, "y/q", "out")


def test_a_rule_of_a_tier_names_its_peers():
    """No peers would be everybody in one API and nobody in another."""
    with pytest.raises(ValueError, match="peers"):
        TierRule("deny", ())


# --- against a plain reading ----------------------------------------------------------------------------------------


def drawn(build, seed):
    """A world of policies of every tier, drawn by a seed."""
    draw = random.Random(seed)  # noqa: S311
    peers = [every(build), every(build, "app=p"), every(build, "app notin (p)"), build.block("192.0.2.0/24"),
             build.block("10.244.0.0/30", "10.244.0.2/32"),
             every(build, "app=q", namespace=("kubernetes.io/metadata.name=x",))]  # fmt: skip
    ports = [build.port(80), build.port(81), build.port("web"), build.port(80, "TCP", 90), build.port(80, "UDP")]

    def some(names, count):
        return draw.sample(names, draw.randint(0, count))

    def rules():
        return tuple(
            TierRule(draw.choice(("accept", "deny", "pass")), tuple(some(peers, 2) or peers[:1]), tuple(some(ports, 2)))
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
            ingress=[build.rule(*some([build.pods(), build.block("0.0.0.0/0")], 1), *some(ports[:2], 1))],
            egress=draw.choice([None, [build.rule(*some(ports[:2], 1))]]),
        )
        for n in range(draw.randint(0, 2))
    ]  # fmt: skip
    return world(build, written, policies("first"), policies("last"))


def side_passes(cluster, direction, own, other, destination, protocol, port):
    """Read one side of a connection tier by tier."""
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

    def matches(rule, anybody):
        return ((anybody and not rule.peers) or any(map(is_peer, rule.peers))) and (
            not rule.ports or any(map(is_port, rule.ports))
        )

    def decided(policies):
        rules = (rule for policy in policies if policy.selects(pod, cluster) for rule in policy.rules(direction))
        found = next((rule.verdict for rule in rules if matches(rule, False)), "pass")
        return None if found == "pass" else found == "accept"

    if pod is None:
        return True
    if (found := decided(cluster.memo["first"])) is not None:
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
    return (found := decided(cluster.memo["last"])) is None or found


def in_own(rule, pod, peer):
    return pod.namespace == peer.namespace


@pytest.mark.parametrize("seed", range(25))
def test_the_text_says_what_the_tiers_say(build, known, seed):
    """Every pair and probe gets the verdict of a plain reading, tier by tier, rule by rule."""
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
def test_tiers_follow_a_history(build, known, seed):
    """A compiler that saw other policies gives what one from nothing gives, and no change denies what both allow."""
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
            last, *torn, first = verdicts_during_change(before, after, Packet(source, destination, "TCP", 80))
            if first == last == "accept":
                assert {"accept"} >= {*torn}


@pytest.mark.parametrize("established", ["keep", "reevaluate"])
def test_the_kernel_takes_it(build, known, nft, established):
    """The text loads, and a chain of differences ends where a fresh load does."""
    clusters = [replace(drawn(build, seed), policy=TopologyPolicy(established=established)) for seed in range(6)]
    for seed, cluster in enumerate(clusters):
        cluster.memo.update(drawn(build, seed).memo)
    compiler = Compiler()
    compiled = [compiler.compile(cluster)["node-1"] for cluster in clusters]

    assert nft(compiled[-1].text()) == nft(
        compiled[0].text(), *(text for old, new in pairwise(compiled) if (text := difference(old, new).text))
    )


def test_no_rule_of_a_tier_is_there_for_nothing(build, known):
    """Whatever rule of a tier's chains is taken out of the text, with its twin of the second time, a pair finds it."""
    packets = [Packet(*ends, *probe) for ends in permutations([*PODS.values(), OUTSIDE], 2) for probe in PROBES]
    worlds = []
    # Of p no peer says anything, so its identity is none after that of q, which its egress looks up.
    p, q = every(build, "app=p"), every(build, "app=q")
    out, into = (
        judge(build, "a", ("accept", [q], []), subject=p, egress=True),
        judge(build, "b", ("deny", [q], []), subject=q),
    )
    for cluster in [world(build, first=[out, into]), *(drawn(build, seed) for seed in range(60))]:
        text = compile_rulesets(cluster)["node-1"].text()
        tracer = Tracer(text)
        worlds.append((text, [tracer.verdict(packet).verdict for packet in packets]))
    rules = {}  # type: ignore[var-annotated]
    for text, _ in worlds:
        chain = ""
        for line in text.splitlines():
            chain = line.split()[1] if line.startswith("\tchain ") else "" if line == "\t}" else chain
            if re.match(r"(first|last)_|(in|eg)_(tiers|after)", chain) and not line.startswith("\tchain "):
                once = chain.removesuffix("_again")
                twin = re.sub("goto (in|eg)_again", r"goto deny_\1", line).replace("_again", "")
                rules.setdefault((once, twin), set()).add((chain, line))

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

    # A tier looks up the identity of the very peer that the tier before it did; only ingress after egress does not.
    same = {
        ("last_in_class", "\t\tct mark set 0x0"),
        *((f"{t}_eg_class", "\t\tct mark set 0x0") for t in ("first", "last")),
    }
    unnoticed = [rule for rule, lines in rules.items() if rule not in same and not found(lines)]

    assert not unnoticed, "\n".join(map(str, unnoticed))
