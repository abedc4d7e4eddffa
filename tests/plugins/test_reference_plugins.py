"""Labs that the reference plugins wire: packets agree with the expected verdicts, and nothing is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from host_records import record
from iproute2 import ip
from plugin.runtime import call, config, container, interfaces
from plugins.plugin_labs import ALL, IPV4, bridge, write

from netlab.kernel import netns

Program = Callable[..., "subprocess.CompletedProcess[str]"]
OWN = {"type": "host-local", "ranges": [[{"subnet": "10.77.0.0/16"}], [{"subnet": "fd00:77::/64"}]]}
PORTMAP = {"type": "portmap", "capabilities": {"portMappings": True}}
MACVLAN = {"type": "macvlan", "master": "underlay0", "mode": "bridge", "ipam": {"type": "host-local"}}
# What is attached alone and chained, and whether pods of one node reach each other's node and other nodes.
LISTS: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "bridge alone": ([bridge()], ALL, "1.0.0"),
    "bridge, IPv4": ([bridge()], IPV4, "0.3.0"),
    "bridge, chained": ([bridge(), {"type": "firewall"}, {"type": "tuning"}], ALL, "1.0.0"),
    "bridge, masquerade": ([bridge(ipMasq=True)], ALL, "1.0.0"),
    "bridge, own ranges": ([bridge(ipam=OWN, isDefaultGateway=True, ipMasq=True)], "", "1.0.0"),
    "bridge, first result": ([bridge(isDefaultGateway=True)], IPV4, "0.2.0"),
    "bridge without gateway": ([{"type": "bridge", "bridge": "cni0", "ipam": OWN}], "", "0.4.0"),
    "ptp": ([{"type": "ptp", "ipam": {"type": "host-local"}}], ALL, "0.4.0"),
    "ptp, chained": ([{"type": "ptp", "ipam": {"type": "host-local"}}, {"type": "firewall"}], IPV4, "1.0.0"),
    "macvlan": ([MACVLAN], ALL, "0.3.1"),
}

DEPLOYMENT = """
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: m, image: x, ports: [{containerPort: 80}]}]}
"""


@pytest.fixture
def name(unique: Callable[[str], str], program: Program) -> Iterator[str]:
    """A name for a lab that is removed afterwards, should it be there."""
    lab = unique("cni")
    yield lab
    program("down", "--lab", lab)


def left_of(name: str) -> list[str]:
    """Return what is on the host with the lab's name."""
    places = (netns.DIRECTORY, record.directory)
    return [str(path) for place in places if place.is_dir() for path in place.glob(f"*{name}*")]


def links(space: str) -> list[str]:
    return [fact["ifname"] for fact in ip("-n", space, "link")]


def up(program: Program, file: Path) -> str:
    done = program("up", "-f", file)
    assert 0 == done.returncode, done.stderr
    return done.stderr


def agrees(program: Program, name: str, *more: str) -> None:
    """Packets of every pair agree with the expected verdicts."""
    done = program("verify", "--lab", name, "--nodes", *more)
    assert 0 == done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("case", LISTS)
def test_packets_agree_with_the_expected_verdicts(case: str, name: str, program: Program, tmp_path: Path) -> None:
    """For each plugin, alone and chained, in both families; ``up`` finds nothing to repair; ``down`` leaves nothing."""
    plugins, cidrs, version = LISTS[case]
    file = write(tmp_path, name, plugins, cidrs, version=version)
    up(program, file)

    agrees(program, name)
    assert f"lab {name}: unchanged" in up(program, file)
    assert 0 == program("down", "--lab", name).returncode
    assert [] == left_of(name)


def test_a_plugin_publishes_a_host_port(name: str, program: Program, tmp_path: Path) -> None:
    """``portmap`` has the DNAT, and policies judge what it translates. With hairpinMode the pod reaches itself too."""
    up(program, write(tmp_path, name, [bridge(hairpinMode=True), PORTMAP], host_port=8080))
    rows = json.loads(program("verify", "--lab", name, "--nodes", "--port", "8080", "-o", "json").stdout)["rows"]

    found = {(r["source"], r["family"]): r["measured"] for r in rows if r["destination"] == "node:node-a"}
    assert found["host:client", 4] == found["default/c", 4] == "deny"
    agrees(program, name)
    agrees(program, name, "--port", "8080")


def test_a_bandwidth_becomes_a_queueing_discipline(name: str, program: Program, tmp_path: Path) -> None:
    """The annotation of a kubelet is the argument of the plugin ``bandwidth``."""
    limits = '{kubernetes.io/ingress-bandwidth: "8M"}'
    shaped = {"type": "bandwidth", "capabilities": {"bandwidth": True}}
    done = program("up", "-f", write(tmp_path, name, [bridge(), shaped], annotations=limits))
    assert 0 == done.returncode, done.stderr
    shown = subprocess.run(
        ["tc", "-n", f"netlab.{name}.node.node-a", "qdisc"], capture_output=True, text=True, check=True
    ).stdout

    assert 2 == shown.count("qdisc tbf")
    assert "rate 8Mbit" in shown


