"""Settings of ``spec.policy`` on the way to a Service: exempt node ports, dropped SCTP, and nothing enforced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest
from services.objects import pod, service, topology
from settings.random_settings import wrong_services
from sizes import samples

from netlab.conformance.cases import Cell, Stage, Verdict
from netlab.conformance.disagreements import disagreements
from netlab.conformance.judges import evaluator, packets, tracer
from netlab.conformance.shorthand import policy
from netlab.objects import Document

OBJECTS = (
    pod("x/a", "app=a", "n1"),
    pod("x/web", "app=web", "n1", ["80", "80/SCTP"]),
    pod("x/far", "app=far", "n2", ["80"]),
    pod("x/host", "app=host", "n1", ["8080"], host=True),
    pod("x/hostfar", "app=hostfar", "n2", ["8080"], host=True),
    service("x/web", "app=web", ["t=80@30080", "s=80@30080/SCTP"], type="NodePort"),
    service("x/far", "app=far", ["80"]),
    service("x/host", "app=host", ["80:8080@30081"], type="NodePort"),
    service("x/hostfar", "app=hostfar", ["80:8080@30082"], type="NodePort"),
    policy("x/out", "app=a", egress=[], types=["Egress"]),
)
"""x/a may send nothing. Endpoints are pods and host-network pods, on the node of x/a and on the other."""

CELLS: dict[Cell, str] = {
    Cell("x/a", "service:x/web"): "deny",
    Cell("x/a", "service:x/web", "SCTP", 80): "deny",
    Cell("x/a", "service:x/far"): "deny",
    Cell("x/a", "service:x/host"): "deny",
    Cell("x/a", "service:x/hostfar"): "deny",
    Cell("x/a", "node:n1", "TCP", 30080): "deny",
    Cell("x/a", "node:n1", "TCP", 30081): "deny",
    Cell("x/a", "node:n1", "TCP", 30082): "deny",
    Cell("x/a", "node:n1", "TCP", 30083): "deny",
    Cell("x/a", "node:n1", "TCP", 8080): "deny",
    Cell("x/a", "node:n2", "TCP", 30080): "deny",
    Cell("x/a", "node:n2", "TCP", 30081): "deny",
    Cell("x/far", "service:x/web"): "allow",
    Cell("x/far", "service:x/web", "SCTP", 80): "allow",
    Cell("node:n2", "service:x/web", "SCTP", 80): "allow",
    Cell("node:n1", "service:x/web", "SCTP", 80): "allow",
    Cell("node:n1", "node:n1", "SCTP", 30080): "allow",
}
"""The verdicts with ``ownNode: enforce`` and else the defaults."""

VALUES: dict[str, tuple[Mapping[str, str], Mapping[Cell, str]]] = {
    "defaults": ({}, {}),
    "exempt": (
        {"nodePorts": "exempt"},
        {
            # DNAT sends the packet to the own node itself, whose INPUT does not judge it.
            Cell("x/a", "service:x/host"): "allow",
            Cell("x/a", "node:n1", "TCP", 30081): "allow",
            # No Service has the port.
            Cell("x/a", "node:n1", "TCP", 30083): "allow",
        },
    ),
    "exempt, every packet": (
        {"nodePorts": "exempt", "established": "reevaluate"},
        {
            Cell("x/a", "service:x/host"): "allow",
            Cell("x/a", "node:n1", "TCP", 30081): "allow",
            Cell("x/a", "node:n1", "TCP", 30083): "allow",
        },
    ),
    "reject, reset": ({"deny": "reject", "rejectWith": "tcp-reset"}, {}),
    "reject, port unreachable": ({"deny": "reject", "rejectWith": "port-unreachable"}, {}),
    "no SCTP": ({"sctp": "drop"}, {cell: "deny" for cell in CELLS if cell.protocol == "SCTP"}),
    "nothing enforced": ({"enforcement": "none"}, dict.fromkeys(CELLS, "allow")),
    "ingress only": ({"directions": "ingress-only"}, {cell: "allow" for cell in CELLS if cell.source == "x/a"}),
}


def documents(settings: Mapping[str, str]) -> tuple[Document, ...]:
    """Return the objects with settings of ``spec.policy``."""
    return topology("settings-services", policy={"ownNode": "enforce"} | dict(settings)), *OBJECTS


def stage(name: str) -> Stage:
    """Return the stage of settings by name."""
    settings, differs = VALUES[name]
    return Stage(
        name, documents(settings), {cell: cast(Verdict, differs.get(cell, usual)) for cell, usual in CELLS.items()}
    )


@pytest.mark.parametrize("name", VALUES)
def test_evaluator_and_ruleset_agree_on_services(name: str) -> None:
    """Packets to a Service are judged after DNAT; those that end at the own node are exempt with ``exempt``."""
    assert [] == list(map(str, disagreements(stage(name), {"evaluator": evaluator, "tracer": tracer()})))


@pytest.mark.kernel
def test_packets_agree_on_services() -> None:
    """In one lab whose settings change."""
    with packets(documents({})) as judge:
        for name in VALUES:
            assert [] == list(map(str, disagreements(stage(name), {"packets": judge})))


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("mode", ["bridge", "overlay"])
def test_evaluator_and_ruleset_agree_on_random_services(name: str, mode: str) -> None:
    """Services of every kind, asked by pods, nodes and outside hosts."""
    settings = {"ownNode": "enforce", **VALUES[name][0]}

    assert [] == wrong_services(settings, ("evaluator", "tracer"), count=samples(6), mode=mode)


@pytest.mark.kernel
@pytest.mark.parametrize("name", VALUES)
def test_packets_agree_on_random_services(name: str) -> None:
    """Packets of nodes to themselves too, which the output hook translates."""
    settings = {"ownNode": "enforce", **VALUES[name][0]}

    assert [] == wrong_services(settings, ("evaluator", "packets"), count=samples(3), seed=21)
