"""Dumps of clusters by other tools are read as folders: must-gather, and support bundles of troubleshoot.sh.

Layouts: pkg/cli/admin/inspect of openshift/oc, pkg/collect/cluster_resources.go of replicatedhq/troubleshoot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result

from netlab.objects import read_input

Call = Callable[..., Result]
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web"}, "managedFields": []},
    "spec": {"nodeName": "n1", "containers": [{"name": "web", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]},
    "status": {"phase": "Running", "podIP": "10.1.0.5", "podIPs": [{"ip": "10.1.0.5"}], "hostIP": "192.0.2.1"},
}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "shop", "creationTimestamp": None},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    "status": {},
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}}
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "n1"},
    "spec": {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
}
CILIUM = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumNetworkPolicy",
    "metadata": {"name": "c", "namespace": "shop"},
    "spec": {"endpointSelector": {}, "ingress": [{}]},
}


def listed(kind: str, *items: dict[str, Any]) -> dict[str, Any]:
    version = items[0]["apiVersion"] if items else "v1"
    return {"apiVersion": version, "kind": f"{kind}List", "metadata": {"resourceVersion": "1"}, "items": [*items]}


def bare(one: dict[str, Any]) -> dict[str, Any]:
    """Return an object without kind and apiVersion, as Go marshals a typed one."""
    return {key: value for key, value in one.items() if key not in ("apiVersion", "kind")}


def write(folder: Path, files: Mapping[str, object]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        dump = json.dumps if name.endswith(".json") else yaml.safe_dump
        path.write_text(content if isinstance(content, str) else dump(content))


def found_in(folder: Path) -> tuple[list[str], list[str]]:
    """Return the objects of a folder, and its problems."""
    found = read_input([str(folder)])
    named = [f"{one.kind} {one.data.get('metadata', {}).get('name')}" for one in found.objects.documents]
    return sorted(set(named)), [str(one).replace(f"{folder}/", "").replace(str(folder), ".") for one in found.problems]


def test_a_must_gather_is_read(tmp_path: Path, netlab: Call) -> None:
    """Each pod is in a list and in a file of its own; what pods answered is no object, and errors of oc are none."""
    image = "must-gather.local.1/quay-io-must-gather-sha256-0"
    shop = f"{image}/namespaces/shop"
    write(
        tmp_path,
        {
            f"{image}/timestamp": "2026-01-01",
            f"{image}/event-filter.html": "<html>",
            f"{image}/cluster-scoped-resources/core/nodes/n1.yaml": NODE,
            f"{image}/cluster-scoped-resources/core/namespaces/shop.yaml": NAMESPACE,
            f"{image}/cluster-scoped-resources/config.openshift.io/networks.yaml": {
                **listed("Network"),
                "apiVersion": "config.openshift.io/v1",
            },
            f"{image}/monitoring/prometheus/rules.json": {"status": "success", "data": {"groups": []}},
            f"{shop}/shop.yaml": NAMESPACE,
            f"{shop}/core/pods.yaml": listed("Pod", POD),
            f"{shop}/core/events.yaml": listed("Event"),
            f"{shop}/core/endpoints.yaml": 'Error from server (Forbidden): endpoints is forbidden: User "x"',
            f"{shop}/networking.k8s.io/networkpolicies.yaml": listed("NetworkPolicy", POLICY),
            f"{shop}/pods/web-1/web-1.yaml": f"---\n{yaml.safe_dump(POD)}",
            f"{shop}/pods/web-1/web/web/metrics.json": '# HELP go_gc: x\ngo_gc{quantile="0"} 1: 2\n- a\n',
            f"{shop}/pods/web-1/web/web/version.json": "404 page not found: x: y\n",
            f"{shop}/pods/web-1/web/web/logs/current.log": "kind: Pod\n",
        },
    )
    objects, problems = found_in(tmp_path)
    twice = "defined twice with the same content, here and at"

    assert ["Namespace shop", "NetworkPolicy deny", "Node n1", "Pod web-1"] == objects
    assert [
        f"{shop}/pods/web-1/web-1.yaml:2: Pod shop/web-1: {twice} {shop}/core/pods.yaml:3",
        f"{shop}/shop.yaml:1: Namespace shop: {twice} {image}/cluster-scoped-resources/core/namespaces/shop.yaml:1",
        f".: skipped 4 files that hold no Kubernetes object: {image}/monitoring/prometheus/rules.json,"
        f" {shop}/core/endpoints.yaml, {shop}/pods/web-1/web/web/metrics.json, {shop}/pods/web-1/web/web/version.json",
    ] == problems
    checked = netlab("check", "-f", tmp_path).stderr
    assert 1 == checked.count(twice)
    assert "1 node, 1 pod, 1 NetworkPolicy" in netlab("check", "-f", tmp_path).stdout


@pytest.mark.parametrize("old", [False, True], ids=["lists", "arrays without kind"])
def test_a_support_bundle_is_read(tmp_path: Path, old: bool) -> None:
    """Lists by namespace; of old versions, and where the collector names namespaces, arrays without kinds."""

    def content(kind: str, *items: dict[str, Any]) -> object:
        return [bare(one) for one in items] if old else listed(kind, *items)

    resources = "support-bundle-1/cluster-resources"
    write(
        tmp_path,
        {
            "support-bundle-1/version.yaml": {"apiVersion": "troubleshoot.sh/v1beta2", "kind": "SupportBundle"},
            "support-bundle-1/analysis.json": [{"name": "x", "insight": None}],
            "support-bundle-1/cluster-info/cluster_version.json": {"info": {}, "string": "v1.30.0"},
            f"{resources}/namespaces.json": content("Namespace", NAMESPACE),
            f"{resources}/namespaces-errors.json": "null",
            f"{resources}/nodes.json": content("Node", NODE),
            f"{resources}/pods/shop.json": content("Pod", POD),
            f"{resources}/pods/empty.json": [] if old else listed("Pod"),
            f"{resources}/pods-errors.json": {},
            f"{resources}/pods/logs/shop/web-1/web.log": "x",
            f"{resources}/network-policy/shop.json": content("NetworkPolicy", POLICY),
            f"{resources}/network-policy-errors.json": "null",
            f"{resources}/resources.json": [{"kind": "APIResourceList", "apiVersion": "v1", "resources": []}],
            f"{resources}/groups.json": [{"name": "apps", "versions": []}],
            f"{resources}/auth-cani-list/shop.json": [{"verbs": ["*"], "apiGroups": ["*"]}],
            f"{resources}/custom-resources/ciliumnetworkpolicies.cilium.io/shop.yaml": [CILIUM],
        },
    )
    objects, problems = found_in(tmp_path)

    assert ["Namespace shop", "NetworkPolicy deny", "Node n1", "Pod web-1"] == [
        one for one in objects if one.split()[0] in ("Namespace", "NetworkPolicy", "Node", "Pod")
    ]
    assert "CiliumNetworkPolicy c" in objects
    assert any("netlab does not read CiliumNetworkPolicy" in one for one in problems)
    assert not any("must be" in one for one in problems)


def test_objects_of_an_array_have_their_lines(tmp_path: Path) -> None:
    """In YAML and JSON, as items of a list have them."""
    other = {**POD, "metadata": {"name": "b"}}
    write(tmp_path, {"cluster-resources/custom-resources/x.yaml": [POD, other]})
    (tmp_path / "cluster-resources" / "pods").mkdir()
    (tmp_path / "cluster-resources" / "pods" / "shop.json").write_text('[\n {"metadata": {"name": "c"},\n "spec": 1}]')
    found = read_input([str(tmp_path)])
    lines = (tmp_path / "cluster-resources" / "custom-resources" / "x.yaml").read_text().splitlines()

    assert [at for at, line in enumerate(lines, 1) if line.startswith("- ")] == [
        one.source.line() for one in found.objects.documents if one.source.file.endswith("yaml")
    ]
    assert [3] == [one.line for one in found.problems if one.path == "spec"]


def test_an_array_elsewhere_is_no_object(tmp_path: Path) -> None:
    """kubectl reads none; a file that a user names is an error."""
    write(tmp_path, {"list/pods.json": [POD], "pod.yaml": POD})

    assert ["pod.yaml"] == [Path(one.source.file).name for one in read_input([str(tmp_path)]).objects.documents]
    (problem,) = read_input([str(tmp_path / "list" / "pods.json")]).problems
    assert "must be an object (a mapping), not a list" == problem.message


def test_a_broken_file_with_an_object_in_it_is_an_error(tmp_path: Path) -> None:
    """Only what cannot be an object is skipped."""
    write(tmp_path, {"pod.yaml": POD, "x.json": "kind: Pod\napiVersion: v1\n- a\n", "y.yaml": "error: x: y\nkind: [\n"})

    assert {"x.json", "y.yaml"} == {Path(one.file).name for one in read_input([str(tmp_path)]).problems}


@pytest.mark.parametrize(
    "files",
    [
        ("namespaces/shop/shop.yaml", "namespaces/shop/core/pods.yaml"),
        ("bundle/cluster-resources/namespaces.json", "bundle/cluster-resources/pods/shop.json"),
    ],
    ids=["must-gather", "support bundle"],
)
def test_verdicts_are_unknown_where_no_policies_were_gathered(
    tmp_path: Path, netlab: Call, files: tuple[str, str]
) -> None:
    """A dump has a list of policies for each namespace, also an empty one. Without it nothing is known."""
    other = {**POD, "metadata": {"name": "b", "namespace": "shop"}, "status": {}}
    write(tmp_path, {files[0]: NAMESPACE, files[1]: listed("Pod", POD, other)})
    done = netlab("reach", "-f", tmp_path, "-o", "json")
    ignored = netlab("reach", "-f", tmp_path, "-o", "json", "--ignore", "UnlistedNetworkPolicies")

    assert {"unknown"} == {row["expected"] for row in json.loads(done.stdout)["rows"]}
    assert {"allow"} == {row["expected"] for row in json.loads(ignored.stdout)["rows"]}
    assert (
        f"Warning: {tmp_path / files[1]}: UnlistedNetworkPolicies shop/networkpolicies: the input lacks the"
        " NetworkPolicies of this namespace, so verdicts of its pods are unknown; to judge without them:"
        " --ignore UnlistedNetworkPolicies"
    ) in done.stderr.splitlines()


@pytest.mark.parametrize("name", ["shop/core/pods.yaml", "pods/shop.json", "core/pods.yaml"])
def test_other_folders_are_no_dumps(tmp_path: Path, netlab: Call, name: str) -> None:
    """Only the layout of a dump says that policies are missing."""
    write(tmp_path, {name: listed("Pod", POD)})

    assert "" == netlab("check", "-f", tmp_path).stderr
