"""``netlab exposure`` and ``netlab selects``: tables, documents, reports, names, what-if."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Call = Callable[..., Result]

INPUT = """\
{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: shop}, spec: {nodes: [{name: n1}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}},
 spec: {containers: [{name: c, image: c, ports: [{containerPort: 80, name: http}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}},
 spec: {containers: [{name: c, image: c, ports: [{containerPort: 5432, name: pg}]}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: pg}]
  - from: [{namespaceSelector: {matchLabels: {team: x}}, podSelector: {matchLabels: {app: mon}}}]
    ports: [{port: 9090}]
  - from: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]
    ports: [{port: 443}]
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The input in a file."""
    file = tmp_path / "shop.yaml"
    file.write_text(INPUT)
    return file


def document(netlab: Call, *arguments: object) -> dict[str, Any]:
    done = netlab(*arguments, "-o", "json")
    assert 0 == done.exit_code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_table_has_unprotected_groups_first_and_what_may_come(netlab: Call, shop: Path) -> None:
    """Then the openings to what does not exist yet, with the numbers of their rows."""
    done = netlab("exposure", "-f", shop)
    lines = done.stdout.splitlines()

    assert 0 == done.exit_code
    assert ["1", "shop/web", "everything"] == lines[1].split()[:3]
    assert "the internet on 443/TCP" in lines[2]
    assert "  #2: any pod with app=mon in any namespace with team=x on 9090/TCP" in lines
    assert lines[-1] == "2 groups of 2 pods: 1 open to everything, 1 open to the internet by policy"


def test_an_unread_policy_makes_both_columns_of_its_direction_unknown(netlab: Call, shop: Path) -> None:
    """It may deny pods and outside addresses."""
    other = shop.with_name("cilium.yaml")
    other.write_text(
        "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: db, namespace: shop},"
        " spec: {endpointSelector: {matchLabels: {app: db}}, ingressDeny: [{fromEntities: [world]}]}}\n"
    )
    line = next(one for one in netlab("exposure", "-f", shop, "-f", other).stdout.splitlines() if "shop/db" in one)

    assert 2 == line.count("(unknown)")
    assert "the internet on 443/TCP (unknown)" in line


def test_wide_has_selectors_ranges_and_ports(netlab: Call, shop: Path) -> None:
    """With how many pods a selector has today."""
    text = netlab("exposure", "-f", shop, "-o", "wide").stdout

    assert "any pod with app=web in namespace shop on 5432/TCP (1 pod now)" in text
    assert "any pod with app=mon in any namespace with team=x on 9090/TCP (no pod has such labels yet)" in text
    assert "the whole internet: 0.0.0.0/0 except 10.0.0.0/8 on 443/TCP" in text


def test_the_document_names_the_rule_of_each_opening(netlab: Call, shop: Path) -> None:
    """With file, line and path."""
    found = document(netlab, "exposure", "-f", shop)
    web, db = found["groups"]
    mon = next(one for one in db["ingress"]["pods"] if one["podSelector"] == "app=mon")
    place = {"object": "NetworkPolicy shop/db", "file": str(shop), "line": 19, "path": "spec.ingress[1].from[0]"}

    assert ("Exposure", "shop") == (found["kind"], found["lab"])
    assert ("everything", False) == (web["ingress"]["level"], web["ingress"]["isolated"])
    assert ("new namespaces", "team=x", 0, True) == (
        db["ingress"]["level"],
        mon["namespaceSelector"],
        mon["pods"],
        mon["newNamespaces"],
    )
    assert [place] == mon["because"]
    assert [{"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}] == db["ingress"]["addresses"][0]["ranges"]
    assert {"groups": 2, "pods": 2, "unprotected": 1, "internet": 1} == found["summary"]
    assert [["shop"]] == [one["namespaces"] for one in found["newPods"]]


def test_a_pod_has_its_blast_radius(netlab: Call, shop: Path) -> None:
    """A path names each port."""
    found = document(netlab, "exposure", "shop/web", "--hops", "2", "-f", shop)
    step = {"pod": "shop/db", "family": 4, "protocol": "TCP", "port": 5432, "name": "pg"}

    assert ("shop/web", 2, 1) == (found["pod"], found["hops"], len(found["groups"]))
    assert [{"pods": ["shop/db"], "hops": 1, "path": [step]}] == found["reached"]
    assert "1  shop/db:5432/TCP (pg)" in netlab("exposure", "shop/web", "-f", shop).stdout


def test_what_if_changes_the_question(netlab: Call, shop: Path) -> None:
    """Without its policy the database is open to everything."""
    found = document(netlab, "exposure", "-f", shop, "--without", "netpol/shop/db")
    selected = document(netlab, "selects", "pod/shop/web", "-f", shop, "--label", "shop/web", "app=db")

    assert 2 == found["summary"]["unprotected"]
    assert ["shop/db"] == [one["policy"] for one in selected["policies"]]


def test_reports_have_the_rows(netlab: Call, shop: Path, tmp_path: Path) -> None:
    """As a comment and as a page."""
    comment, page = tmp_path / "exposure.md", tmp_path / "exposure.html"
    done = netlab("exposure", "-f", shop, "--markdown", comment, "--html", page)

    assert 0 == done.exit_code
    assert "| `shop/web` | everything | every address |" in comment.read_text()
    assert "any pod with app=mon in any namespace with team=x" in page.read_text()


WRONG = {
    ("exposure", "--hops", "2"): "--hops needs a POD",
    ("exposure", "host:x"): "no host 'x'",
    ("exposure", "node:n1"): "'node:n1' is no pod",
    ("selects", "shop/nobody"): "no policy, pod or workload 'shop/nobody'",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_wrong_arguments_are_usage_errors(netlab: Call, shop: Path, arguments: tuple[str, ...]) -> None:
    """One line, and exit code 2."""
    done = netlab(*arguments, "-f", shop)

    assert 2 == done.exit_code
    assert WRONG[arguments] in done.stderr


def test_a_policy_is_printed_with_the_place_of_each_rule(netlab: Call, shop: Path) -> None:
    """A peer that matches no pod says so."""
    text = netlab("selects", "networkpolicy/shop/db", "-f", shop).stdout

    assert f"any pod with app=web in namespace shop ({shop}:17): shop/web" in text
    assert f"any pod with app=mon in any namespace with team=x ({shop}:19): nothing" in text
    assert f"0.0.0.0/0 except 10.0.0.0/8 ({shop}:21)" in text
    assert "egress: the policy does not isolate its pods" in text


def test_selections_have_documents(netlab: Call, shop: Path) -> None:
    """One for policies, one for pods."""
    policy = document(netlab, "selects", "networkpolicy/shop/db", "-f", shop)
    pod = document(netlab, "selects", "pod/shop/db", "-f", shop)

    assert ("PolicySelection", ["shop/db"], ["ingress"]) == (policy["kind"], policy["pods"], policy["policyTypes"])
    assert ["shop/web"] == policy["rules"][0]["peers"][0]["pods"]
    assert ("PodSelection", [], ["shop/db"]) == (
        pod["kind"],
        pod["notIsolated"]["ingress"],
        pod["notIsolated"]["egress"],
    )


def test_a_policy_and_a_pod_of_one_name_are_both_printed(netlab: Call, shop: Path) -> None:
    """A kind picks one. The document of both is a List."""
    text = netlab("selects", "shop/db", "-f", shop).stdout

    assert "NetworkPolicy shop/db" in text
    assert "\nshop/db is selected by" in text
    items = document(netlab, "selects", "shop/db", "-f", shop)["items"]
    assert ["PolicySelection", "PodSelection"] == [item["kind"] for item in items]


def test_a_namespace_of_pods_that_netlab_added_is_listed_with_system_only(netlab: Call, shop: Path) -> None:
    """The cluster's DNS is there if the input has a Service."""
    shop.write_text(
        f"{shop.read_text()}\n---\napiVersion: v1\nkind: Service\nmetadata: {{name: db, namespace: shop}}\n"
        "spec: {selector: {app: db}, ports: [{port: 5432}]}\n"
    )

    def spaces(*more: str) -> set[str]:
        found = document(netlab, "exposure", "-f", shop, *more)["newPods"]
        return {name for one in found for name in one["namespaces"]}

    assert ({"shop"}, {"shop", "kube-system"}) == (spaces(), spaces("--system"))


def test_a_note_says_that_cluster_wide_policies_could_change_a_cell(netlab: Call, tmp_path: Path) -> None:
    """Only where such a policy judges a pod of the table."""
    plain, closed = tmp_path / "plain.yaml", tmp_path / "closed.yaml"
    plain.write_text(INPUT)
    closed.write_text("""\
apiVersion: policy.networking.k8s.io/v1beta1
kind: ClusterNetworkPolicy
metadata: {name: closed}
spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
""")
    note = "unknown: cluster-wide policies could change it; the cells are by NetworkPolicies alone; see -o wide"

    assert note not in netlab("exposure", "-f", str(plain)).stdout
    assert note in netlab("exposure", "-f", str(plain), "-f", str(closed)).stdout.splitlines()