def test_nothing_enforces_policies_on_the_underlay(name: str, program: Program, tmp_path: Path) -> None:
    """``up`` says so."""

    assert "network default: cni: policy is not enforced" in up(program, write(tmp_path, name, [MACVLAN]))


DAMAGE: dict[str, Callable[[str], object]] = {
    "the bridge is gone": lambda name: ip("-n", f"netlab.{name}.node.node-a", "link", "del", "cni0"),
    "a pod's link is gone": lambda name: ip("-n", f"netlab.{name}.pod.default.b", "link", "del", "eth0"),
    "a pod lost its addresses": lambda name: ip("-n", f"netlab.{name}.pod.default.b", "addr", "flush", "dev", "eth0"),
    "a pod's namespace is gone": lambda name: ip("netns", "del", f"netlab.{name}.pod.default.a"),
    "a node is gone": lambda name: ip("netns", "del", f"netlab.{name}.node.node-a"),
}


@pytest.mark.parametrize("cidrs", [ALL, IPV4], ids=["dual stack", "IPv4"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_up_attaches_a_damaged_pod_again(damage: str, cidrs: str, name: str, program: Program, tmp_path: Path) -> None:
    """Pods keep their addresses, the file of the list is not needed, and packets agree."""
    file = write(tmp_path, name, [bridge(), {"type": "firewall"}], cidrs)
    up(program, file)
    before = program("get", "pods", "--lab", name).stdout
    DAMAGE[damage](name)
    up(program, file)

    assert before == program("get", "pods", "--lab", name).stdout
    agrees(program, name)
    assert f"lab {name}: unchanged" in up(program, file)


def test_a_pod_comes_and_goes_without_the_file(name: str, program: Program, tmp_path: Path) -> None:
    """``apply`` and ``delete`` take the list from the lab's record; the last pod takes its bridge with it."""
    file = write(tmp_path, name, [bridge()])
    up(program, file)
    (tmp_path / "net" / "pods.conflist").unlink()
    assert 0 == program("delete", "--lab", name, "pod/c").returncode
    assert "cni0" not in links(f"netlab.{name}.node.node-b")
    text = (
        "{apiVersion: v1, kind: Pod, metadata: {name: d}, spec: {nodeName: node-b, containers: [{name: m, image: x}]}}"
    )
    done = program("apply", "--lab", name, "-f", "-", text=text)

    assert 0 == done.returncode, done.stderr
    agrees(program, name)


@pytest.mark.parametrize("case", ["bridge, chained", "ptp", "macvlan"])
def test_a_stopped_node_has_no_attached_pod(case: str, name: str, program: Program, tmp_path: Path) -> None:
    """DEL is called for its pods, and ADD when it starts; pods that another node admits are attached there."""
    plugins, cidrs, version = LISTS[case]
    file = write(tmp_path, name, plugins, cidrs, version=version)
    file.write_text(f"{file.read_text()}{DEPLOYMENT}")
    up(program, file)
    stopped = program("node", "stop", "node-b", "--lab", name)
    assert 0 == stopped.returncode, stopped.stderr

    assert "began on node-a" in stopped.stdout
    assert ["lo"] == links(f"netlab.{name}.node.node-b")
    assert ["lo"] == links(f"netlab.{name}.pod.default.c")
    agrees(program, name)
    started = program("node", "start", "node-b", "--lab", name)
    assert 0 == started.returncode, started.stderr
    killed = program("pod", "kill", "a", "web-3", "--lab", name)
    assert 0 == killed.returncode, killed.stderr
    agrees(program, name)
    assert 0 == program("down", "--lab", name).returncode
    assert [] == left_of(name)


def test_another_list_attaches_all_pods_again(name: str, program: Program, tmp_path: Path) -> None:
    """DEL is called with the list of ADD."""
    up(program, write(tmp_path, name, [bridge()]))
    file = write(tmp_path, name, [{"type": "ptp", "ipam": {"type": "host-local"}}])
    up(program, file)

    assert "cni0" not in links(f"netlab.{name}.node.node-a")
    agrees(program, name)


def test_a_plugin_that_fails_is_one_line_and_leaves_nothing(name: str, program: Program, tmp_path: Path) -> None:
    """The line has the plugin, the command, the pod, and its CNI error."""
    done = program("up", "-f", write(tmp_path, name, [bridge(), {"type": "tuning", "sysctl": {"net.nothing": "1"}}]))

    assert 3 == done.returncode
    (line,) = [one for one in done.stderr.splitlines() if one.startswith("Error: ")]
    assert "CNI plugin tuning: ADD of pod default/a" in line
    assert "CNI error" in line
    assert [] == left_of(name)


def test_a_failed_apply_leaves_the_lab_as_it_was(name: str, program: Program, tmp_path: Path) -> None:
    """What was added is detached, and the old pods still agree."""
    small = {"type": "host-local", "ranges": [[{"subnet": "10.77.0.0/16", "rangeEnd": "10.77.0.4"}]]}
    up(program, write(tmp_path, name, [bridge(ipam=small, isDefaultGateway=True, ipMasq=True)], ""))
    pod = "{{apiVersion: v1, kind: Pod, metadata: {{name: {}}}, spec: {{containers: [{{name: m, image: x}}]}}}}\n---\n"
    done = program("apply", "--lab", name, "-f", "-", text=pod.format("p1") + pod.format("p2"))

    assert 3 == done.returncode
    assert "no IP addresses available" in done.stderr
    agrees(program, name)


def test_a_plugin_that_is_not_there_is_named(name: str, program: Program, tmp_path: Path) -> None:
    """Before anything is made."""
    done = program("up", "-f", write(tmp_path, name, [bridge(), {"type": "no-such-plugin"}]))

    assert 3 == done.returncode
    assert "no CNI plugin 'no-such-plugin'" in done.stderr
    assert [] == left_of(name)


@pytest.mark.parametrize("end", ["up", "down"])
@pytest.mark.parametrize("cidrs", [ALL, IPV4], ids=["dual stack", "IPv4"])
def test_a_killed_command_leaves_what_the_next_one_mends(
    end: str, cidrs: str, name: str, program: Program, tmp_path: Path
) -> None:
    """SIGKILL at any moment of ``up``: another ``up`` ends with a whole lab, and ``down`` with nothing."""
    file = write(tmp_path, name, [bridge(), {"type": "firewall"}], cidrs)
    rng = random.Random(f"{end} {cidrs}")  # noqa: S311
    for _ in range(6):
        command = [sys.executable, "-m", "netlab", "up", "-f", str(file)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.3, 1.6))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if end == "down":
            program("down", "--lab", name)
            assert [] == left_of(name)
            continue
        up(program, file)
        agrees(program, name)
        for pod in ("a", "b"):
            ip("-n", f"netlab.{name}.pod.default.{pod}", "link", "del", "eth0")


def test_a_bridge_that_a_killed_add_left_is_replaced(name: str, program: Program, tmp_path: Path) -> None:
    """A bridge that lost its last port has no MAC, and the plugin fails on it."""
    file = write(tmp_path, name, [bridge()])
    text = file.read_text()
    file.write_text(text.replace("nodeName: node-a", "nodeName: node-b"))
    up(program, file)
    node = f"netlab.{name}.node.node-a"
    for command in (
        "link add cni0 type bridge",
        "link add port0 type veth peer name port1",
        "link set port0 master cni0",
        "link del port0",
    ):
        ip("-n", node, *command.split())
    (left,) = ip("-n", node, "link", "show", "cni0")
    file.write_text(text)
    up(program, file)

    assert "00:00:00:00:00:00" == left["address"]
    agrees(program, name)


def test_the_host_keeps_its_rules_and_files(name: str, program: Program, tmp_path: Path) -> None:
    """Plugins write iptables rules in the node's namespace, and state in the lab's folder, only."""

    def host() -> tuple[str, ...]:
        commands = ("nft list ruleset", "ip -o link", "find /var/lib/cni /run/cni /var/run/cni /run/xtables.lock")
        return tuple(subprocess.run(c.split(), capture_output=True, text=True, check=False).stdout for c in commands)

    before = host()
    plugins = [bridge(ipMasq=True, ipam={"type": "host-local", "dataDir": "/etc"}), {"type": "firewall"}, PORTMAP]
    up(program, write(tmp_path, name, plugins, host_port=8080))

    assert before == host()
    assert not list(Path("/etc").glob("pods"))
    assert list(Path(record.directory, name, "plugins", "state").rglob("10.60.*"))


def test_netlab_cni_refuses_a_network_of_mode_cni(name: str, program: Program, tmp_path: Path) -> None:
    """One line says why; the lab and the container are as before."""
    up(program, write(tmp_path, name, [bridge()], IPV4))
    with container() as place:
        found = call("ADD", config(name), place, pod="default/d")

        assert (7, True) == (found.error, "has mode cni" in found.said), found.output
        assert {"lo"} == {*interfaces(place)}
    agrees(program, name)
