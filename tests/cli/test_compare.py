"""``netlab compare``: what differs between CNIs, why, and what packets say."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]

INPUT = """\
{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: shop}, spec: {nodes: [{name: n1}, {name: n2}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: shop, labels: {app: web}}, spec: {nodeName: n1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-2, namespace: shop, labels: {app: web}}, spec: {nodeName: n2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {nodeName: n1}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 80}]}]
"""
MINE = """\
apiVersion: netlab/v1alpha1
kind: Profile
metadata: {name: mine}
spec:
  base: calico-vxlan
  policy: {ipBlockPods: {value: ignore, mark: GUESS, source: a guess of ours}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The input in a file."""
    file = tmp_path / "shop.yaml"
    file.write_text(INPUT)
    return file


def compared(netlab: Call, *arguments: object) -> dict[str, Any]:
    done = netlab("compare", "-o", "json", *arguments)
    assert 0 == done.exit_code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_rows_are_groups_with_the_verdict_and_the_reason_of_each_profile(netlab: Call, shop: Path) -> None:
    """A reason that a choice of the profile makes has the choice, its mark and its source beside it."""
    document = compared(netlab, "-f", shop, "--as", "calico", "--as", "cilium")
    (row,) = document["rows"]

    assert ("Comparison", ["calico", "cilium"]) == (document["kind"], document["profiles"])
    assert {"group": "shop app=web", "pods": 2, "members": ["shop/web-1", "shop/web-2"]} == row["source"]
    assert {"group": "shop/db", "pods": 1, "members": ["shop/db"]} == row["destination"]
    assert (4, "TCP", 80, 2) == (row["family"], row["protocol"], row["port"], row["pairs"])
    assert {"calico": "allow", "cilium": "deny"} == row["verdicts"]
    assert ["calico", "cilium"] == list(row["reasons"])
    assert [("ipBlockPods", "ignore", "DOC")] == [
        (one["setting"], one["value"], one["mark"]) for one in row["sources"]["cilium"]
    ]
    assert {"rows": 1, "pairs": 6, "differ": 2} == {
        key: document["summary"][key] for key in ("rows", "pairs", "differ")
    }
    assert {"allow": 6, "deny": 0, "some": 0, "unknown": 0} == document["summary"]["verdicts"]["calico"]


def test_pairs(netlab: Call, shop: Path) -> None:
    """With --pairs each pair is a row, under its own names."""
    document = compared(netlab, "-f", shop, "--as", "calico", "--as", "cilium", "--pairs")

    assert [("shop/web-1", "shop/db"), ("shop/web-2", "shop/db")] == [
        (row["source"], row["destination"]) for row in document["rows"]
    ]
    assert {"deny"} == {row["verdicts"]["cilium"] for row in document["rows"]}


def test_the_eight_are_compared_by_default(netlab: Call, shop: Path) -> None:
    """Each has a column, also for ICMP and for nodes."""
    document = compared(netlab, "-f", shop, "--port", "ICMP", "--port", "80", "--nodes")

    assert ["docker", "flannel", "calico", "canal", "cilium", "kube-router", "romana", "weave"] == document["profiles"]
    assert {"TCP", "ICMP"} == {row["protocol"] for row in document["rows"]}
    assert any("node:n2" in str(row["source"]) for row in document["rows"])


def test_the_table_has_the_reasons_and_the_choices_that_decided(netlab: Call, shop: Path) -> None:
    """Rows with the same verdicts share their reasons; the last line counts."""
    done = netlab("compare", "-f", shop, "--as", "calico", "--as", "cilium")
    lines = done.stdout.splitlines()

    assert lines[0].split() == ["#", "SOURCE", "DESTINATION", "PORT", "CALICO", "CILIUM"]
    assert "  cilium: ipBlockPods: ignore (DOC: Cilium: CIDR rules do not apply" in done.stdout
    assert "2 of 6 pairs differ under 2 profiles, in 1 group of pairs" == lines[-1]


@pytest.mark.parametrize(("profiles", "code"), [(("calico", "cilium"), 1), (("calico", "canal"), 0)])
def test_fail_on_any(netlab: Call, shop: Path, profiles: tuple[str, ...], code: int) -> None:
    """Exit code 1 if a verdict differs; without the option it is 0 whatever is found."""
    named = [word for name in profiles for word in ("--as", name)]

    assert code == netlab("compare", "-f", shop, *named, "--fail-on", "any").exit_code
    assert 0 == netlab("compare", "-f", shop, *named).exit_code


def test_a_profile_of_a_users_own_file(netlab: Call, shop: Path, tmp_path: Path) -> None:
    """It is a column under its own name, and a GUESS is printed as one."""
    file = tmp_path / "mine.yaml"
    file.write_text(MINE)
    done = netlab("compare", "-f", shop, "--as", file, "--as", "calico-vxlan")

    assert 0 == done.exit_code
    assert "mine: ipBlockPods: ignore (GUESS: a guess of ours)" in done.stdout


def test_a_profile_that_is_not_known(netlab: Call, shop: Path) -> None:
    """It is refused in one line."""
    done = netlab("compare", "-f", shop, "--as", "calcio")

    assert (2, 1) == (done.exit_code, len(done.stderr.splitlines()))
    assert "calico" in done.stderr


def test_one_profile_alone_is_refused(netlab: Call, shop: Path) -> None:
    """The message names what to compare it with, also if the name is there twice."""
    for named in (("--as", "cilium"), ("--as", "cilium", "--as", "cilium")):
        done = netlab("compare", "-f", shop, *named)

        assert (2, "") == (done.exit_code, done.stdout)
        assert "--as kubernetes" in done.stderr


def test_policies_without_effect_for_one_reason_are_named_together(netlab: Call, shop: Path) -> None:
    """The reason is there once."""
    text = shop.read_text()
    policies = text.replace("kind: NetworkPolicy\nmetadata: {name: ", "kind: NetworkPolicy\nmetadata: {name: second-")
    more = shop.with_name("more.yaml")
    more.write_text("---".join(one for one in policies.split("---") if "second-" in one))
    done = netlab("compare", "-f", shop, "-f", more, "--as", "romana", "--as", "calico", "--port", "81")

    assert "have no effect, as no annotation isolates namespace shop (isolation: annotated-namespaces);" in done.stdout


def test_a_family_that_a_profile_does_not_have(netlab: Call, tmp_path: Path) -> None:
    """Its pairs are compared between the others; the profile's verdict is null, and a note says so."""
    file = tmp_path / "dual.yaml"
    networks = 'networks: [{name: default, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}]'
    file.write_text(INPUT.replace("spec: {nodes", f"spec: {{{networks}, nodes", 1).replace("10.0.0.0/8", "fd00::/8"))
    document = compared(netlab, "-f", file, "--as", "calico-vxlan", "--as", "cilium", "--as", "weave", "--family", "6")
    (row,) = document["rows"]

    assert {"calico-vxlan": "allow", "cilium": "deny", "weave": None} == row["verdicts"]
    assert {"weave": ["no IPv6: these pairs are compared between the others"]} == document["notes"]


def test_wiring_that_the_topology_writes(netlab: Call, tmp_path: Path) -> None:
    """It is that of each column, and netlab says so; what policies mean is the profile's."""
    file = tmp_path / "overlay.yaml"
    file.write_text(INPUT.replace("spec: {nodes", "spec: {networks: [{name: default, mode: overlay}], nodes", 1))
    done = netlab("compare", "-f", file, "--as", "docker", "--as", "calico")

    assert "network default: the wiring is that of the Topology" in done.stderr
    assert 0 == done.exit_code


def test_sixty_pods_under_eight_profiles_are_compared_by_groups(netlab: Call, tmp_path: Path) -> None:
    """A workload is one group, so that a large input has few rows."""
    spec = "{replicas: 58, template: {metadata: {labels: {app: crowd}}, spec: {containers: [{name: c}]}}}"
    crowd = f"{{apiVersion: apps/v1, kind: Deployment, metadata: {{name: crowd, namespace: shop}}, spec: {spec}}}"
    file = tmp_path / "crowd.yaml"
    file.write_text(f"{INPUT}---\n{crowd}\n")
    document = compared(netlab, "-f", file, "--as", "calico", "--as", "cilium")

    assert [60] == [row["source"]["pods"] for row in document["rows"]]


@pytest.mark.kernel
def test_packets_prove_each_column(program: Program, shop: Path) -> None:
    """A column that this kernel cannot build is said to be not measured; no lab is left."""
    named = [word for name in ("calico", "canal", "cilium", "weave") for word in ("--as", name)]
    done = program("compare", "-f", str(shop), *named, "--port", "80", "--port", "ICMP", "--measured", "-o", "json")
    measured = json.loads(done.stdout)["measured"]
    calico = measured.pop("calico")

    assert 0 == done.returncode
    assert {"canal": (12, 12), "cilium": (12, 12), "weave": (12, 12)} == {
        name: (of["pairs"], of["agree"]) for name, of in measured.items()
    }
    assert calico.get("notMeasured") == "needs module ipip" or calico["pairs"] == calico["agree"]
