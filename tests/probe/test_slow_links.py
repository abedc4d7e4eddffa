"""Links that delay or lose packets: a probe that is lost is no denial, and one that is denied is no loss."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from builders import cluster, pod, policy, topology

from netlab.cluster import Cluster
from netlab.cluster.flows import every_pair
from netlab.cluster.types import ImpairedLink
from netlab.dataplane import names
from netlab.objects.links import Netem
from netlab.policy.evaluate import evaluate
from netlab.probe import measure
from netlab.probe.slow_links import MOST_ATTEMPTS, attempts, expected, judge
from netlab.probe.verdicts import Evidence, verdict

NODES = topology(mode="routed", nodes=("node-1", "node-2"), hosts={"out": ["192.0.2.1"]})
CLUSTER = cluster(NODES, *(pod(f"x/{name}", node=f"node-{1 + index % 2}") for index, name in enumerate("abc")))


def impaired(of: Cluster, netem: Netem, *ends: str) -> Cluster:
    """Return a cluster that says that a link is impaired."""
    return replace(of, links=(ImpairedLink(ends or tuple(node.ref for node in of.nodes), netem),))


def test_without_links_nothing_is_expected() -> None:
    """The engine then does as ever."""
    assert expected(cluster(pod("x/a"))) is None


@pytest.mark.parametrize(
    ("netem", "ends", "wait"),
    [
        (Netem(delay=200_000), (), (0.4, 0.0, 1_000)),
        (Netem(delay=200_000, jitter=50_000), (), (0.5, 0.1, 1_000)),
        (Netem(delay=200_000, reorder=500_000), (), (0.4, 0.2, 1_000)),
        (Netem(delay=100_000), ("node:node-1",), (0.4, 0.0, 1_000)),
        (Netem(delay=100_000), ("x/a",), (0.4, 0.0, 1_000)),
        (Netem(rate=400_000), (), (2.0, 0.0, 100)),
    ],
)
def test_the_links_say_how_long_to_wait(netem: Netem, ends: tuple[str, ...], wait: tuple[float, float, int]) -> None:
    """For both ways of a packet, for one that overtakes it, and for what is sent at once."""
    found = expected(impaired(CLUSTER, netem, *ends))

    assert found is not None
    assert wait == pytest.approx((found.seconds, found.settle, found.batch))


@pytest.mark.parametrize(
    ("netem", "ends", "misses"),
    [
        (Netem(loss=300_000), (), 12),
        (Netem(corrupt=300_000), (), 12),
        (Netem(loss=1_000), (), 2),
        (Netem(loss=1_000_000), (), 0),
        (Netem(loss=900_000), (), 0),
        (Netem(delay=1_000), (), 1),
        (Netem(loss=300_000), ("node:node-1",), 12),
        (Netem(loss=300_000), ("x/b",), 12),
        (Netem(loss=300_000), ("x/c",), 1),
    ],
)
def test_a_denial_needs_more_attempts_the_more_is_lost(netem: Netem, ends: tuple[str, ...], misses: int) -> None:
    """So many that a false one is less likely than one in a million; on other ways one attempt is enough."""
    found = expected(impaired(CLUSTER, netem, *ends))
    a, b, c, out = (CLUSTER.by_ref[ref] for ref in ("x/a", "x/b", "x/c", "host:out"))

    assert found is not None
    assert misses == found.misses([a, b]) == found.misses([b, a])
    if len(ends) == 1 and ends[0].startswith("x/"):
        assert 12 == found.misses([CLUSTER.by_ref[ends[0]], out])
    else:
        assert 1 == found.misses([a, c])


def test_a_packet_to_a_service_passes_a_link_twice() -> None:
    """On its way to the node that translates it, and from there to the backend."""
    found = expected(impaired(CLUSTER, Netem(loss=300_000)))
    a, c, node = (CLUSTER.by_ref[ref] for ref in ("x/a", "x/c", "node:node-2"))

    assert found is not None
    assert 21 == found.misses([a, node, c])


def test_attempts_are_more_than_the_misses_and_bounded() -> None:
    """As an attempt without its control does not count."""
    assert [3, 3, 6, 36, MOST_ATTEMPTS] == [attempts(misses) for misses in (0, 1, 2, 12, 40)]


MISSING = Evidence(control=True)


@pytest.mark.parametrize(
    ("seen", "misses", "arrived", "expected_verdict"),
    [
        (MISSING, 1, False, "inconclusive"),
        (MISSING, 12, False, "deny"),
        (MISSING, 12, True, "inconclusive"),
        (Evidence(arrived=True, answered="TCP RST"), 3, False, "allow"),
        (Evidence(), 3, False, "inconclusive"),
        (Evidence(control=True, rejected="ICMP x"), 1, False, "deny"),
        (Evidence(refused="no route from source"), 0, False, "deny"),
        (Evidence(no_path="apart", ends_alive=True), 0, False, "deny"),
    ],
)
def test_a_missing_packet_counts_after_enough_attempts_only(
    seen: Evidence, misses: int, arrived: bool, expected_verdict: str
) -> None:
    """What a packet that came proves counts at once."""
    assert expected_verdict == judge(seen, verdict(seen), misses=misses, needed=12, arrived=arrived)[0]


@pytest.mark.kernel
@pytest.mark.parametrize("percent", [10, 30])
def test_probes_tell_loss_from_denial(lab, percent):
    """The underlay loses packets at random: no verdict differs from the expected one, and few are inconclusive."""
    running = lab(
        NODES,
        *(pod(f"x/{name}", f"app={name}", node=f"node-{1 + index % 2}") for index, name in enumerate("abcd")),
        policy("x/deny-b", "app=b", ingress=[]),
        policy("x/deny-c", "app=c", ingress=[]),
    )
    running.kernel.nft(
        names.underlay_namespace(running.cluster.name),
        "table bridge loss {\nchain c {\ntype filter hook forward priority 0;\n"
        f"numgen random mod 100 < {percent} counter drop\n}}\n}}\n",
    )
    machines = sorted(one.ref for one in (*running.cluster.nodes, *running.cluster.hosts))
    netem = Netem(loss=10_000 * percent)
    known = replace(running.cluster, links=tuple(ImpairedLink(pair, netem) for pair in combinations(machines, 2)))
    flows = list(every_pair(known))
    found = list(measure(known, flows))

    differ = [
        (one.flow, one.verdict, one.reason)
        for one in found
        if one.verdict not in (evaluate(known, one.flow).verdict, "inconclusive")
    ]
    assert [] == differ
    assert sum(one.verdict == "inconclusive" for one in found) <= 1
    reasons = {one.reason for one in found if one.verdict == "deny"}
    assert any("as links of the lab lose packets" in reason for reason in reasons)
