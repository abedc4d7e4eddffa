"""The wiring of CNIs that tunnel by IPIP, and the profiles that have it, on a kernel with that module."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import iproute2
import pytest
import yaml

Program = Callable[..., "subprocess.CompletedProcess[str]"]
Facts = list[dict[str, Any]]
KERNELS = ["fast", "pyroute2"]
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "of-db", "namespace": "s"},
    "spec": {
        "podSelector": {"matchLabels": {"app": "db"}},
        "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}],
    },
}


class Bench:
    """A lab of nodes n1 and n2, with pods web and near on the first, db and other on the second."""

    def __init__(self, program: Program, name: str, folder: Path) -> None:
        self.program, self.name, self._file = program, name, folder / "input.yaml"

    def up(self, kernel: str, **spec: Any) -> None:
        """Build the lab; a second ``up`` finds nothing to change, and packets agree with the evaluator."""
        of = {
            "nodes": [{"name": "n1"}, {"name": "n2"}],
            "hosts": [{"name": "out", "addresses": ["192.0.2.10"]}],
            **spec,
        }
        documents = [{"apiVersion": "netlab/v1alpha1", "kind": "Topology", "spec": of}, POLICY]
        for name, node in (("web", "n1"), ("near", "n1"), ("db", "n2"), ("other", "n2")):
            metadata = {"name": name, "namespace": "s", "labels": {"app": name}}
            documents.append(
                {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"nodeName": node, "containers": []}}
            )
        self._file.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        arguments = ("up", "-f", self._file, "--lab", self.name, "--kernel", kernel)
        built = self.program(*arguments)
        assert 0 == built.returncode, built.stderr
        again = self.program(*arguments)
        assert f"lab {self.name}: unchanged" in again.stderr.splitlines(), again.stderr
        verified = self.program("verify", "--lab", self.name, "--nodes")
        assert 0 == verified.returncode, verified.stdout + verified.stderr

    def facts(self, place: str, *words: str) -> Facts:
        """Return what ``ip -j`` lists in a namespace of the lab."""
        return iproute2.ip(*words, namespace=f"netlab.{self.name}.{place}")


@pytest.fixture
def bench(program: Program, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Bench]:
    """A lab that the test builds, and that is removed after it."""
    made = Bench(program, unique("cni"), tmp_path)
    try:
        yield made
    finally:
        program("down", made.name)


def tunnels(bench: Bench) -> Facts:
    """Return the ipip devices of the first node that take packets of one address, as ``ip -d`` lists them."""
    links = bench.facts("node.n1", "-d", "link", "show")
    kinds = [one for one in links if one.get("linkinfo", {}).get("info_kind") == "ipip"]
    return [one for one in kinds if one["linkinfo"]["info_data"].get("local", "any") not in ("any", "0.0.0.0")]  # noqa: S104


@pytest.mark.parametrize("kernel", KERNELS)
def test_calico_tunnels_by_ipip_from_node_to_node(bench: Bench, kernel: str) -> None:
    """The device tunl0 with its MTU, a route through it, pods on links of their own; and packets agree."""
    bench.up(kernel, profile="calico")

    (tunnel,) = tunnels(bench)
    assert ("tunl0", 1480) == (tunnel["ifname"], tunnel["mtu"])
    routes = bench.facts("node.n1", "route", "show")
    remote = [one for one in routes if one["dev"] == "tunl0" and "gateway" in one]
    assert remote
    assert [["onlink"]] * len(remote) == [one["flags"] for one in remote]
    (eth0,) = bench.facts("pod.s.web", "-d", "address", "show", "dev", "eth0")
    assert 1480 == eth0["mtu"]
    assert [32] == [one["prefixlen"] for one in eth0["addr_info"] if one["family"] == "inet"]
    (default,) = bench.facts("pod.s.web", "route", "show", "default")
    assert "169.254.1.1" == default["gateway"]
    ports = [one["ifname"] for one in bench.facts("node.n1", "link", "show") if one["ifname"].startswith("cali")]
    assert 2 == len(ports)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_bridge_can_be_joined_by_ipip(bench: Bench, kernel: str) -> None:
    """As kube-router can: pods on a bridge of each node, and IPIP between the nodes."""
    bench.up(kernel, networks=[{"mode": "overlay", "wiring": {"transport": "ipip", "attachment": "bridge"}}])

    (tunnel,) = tunnels(bench)
    assert 1480 == tunnel["mtu"]
    links = bench.facts("node.n1", "-d", "link", "show")
    bridges = [one["ifname"] for one in links if one.get("linkinfo", {}).get("info_kind") == "bridge"]
    assert 1 == len(bridges)
    assert 2 == sum(one.get("master") == bridges[0] for one in links)
    (eth0,) = bench.facts("pod.s.web", "address", "show", "dev", "eth0")
    assert 1480 == eth0["mtu"]
    remote = [one for one in bench.facts("node.n1", "route", "show") if one["dev"] == tunnel["ifname"]]
    assert any("gateway" in one for one in remote)


@pytest.mark.parametrize(
    "profile", ["docker", "flannel", "calico-vxlan", "canal", "cilium", "kube-router", "romana", "weave"]
)
def test_a_profile_builds_and_agrees(bench: Bench, profile: str) -> None:
    """On this kernel too; the kernel tests of profiles say what each is wired like."""
    bench.up("fast", profile=profile)
