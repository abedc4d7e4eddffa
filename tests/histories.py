"""Random histories: sequences of clusters whose pods, policies and namespaces come, change and go.

There are three random generators, for three purposes. This one draws with Hypothesis, which shrinks a failing
history, and makes ``Cluster`` values directly, so that successive clusters share objects as a lab's do.
``random_clusters`` makes single clusters for the evaluator. ``netlab.conformance.random_cases`` is part of netlab: it
makes documents that every judge takes, packets too, and has a shrinker of its own.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from netlab.cluster import Cluster
from netlab.cluster.types import Pod
from netlab.ruleset import Port

NODES = ("node-1", "node-2")


def port_of(pod: Pod) -> Port:
    """Return a link end that no other pod has."""
    return Port(f"veth-{pod.namespace}{pod.name}", f"02:00:00:00:00:{int(pod.name) + 8 * (pod.namespace == 'y'):02x}")


def histories(b: Any) -> st.SearchStrategy[list[Cluster]]:
    """Return a strategy for histories; the clusters of a history have many pods and policies in common."""
    peers = st.sampled_from(
        [
            b.pods(),
            b.pods("app=p"),
            b.pods("app notin (p)"),
            b.namespaces("team=1"),
            b.namespaces(pods=("app=q",)),
            b.block("10.244.0.0/29", "10.244.0.2/31"),
            b.block("10.244.0.0/16"),
            b.block("192.0.2.0/24"),
        ]
    )
    ports = st.sampled_from(
        [b.port(80), b.port("web"), b.port("dns", "UDP"), b.port(1, "TCP", 80), b.port(80, "TCP", 90)]
    )
    rules = st.lists(
        st.builds(lambda p, q: b.rule(*p, *q), st.lists(peers, max_size=2), st.lists(ports, max_size=2)), max_size=2
    )
    words = st.sampled_from([(), ("app=p",), ("app",)])
    policies = st.dictionaries(
        st.sampled_from(["x/1", "x/2", "y/1"]), st.tuples(words, st.none() | rules, st.none() | rules), max_size=3
    )
    labels = st.sampled_from(["", "app=p", "app=q"])
    declared = st.sampled_from(["", "web=80/TCP", "web=81/TCP dns=53/UDP"])
    kind = st.sampled_from(["network", "network", "network", "host", "none"])
    members = st.dictionaries(
        st.tuples(st.sampled_from("xy"), st.integers(1, 4)), st.tuples(labels, declared, st.sampled_from(NODES), kind)
    )

    def cluster(mode, found, written, team, shift):
        return b.cluster(
            [
                b.pod(
                    f"{ns}/{n}",
                    *(
                        []
                        if kind == "none"
                        else [
                            f"100.64.0.{node[-1]}"
                            if kind == "host"
                            else f"10.244.0.{(n + shift) % 4 + 1 + 8 * (ns == 'y')}"
                        ]
                    ),
                    labels=labels,
                    ports=declared,
                    node=node,
                    attachment=mode if kind == "network" else kind,
                )
                for (ns, n), (labels, declared, node, kind) in found.items()
            ],
            [b.policy(key, *w, ingress=i, egress=e) for key, (w, i, e) in written.items()],
            nodes=NODES,
            namespaces={"x": {"team": team}},
            mode=mode,
        )

    # With another shift, pods have addresses that other pods had before.
    clusters = st.tuples(members, policies, st.sampled_from("12"), st.sampled_from([0, 0, 1]))
    return st.sampled_from(["bridge", "overlay", "routed"]).flatmap(
        lambda mode: st.lists(clusters.map(lambda parts: cluster(mode, *parts)), min_size=2, max_size=5)
    )
