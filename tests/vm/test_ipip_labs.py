"""Labs whose nodes are joined by IPIP, as with Calico's manifest; the kernel has a device ``tunl0`` of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import iproute2
from vm import wires

Program = Callable[..., "subprocess.CompletedProcess[str]"]
_TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
spec: {profile: calico, nodes: [{name: one}, {name: two}], hosts: [{name: client, addresses: [192.0.2.10]}]}
"""


def test_packets_and_policies_agree_over_ipip(program: Program, unique: Callable[[str], str], tmp_path: Path) -> None:
    """The lab has ``tunl0``, the kernel's own device another name; a second ``up`` finds nothing to change."""
    wires.run("modprobe", "ipip")
    topology, name = tmp_path / "calico.yaml", unique("ipip")
    topology.write_text(_TOPOLOGY, encoding="utf-8")
    try:
        built = program("up", "-f", "examples/shop", "-f", topology, "--lab", name)
        assert 0 == built.returncode, built.stderr
        verified = program("verify", "--lab", name)
        assert 0 == verified.returncode, verified.stdout + verified.stderr
        again = program("up", "-f", "examples/shop", "-f", topology, "--lab", name)
        assert f"lab {name}: unchanged" in again.stderr.splitlines()
        node = f"netlab.{name}.node.one"
        links = {link["ifname"]: link for link in iproute2.ip("-d", "link", "show", namespace=node)}
        routes = iproute2.ip("route", "show", "dev", "tunl0", namespace=node)
        assert {"tunl0", "tunl0-fb"} <= links.keys()
        assert ("ipip", 1480) == (links["tunl0"]["linkinfo"]["info_kind"], links["tunl0"]["mtu"])
        assert [["onlink"]] == [route["flags"] for route in routes]
        assert [] == [route for route in routes if not route["gateway"].startswith("100.64.")]
    finally:
        program("down", name)
