"""Services on the command line, on the real kernel: rows, one pair, and a trace."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.kernel

Program = Callable[..., "subprocess.CompletedProcess[str]"]
INPUT = """
{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: NAME}, spec: {dns: false, nodes: [{name: a}, {name: b}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop}, spec: {nodeName: a, containers: [{name: c}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-0, namespace: shop, labels: {app: db}},
 spec: {nodeName: a, containers: [{name: c}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db-1, namespace: shop, labels: {app: db, closed: "yes"}},
 spec: {nodeName: b, containers: [{name: c}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: db, namespace: shop},
 spec: {clusterIP: 10.96.0.77, selector: {app: db}, sessionAffinity: ClientIP,
  ports: [{name: pg, port: 5432, targetPort: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: none, namespace: shop}, spec: {ports: [{port: 80}]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: shop},
 spec: {podSelector: {matchLabels: {closed: "yes"}}, policyTypes: [Ingress]}}
"""


@pytest.fixture(scope="module")
def running(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lab in which a Service has an endpoint that is open and one that is closed, and a Service has none."""
    name = f"cli-services-{tmp_path_factory.getbasetemp().name[-6:].strip('-_')}".lower()
    file: Path = tmp_path_factory.mktemp("services") / "input.yaml"
    file.write_text(INPUT.replace("NAME", name))
    try:
        done = program("up", "-f", file)
        assert 0 == done.returncode, done.stderr
        yield name
    finally:
        program("down", name)


def rows(program: Program, *arguments: str) -> list[dict[str, Any]]:
    done = program(*arguments, "-o", "json")
    return json.loads(done.stdout)["rows"]  # type: ignore[no-any-return]


def test_each_endpoint_of_a_service_has_its_own_verdict(program: Program, running: str) -> None:
    """The verdict of the row is "some"; a port may be named."""
    (row,) = rows(program, "probe", "shop/web", "service:shop/db:pg", "--lab", running)

    assert ("service:shop/db", 5432, "some") == (row["destination"], row["port"], row["measured"])
    assert [("shop/db-0", 80, "allow"), ("shop/db-1", 80, "deny")] == [
        (one["pod"], one["port"], one["measured"]) for one in row["endpoints"]
    ]


def test_verify_has_both_verdicts_of_each_endpoint(program: Program, running: str) -> None:
    """Every source is asked, and all rows agree."""
    done = program("verify", "--services", "--nodes", "--lab", running, "-o", "json")
    found = json.loads(done.stdout)
    of_services = [row for row in found["rows"] if row["destination"] == "service:shop/db"]

    assert 0 == done.returncode, done.stderr
    assert {"differ": 0, "inconclusive": 0} == {name: found["summary"][name] for name in ("differ", "inconclusive")}
    assert {"shop/web", "shop/db-0", "shop/db-1", "node:a", "node:b"} == {row["source"] for row in of_services}
    assert all(one["verdict"] == one["measured"] for row in of_services for one in row["endpoints"])


def test_a_service_without_endpoints_is_denied(program: Program, running: str) -> None:
    """The node rejects it, which is the evidence."""
    (row,) = rows(program, "probe", "shop/web", "service:shop/none:80", "--lab", running)

    assert ("deny", "rejected on the way: TCP RST") == (row["measured"], row["reason"])


def test_the_address_of_a_service_is_asked_as_its_name_is(program: Program, running: str) -> None:
    """Its cluster IP stands for the same endpoints."""
    (named,) = rows(program, "probe", "shop/web", "service:shop/db:5432", "--lab", running)
    (row,) = rows(program, "probe", "shop/web", "10.96.0.77:5432", "--lab", running)

    assert "10.96.0.77" == row["destination"]
    assert named["endpoints"] == row["endpoints"]


def test_a_trace_names_the_service_and_each_endpoint(program: Program, running: str) -> None:
    """The elements that translated the packets name both."""
    done = program("trace", "shop/web", "service:shop/db:5432", "--lab", running, "-o", "json")
    assert 0 == done.returncode, done.stderr
    (trace,) = json.loads(done.stdout)["traces"]
    found = {step["set"]: step["comment"] for step in trace["steps"] if step["set"].startswith("services")}
    chosen = [step["comment"] for step in trace["steps"] if step["set"].startswith("service_endpoints")]

    assert ("some", "some", True) == (trace["expected"], trace["measured"], trace["agree"])
    assert {"services4": "shop/db 5432/TCP"} == found
    assert [f"shop/db-{i} for shop/db 5432/TCP" for i in (0, 1)] == chosen
    assert ["shop/db-0", "shop/db-1"] == [one["pod"] for one in trace["endpoints"]]


def test_a_trace_says_what_became_of_the_packets_to_each_endpoint(program: Program, running: str) -> None:
    """Above the rules of these packets, with the endpoint's address and port."""
    lines = program("trace", "shop/web", "service:shop/db:5432", "--lab", running).stdout.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("packets to its endpoint shop/db-")]
    parts = [lines[at[0] : at[1]], lines[at[1] :]]

    assert ["allow", "deny"] == sorted(lines[i].rpartition(": ")[2] for i in at)
    for name, other, part in zip(("shop/db-0", "shop/db-1"), ("shop/db-1", "shop/db-0"), parts, strict=True):
        rules = [line for line in part[2:] if " netlab" in line]
        assert name in part[0]
        assert ["NODE", "CHAIN", "RULE", "VERDICT", "ENTRY"] == part[1].split()
        assert 1 == sum(f"{name} for shop/db" in line for line in rules)
        assert not [line for line in rules if other in line]
        assert not [line for line in part if line == "packets that no node translated"]
