"""Labs with IPv6, whole: built at once, read back as they were wanted, probed in both families."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from iproute2 import ip

Program = Callable[..., "subprocess.CompletedProcess[str]"]

POLICIES = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: http}]
  - from: [{ipBlock: {cidr: "2001:db8::/32"}}]
  egress:
  - to: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: http}]
  - to: [{ipBlock: {cidr: "::/0", except: ["2001:db8:1::/64"]}}]
  - to: [{ipBlock: {cidr: 198.51.100.0/24}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: api, namespace: shop}
spec:
  podSelector: {matchLabels: {app: api}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from: [{ipBlock: {cidr: 0.0.0.0/0}}]
    ports: [{port: http}]
  - from: [{ipBlock: {cidr: "fd00:10:244::/56"}}]
    ports: [{port: 53, protocol: UDP}]
  egress:
  - to: [{podSelector: {matchLabels: {app: db}}}]
    ports: [{port: postgres}]
"""


@pytest.fixture
def inputs(tmp_path: Path) -> Callable[[str], tuple[str, ...]]:
    """The arguments that name a topology's file, the shop's pods and the policies above."""
    policies = tmp_path / "policies.yaml"
    policies.write_text(POLICIES)
    return lambda topology: ("-f", f"topologies/{topology}.yaml", "-f", "examples/shop/shop.yaml", "-f", str(policies))


@pytest.fixture(params=["dual-stack", "ipv6-only"])
def running(
    request: pytest.FixtureRequest, program: Program, unique: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """A running lab's name, and its topology's."""
    name = unique("six")
    try:
        done = program("up", "-f", f"topologies/{request.param}.yaml", "-f", "examples/shop", "--lab", name)
        assert 0 == done.returncode, done.stderr
        yield name, request.param
    finally:
        program("down", name)


def test_a_second_up_changes_nothing(program: Program, running: tuple[str, str]) -> None:
    """What the kernel makes by itself (link-local addresses, their routes, multicast) is no difference."""
    name, topology = running
    done = program("up", "-f", f"topologies/{topology}.yaml", "-f", "examples/shop", "--lab", name)

    assert f"lab {name}: unchanged\n" == done.stderr


def test_no_address_is_tentative(running: tuple[str, str]) -> None:
    """When ``up`` returns, every address can be used, the kernel's own included."""
    name, _ = running
    namespaces = [p.name for p in Path("/run/netns").glob(f"netlab.{name}.*")]
    shown = {namespace: ip("-6", "address", "show", "tentative", namespace=namespace) for namespace in namespaces}

    assert len(namespaces) > 7
    assert {} == {namespace: facts for namespace, facts in shown.items() if facts}


@pytest.mark.parametrize(("topology", "families"), [("dual-stack", {4, 6}), ("ipv6-only", {6})])
def test_packets_agree_with_the_documentation_on_every_pair(program: Program, inputs, topology, families) -> None:
    """With ingress, egress, ipBlocks of both families and named ports; nodes and pods themselves included."""
    ports = [word for port in ("8080", "5432", "53/UDP", "ICMP") for word in ("--port", port)]
    done = program("verify", *inputs(topology), "--nodes", "--self", *ports, "-o", "json")
    document = json.loads(done.stdout)
    count = len(document["rows"])

    assert 0 == done.returncode
    assert {"pairs": count, "agree": count, "differ": 0, "inconclusive": 0, "unknown": 0} == document["summary"]
    assert {(family, verdict) for family in families for verdict in ("allow", "deny")} == set(
        Counter((row["family"], row["measured"]) for row in document["rows"])
    )


def test_an_address_of_ipv6_with_a_port_is_a_destination(program: Program, running: tuple[str, str]) -> None:
    """In brackets, as in a URL; the row has the name of the machine that has the address, and the family."""
    name, topology = running
    address = {"dual-stack": "2001:db8:1::10", "ipv6-only": "2001:db8::10"}[topology]
    done = program("probe", "other/stranger", f"[{address}]:443", "--lab", name, "-o", "json")
    (row,) = json.loads(done.stdout)["rows"]

    assert ("host:internet6", 6, 443, "allow") == (row["destination"], row["family"], row["port"], row["measured"])


def test_a_family_narrows_the_flows(program: Program, running: tuple[str, str]) -> None:
    """A family that the lab does not have is an error, not an empty answer."""
    name, topology = running
    done = program("probe", "--family", "4", "--lab", name, "-o", "json")

    if topology == "dual-stack":
        assert {4} == {row["family"] for row in json.loads(done.stdout)["rows"]}
    else:
        assert (2, "") == (done.returncode, done.stdout)
        assert "has no IPv4 pod network" in done.stderr
