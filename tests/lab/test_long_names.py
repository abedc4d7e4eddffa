"""Names as long as Kubernetes lets them be."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Program = Callable[..., "subprocess.CompletedProcess[str]"]
NAMESPACE, POD = "n" * 63, "p" * 252


def document(kind: str, version: str, meta: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": meta, "spec": spec}


def test_a_lab_of_the_longest_names_is_enforced(program: Program, tmp_path: Path) -> None:
    """What a name is cut for (an nft comment, a file's name) does not keep a lab from being built and right."""
    networks = [{"name": c * 63, "mode": "bridge", "podCIDRs": [f"10.{i}.0.0/16"]} for i, c in enumerate("ab", start=1)]
    hosts = [{"name": "h" * 63, "addresses": ["192.0.2.10"]}]
    topology = {"networks": networks, "nodes": [{"name": "k" * 63}], "hosts": hosts}
    port = {"containerPort": 80, "hostPort": 8080}
    rules = [
        {
            "from": [{"podSelector": {"matchLabels": {"app": "b"}}}],
            "ports": [{"port": 80}, {"port": 90, "endPort": 99}],
        },
        {"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]},
    ]

    def pod(last: str, network: str) -> dict[str, Any]:
        meta = {"name": POD + last, "namespace": NAMESPACE, "labels": {"app": last}}
        return document(
            "Pod",
            "v1",
            {**meta, "annotations": {"netlab/network": network * 63}},
            {"containers": [{"name": "c", "ports": [port] if last == "a" else []}]},
        )

    items = [
        document("Topology", "netlab/v1alpha1", {"name": "long"}, topology),
        *(pod(last, network) for last, network in ("aa", "ba", "cb")),
        document(
            "NetworkPolicy",
            "networking.k8s.io/v1",
            {"name": "q" * 253, "namespace": NAMESPACE},
            {"podSelector": {"matchLabels": {"app": "a"}}, "ingress": rules},
        ),
    ]
    file = tmp_path / "long.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    done = program("verify", "-f", file, "--nodes", "-o", "json")

    assert (0, "") == (done.returncode, done.stderr)
    assert {"pairs": 20, "agree": 20, "differ": 0, "inconclusive": 0, "unknown": 0} == json.loads(done.stdout)[
        "summary"
    ]


def test_the_longest_lab_holds_the_longest_nodes(
    program: Program, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """Of two nodes and an overlay: a Node object's name has 253 letters, a lab's 63."""
    name = f"{unique('long')}-".ljust(63, "l")
    nodes = [document("Node", "v1", {"name": "k" * 252 + last}, {}) for last in "ab"]
    networks = [{"name": "default", "mode": "overlay", "podCIDRs": ["10.244.0.0/16"]}]

    def pod(last: str) -> dict[str, Any]:
        spec = {"nodeName": "k" * 252 + last, "containers": [{"name": "c"}]}
        return document("Pod", "v1", {"name": POD + last, "namespace": NAMESPACE}, spec)

    items = [
        document("Topology", "netlab/v1alpha1", {"name": name}, {"networks": networks}),
        *(*nodes, pod("a"), pod("b")),
    ]
    file = tmp_path / "long.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    try:
        done = program("up", "-f", file)
        assert 0 == done.returncode, done.stderr
        done = program("verify", "--lab", name, "--nodes", "-o", "json")
        assert (0, "") == (done.returncode, done.stderr)
        assert {"pairs": 12, "agree": 12, "differ": 0, "inconclusive": 0, "unknown": 0} == json.loads(done.stdout)[
            "summary"
        ]
        done = program("exec", f"{NAMESPACE}/{POD}a", "--lab", name, "--", "sh", "-c", "hostname; ls /sys/class/net")
        assert ["p" * 63, "eth0", "lo"] == done.stdout.split()
    finally:
        assert 0 == program("down", name).returncode
