"""Settings of ``spec.policy`` that decide before policies or change what rules match: the verdicts of every judge.

``make verify-profiles`` runs more of the random sets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import cast

import pytest
from settings.random_settings import differing, topology_with, wrong
from sizes import samples

from netlab.conformance.base_cluster import base_cluster
from netlab.conformance.cases import Cell, Stage, Verdict
from netlab.conformance.disagreements import disagreements
from netlab.conformance.judges import Judge
from netlab.conformance.run import judges
from netlab.conformance.shorthand import block, peer, policy, rule
from netlab.objects import decode

# The random sets of each setting: with packets a fifth of a second each.
SETS = int(os.environ.get("NETLAB_SETS", "0"))
MODES = ("bridge", "overlay", "routed")
MEMBERS = ("x/a", "x/b", "y/a")
POLICY = policy(
    "x/p",
    "pod=a",
    ingress=[rule("ingress", [peer("pod=b")], ["80", "80/SCTP"]), rule("ingress", [block("0.0.0.0/0")], ["81"])],
    egress=[rule("egress", [block("0.0.0.0/0")], ["81", "81/SCTP"])],
)
"""It isolates x/a. Pod x/b may send to port 80, and every address to port 81; x/a may send to port 81."""

NODE = "node:node-1"
USUAL: dict[Cell, str] = {
    Cell("x/b", "x/a"): "allow",
    Cell("x/b", "x/a", "SCTP", 80): "allow",
    Cell("y/a", "x/a"): "deny",
    Cell("y/a", "x/a", "UDP", 80): "deny",
    Cell("y/a", "x/a", "SCTP", 80): "deny",
    Cell("y/a", "x/a", "TCP", 81): "allow",
    Cell("y/a", "x/b"): "allow",
    Cell("y/a", "x/b", "SCTP", 80): "allow",
    Cell("x/a", "y/a", "TCP", 81): "allow",
    Cell("x/a", "y/a"): "deny",
    Cell("x/a", "y/a", "UDP", 80): "deny",
    Cell("x/a", "host:out"): "deny",
    Cell("x/a", "host:out", "TCP", 81): "allow",
    Cell("x/a", "host:out", "SCTP", 81): "allow",
    Cell("x/b", "x/a", "ICMP", None): "deny",
    Cell("x/a", "y/a", "ICMP", None): "deny",
    Cell(NODE, "x/a"): "allow",
    Cell(NODE, "x/b", "SCTP", 80): "allow",
    Cell("x/a", NODE): "deny",
    Cell("x/a", NODE, "TCP", 81): "allow",
    Cell("x/a", NODE, "ICMP", None): "deny",
    Cell("x/a", NODE, "TCP", 29_999): "deny",
    Cell("x/a", NODE, "TCP", 30_000): "deny",
    Cell("x/a", NODE, "UDP", 32_767): "deny",
    Cell("x/a", NODE, "SCTP", 30_080): "deny",
    Cell("x/a", NODE, "TCP", 32_768): "deny",
    Cell("x/b", NODE, "SCTP", 80): "allow",
    Cell(NODE, "host:out", "SCTP", 80): "allow",
}
"""The verdicts with ``ownNode: enforce`` and else the defaults."""

BETWEEN_NODES: dict[Cell, str] = {
    Cell("node:node-2", "x/a", "TCP", 81): "allow",
    Cell("node:node-2", "x/a", "TCP", 80): "deny",
    Cell("x/a", "node:node-2", "TCP", 81): "allow",
    Cell("x/a", "node:node-2", "TCP", 30_080): "deny",
}
"""Further verdicts, in modes with several nodes."""

OPEN = dict.fromkeys((*USUAL, *BETWEEN_NODES), "allow")
VALUES: dict[str, tuple[dict[str, str], Mapping[Cell, str]]] = {
    "defaults": ({}, {}),
    "nothing enforced": ({"enforcement": "none"}, OPEN),
    "no SCTP": (
        {"sctp": "drop"},
        {
            cell: "deny"
            for cell in USUAL
            if cell.protocol == "SCTP" and cell.destination + cell.source != "host:out" + NODE
        },
    ),
    "basic ICMP": ({"icmp": "basic-always"}, {cell: "allow" for cell in USUAL if cell.protocol == "ICMP"}),
    "reject, port unreachable": ({"deny": "reject", "rejectWith": "port-unreachable"}, {}),
    "reject, reset": ({"deny": "reject", "rejectWith": "tcp-reset"}, {}),
    "ipBlocks without nodes": (
        {"ipBlockNodes": "ignore"},
        {
            Cell("x/a", NODE, "TCP", 81): "deny",
            Cell("node:node-2", "x/a", "TCP", 81): "deny",
            Cell("x/a", "node:node-2", "TCP", 81): "deny",
        },
    ),
    "ipBlocks without pods and nodes": (
        {"ipBlockNodes": "ignore", "ipBlockPods": "ignore"},
        {
            Cell("y/a", "x/a", "TCP", 81): "deny",
            Cell("x/a", "y/a", "TCP", 81): "deny",
            Cell("x/a", NODE, "TCP", 81): "deny",
            Cell("node:node-2", "x/a", "TCP", 81): "deny",
            Cell("x/a", "node:node-2", "TCP", 81): "deny",
        },
    ),
    "exempt node ports": (
        {"nodePorts": "exempt"},
        {
            Cell("x/a", NODE, "TCP", 30_000): "allow",
            Cell("x/a", NODE, "UDP", 32_767): "allow",
            Cell("x/a", NODE, "SCTP", 30_080): "allow",
        },
    ),
    "ingress only": (
        {"directions": "ingress-only"},
        {cell: "allow" for cell in (*USUAL, *BETWEEN_NODES) if cell.source == "x/a"},
    ),
    "multicast": ({"multicast": "allow"}, {}),
}
"""Settings by name, and the verdicts that differ from the usual ones."""

AT_ONCE = {
    "icmp": "basic-always",
    "deny": "reject",
    "rejectWith": "tcp-reset",
    "ipBlockNodes": "ignore",
    "nodePorts": "exempt",
    "multicast": "allow",
    "established": "reevaluate",
}


def stage(name: str, mode: str) -> Stage:
    """Return the stage of settings by name in a mode."""
    settings, differs = VALUES[name]
    usual = USUAL | ({} if mode == "bridge" else BETWEEN_NODES)
    documents = (
        topology_with({"ownNode": "enforce"} | settings, mode),
        *base_cluster(members=MEMBERS, mode=mode)[1:],
        POLICY,
    )
    return Stage(name, documents, {cell: cast(Verdict, differs.get(cell, found)) for cell, found in usual.items()})


@pytest.fixture(scope="module", params=MODES)
def packets(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, Judge]]]:
    """A running lab of one mode; tests change its settings."""
    with judges(("packets",), request.param) as panel:
        yield request.param, panel


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", VALUES)
def test_evaluator_and_ruleset_follow_the_settings(name: str, mode: str) -> None:
    """They change the verdicts of their row, and no others."""
    with judges(("evaluator", "tracer")) as panel:
        assert [] == list(map(str, disagreements(stage(name, mode), panel)))


@pytest.mark.kernel
@pytest.mark.parametrize("name", VALUES)
def test_packets_follow_the_settings(name: str, packets: tuple[str, dict[str, Judge]]) -> None:
    """In every mode that enforces policy, also after a change from other settings."""
    mode, panel = packets

    assert [] == list(map(str, disagreements(stage(name, mode), panel)))


@pytest.mark.parametrize("settings", [*(s for s, _ in VALUES.values() if s), AT_ONCE], ids=lambda s: " ".join(s))
@pytest.mark.parametrize("mode", ["bridge", "overlay"])
def test_evaluator_and_tracer_agree_on_random_policies(settings: dict[str, str], mode: str) -> None:
    """With each setting and with several at once, where nodes are judged too."""
    settings = {"ownNode": "enforce"} | settings

    assert [] == wrong(settings, ("evaluator", "tracer"), count=SETS or samples(6), mode=mode)


@pytest.mark.parametrize("settings", [*(s for s, _ in VALUES.values() if s), AT_ONCE], ids=lambda s: " ".join(s))
def test_fast_versions_agree_with_the_evaluator_on_random_clusters(settings: dict[str, str]) -> None:
    """The groups and the expansion, reasons included, in clusters with every mode and both IP families."""
    objects, _ = decode([topology_with({"ownNode": "enforce"} | settings, "bridge")])
    assert objects.topology is not None
    of = objects.topology.policy

    assert [] == [text for seed in range(samples(32)) for text in differing(of, seed)]


@pytest.mark.kernel
@pytest.mark.parametrize("settings", [*(s for s, _ in VALUES.values() if s), AT_ONCE], ids=lambda s: " ".join(s))
def test_all_judges_agree_on_random_policies(settings: dict[str, str]) -> None:
    """Packets too, between nodes."""
    assert [] == wrong({"ownNode": "enforce"} | settings, count=SETS or samples(2), mode="overlay", seed=13)
