"""netlab-cni in running labs, called as a runtime calls it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from plugin.runtime import call, config, container, interfaces
from sizes import HANGS

from netlab import Lab
from netlab.cluster.flows import Flow
from netlab.cluster.types import address_of
from netlab.kernel import netns
from netlab.objects import decode
from netlab.objects.documents import parse

pytestmark = pytest.mark.kernel

TEXT = """
apiVersion: netlab/v1alpha1
kind: Topology
spec:
  nodes: [{name: n1}, {name: n2}]
  networks: [{mode: MODE, podCIDRs: [10.244.0.0/16, "fd00:10:244::/56"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, namespace: shop, labels: {app: other}}
spec: {nodeName: n2, containers: [{name: c, ports: [{containerPort: 80}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress: [{from: [{podSelector: {matchLabels: {app: good}}}]}]
"""


# For tests of packets and links; what the plugin says is of no mode.
BOTH_MODES = pytest.mark.parametrize("lab", ["overlay", "routed"], indirect=True)


@pytest.fixture
def lab(request: pytest.FixtureRequest, unique: Callable[[str], str]) -> Iterator[str]:
    """The name of a lab of two nodes, both families, two pods and a policy; in overlay mode unless a test says more."""
    name = unique("cni")
    documents, _ = parse(TEXT.replace("MODE", getattr(request, "param", "overlay")), "lab.yaml")
    with Lab.up(decode(documents)[0], name=name) as made:
        yield name
        if name in Lab.names():
            made.down()


def verdicts(name: str, source: str, destination: str) -> list[str]:
    """Return the measured verdicts on port 80 in both families."""
    with Lab.open(name) as made:
        ends = made.cluster.by_ref[source], made.cluster.by_ref[destination]
        flows = [Flow(*ends, family, "TCP", 80, address_of(ends[1], family)) for family in (4, 6)]
        return [one.verdict for one in made.probe(flows)]


@BOTH_MODES
def test_a_container_becomes_a_pod_with_policy(lab: str) -> None:
    """Its labels decide. After DEL its namespace has no interface, and its process runs on."""
    with container() as place:
        added = call("ADD", config(lab, node="n2", labels={"app": "good"}), place, pod="shop/c")
        assert 0 == added.code, added.output
        addresses = [ip["address"] for ip in added.output["ips"]]
        found = interfaces(place)["eth0"]["addr_info"]
        assert addresses == [f"{a['local']}/{a['prefixlen']}" for a in found if a["scope"] == "global"]
        assert added.output["interfaces"][-1]["sandbox"] == place
        assert ["allow", "allow"] == verdicts(lab, "shop/c", "shop/web")
        assert ["deny", "deny"] == verdicts(lab, "shop/other", "shop/web")
        assert 0 == call("CHECK", config(lab, node="n2", prevResult=added.output), place, pod="shop/c").code

        assert 0 == call("DEL", config(lab), place, pod="shop/c").code
        assert {"lo"} == {*interfaces(place)}
        with Lab.open(lab) as made:
            assert "shop/c" not in made.cluster.by_ref
            assert [] == made.drift()


@BOTH_MODES
def test_a_container_takes_the_place_of_a_pod_of_the_lab(lab: str) -> None:
    """It has the pod's addresses, and its policy holds. After DEL the lab has its own namespace again."""
    with container() as place:
        added = call("ADD", config(lab), place, pod="shop/web")
        assert 0 == added.code, added.output
        assert ["deny", "deny"] == verdicts(lab, "shop/other", "shop/web")
        assert ["allow", "allow"] == verdicts(lab, "node:n1", "shop/web")
        assert {"lo", "eth0"} == {*interfaces(place)}
        assert 0 == call("DEL", config(lab), place, pod="shop/web").code
        assert {"lo"} == {*interfaces(place)}
        with Lab.open(lab) as made:
            assert [] == made.drift()
    assert ["allow", "allow"] == verdicts(lab, "node:n1", "shop/web")


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"])
def test_the_result_has_the_form_of_the_version(lab: str, version: str) -> None:
    """Before 1.0.0 an address has its family; from 1.1.0 an interface has its MTU."""
    with container() as place:
        output = call("ADD", config(lab, cniVersion=version), place, pod="shop/c").output
        assert version == output["cniVersion"]
        assert ("version" in output["ips"][0]) == (version < "1")
        assert ("mtu" in output["interfaces"][-1]) == (version == "1.1.0")


def test_check_finds_damage(lab: str) -> None:
    with container() as place:
        added = call("ADD", config(lab), place, pod="shop/c").output
        asked = config(lab, prevResult=added)
        subprocess.run(["nsenter", f"--net={place}", "ip", "addr", "flush", "dev", "eth0"], check=True, timeout=HANGS)
        damaged = call("CHECK", asked, place, pod="shop/c")
        assert 1 == damaged.code
        assert "is damaged" in damaged.said
        assert 3 == call("CHECK", asked, place, pod="shop/c", container="another").error
        other = config(lab, prevResult={**added, "ips": [{"address": "10.9.9.9/32"}]})
        assert "does not have the address 10.9.9.9" in call("CHECK", other, place, pod="shop/c").said


def test_gc_detaches_what_the_runtime_does_not_list(lab: str) -> None:
    """Containers of other network configurations stay, and so do the lab's own pods."""
    with container() as one, container() as two, container() as three:
        assert 0 == call("ADD", config(lab), one, pod="shop/c1", container="c1").code
        assert 0 == call("ADD", config(lab), two, pod="shop/c2", container="c2").code
        assert 0 == call("ADD", config(lab, name="elsewhere"), three, pod="shop/c3", container="c3").code
        kept = {"cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}]}
        assert 0 == call("GC", config(lab, **kept)).code
        assert {"lo", "eth0"} == {*interfaces(one)} == {*interfaces(three)}
        assert {"lo"} == {*interfaces(two)}
        with Lab.open(lab) as made:
            assert {"shop/web", "shop/other", "shop/c1", "shop/c3"} == {pod.ref for pod in made.cluster.pods}


def test_errors_say_what_to_do_and_leave_the_lab_as_it_was(lab: str, tmp_path: Path) -> None:
    """A wrong namespace, node, network or address; a pod with another container; a lab that does not run."""
    (tmp_path / "file").write_text("")
    own = f"/proc/{os.getpid()}/ns/net"
    wrong = [
        (config(lab), str(tmp_path / "file"), 7, "is no network namespace"),
        (config(lab), "/proc/self/ns/mnt", 7, "is no network namespace"),
        (config(lab), own, 7, "netlab itself"),
        (config(lab), "/nowhere", 7, "No such file"),
        (config(lab, node="n9"), own, 7, "n9"),
        (config(lab, network="other"), own, 7, "other"),
        (config("gone"), own, 11, "no lab 'gone'"),
    ]
    for asked, place, code, words in wrong:
        found = call("ADD", asked, place, pod="shop/c")
        assert (code, True) == (found.error, words in found.said), (words, found.output)
    assert 7 == call("ADD", config(lab), own, pod="shop/web").error
    with container() as place, container() as second:
        assert 0 == call("ADD", config(lab), place, pod="shop/c").code
        assert "attached already" in call("ADD", config(lab), place, pod="shop/c").said
        assert 11 == call("ADD", config(lab), second, pod="shop/c", container="c2").error
        # A late DEL of an old sandbox detaches nothing.
        assert 0 == call("DEL", config(lab), second, pod="shop/c", container="c2").code
        assert {"lo", "eth0"} == {*interfaces(place)}
        assert 0 == call("DEL", config(lab), pod="shop/c").code
        assert 0 == call("DEL", config(lab), pod="shop/c").code
    assert 0 == call("DEL", config("gone"), pod="shop/c").code
    with Lab.open(lab) as made:
        assert [] == made.drift()
        assert {"shop/web", "shop/other"} == {pod.ref for pod in made.cluster.pods}


@BOTH_MODES
def test_a_container_is_one_pod_and_no_other_namespace_is_one(lab: str) -> None:
    """A failed ADD changes no namespace: not that of the host, of a lab or of a container with its own eth0."""
    spaces = [f"/run/netns/netlab.{lab}.{end}" for end in ("node.n1", "underlay", "pod.shop.web", "pod.shop.other")]
    with container() as place, container() as second:
        before = {space: interfaces(space) for space in spaces}
        for space in spaces:
            found = call("ADD", config(lab), space, pod="shop/web" if "shop.web" in space else "shop/c")
            assert (7, True) == (found.error, "of a lab" in found.said), found
        _in(second, "ip link add eth0 type veth peer name mine")
        assert "has an interface eth0 already" in call("ADD", config(lab), second, pod="shop/d").said
        assert 0 == call("ADD", config(lab), place, pod="shop/c").code
        assert "of a lab" in call("ADD", config(lab), place, pod="shop/d", container="c2").said
        assert ({"lo", "eth0"}, {"lo", "eth0", "mine"}) == ({*interfaces(place)}, {*interfaces(second)})
        assert 0 == call("DEL", config(lab), place, pod="shop/c").code
        assert before == {space: interfaces(space) for space in spaces}


def test_another_network_configuration_detaches_nothing(lab: str) -> None:
    """Its name is a part of what names an attachment (SPEC.md, "Parameters")."""
    with container() as place:
        assert 0 == call("ADD", config(lab), place, pod="shop/c").code
        other = {**config(lab), "name": "other"}
        assert 0 == call("DEL", other, place, pod="shop/c").code
        assert 0 == call("GC", {**other, "cni.dev/valid-attachments": []}).code
        assert {"lo", "eth0"} == {*interfaces(place)}
        assert 0 == call("DEL", config(lab), place, pod="shop/c").code
        assert {"lo"} == {*interfaces(place)}


@pytest.mark.parametrize(("lab", "end"), [("overlay", "DEL"), ("routed", "down")], indirect=["lab"])
def test_what_a_container_made_itself_stays(lab: str, end: str) -> None:
    """An eth0 of its own, beside netlab's, which it renamed; its rules and its process."""
    with container() as place:
        assert 0 == call("ADD", config(lab), place, pod="shop/c").code
        _in(place, "ip link set eth0 down; ip link set eth0 name old; ip link add eth0 type veth peer name mine")
        _in(place, "nft add table inet mine")
        if end == "DEL":
            assert 0 == call("DEL", config(lab), place, pod="shop/c").code
        else:
            with Lab.open(lab) as made:
                made.down()
        # The kernel deletes an end of a veth when no process has the namespace of the other end open.
        assert {"lo", "eth0", "mine"} == {*interfaces(place)} - {"old"}
        _in(place, "nft list table inet mine")


def _in(place: str, script: str) -> None:
    subprocess.run(["nsenter", f"--net={place}", "sh", "-ec", script], check=True, timeout=HANGS, capture_output=True)


def test_status_and_version() -> None:
    """STATUS has code 50 without the lab. VERSION needs none."""
    assert 50 == call("STATUS", config("gone")).error
    found = call("VERSION", {"cniVersion": "1.0.0"})
    assert ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] == found.output["supportedVersions"]


def test_status_of_a_running_lab(lab: str) -> None:
    assert 0 == call("STATUS", config(lab)).code


def test_containers_are_attached_side_by_side(lab: str) -> None:
    """A lab makes one change at a time; a runtime starts containers at once."""
    with container() as one, container() as two, container() as three, ThreadPoolExecutor() as pool:
        places = {"c1": one, "c2": two, "c3": three}
        calls = [pool.submit(call, "ADD", config(lab), place, container=name) for name, place in places.items()]
        assert [0, 0, 0] == [done.result().code for done in calls]
        addresses = {done.result().output["ips"][0]["address"] for done in calls}
        assert 3 == len(addresses)
        calls = [pool.submit(call, "DEL", config(lab), place, container=name) for name, place in places.items()]
        assert [0, 0, 0] == [done.result().code for done in calls]


@BOTH_MODES
def test_down_leaves_the_container_and_its_process(lab: str) -> None:
    with container() as place:
        assert 0 == call("ADD", config(lab), place, pod="shop/c").code
        inode = os.stat(place).st_ino
        with Lab.open(lab) as made:
            made.down()
        assert inode == os.stat(place).st_ino
        assert {"lo"} == {*interfaces(place)}


@pytest.mark.parametrize(
    ("lab", "mode", "waits"),
    [("overlay", "overlay", (0.05, 0.2, 0.3)), ("routed", "routed", (0.15, 0.25))],
    indirect=["lab"],
)
def test_a_killed_add_is_repaired(lab: str, mode: str, waits: tuple[float, ...]) -> None:
    """``up`` or ``down`` of the lab ends it; another ADD works after ``up``."""
    with container() as place:
        for wait in waits:
            environment = {
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "CNI_COMMAND": "ADD",
                "CNI_CONTAINERID": "c1",
                "CNI_IFNAME": "eth0",
                "CNI_NETNS": place,
            }
            process = subprocess.Popen(
                [sys.executable, "-m", "netlab.plugin.main"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
            assert process.stdin is not None
            process.stdin.write(json.dumps(config(lab)).encode())
            process.stdin.close()
            try:
                process.wait(wait)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.wait()
            documents, _ = parse(TEXT.replace("MODE", mode), "lab.yaml")
            with Lab.up(decode(documents)[0], name=lab) as made:
                assert [] == made.drift()
                assert {"shop/web", "shop/other"} == {pod.ref for pod in made.cluster.pods}
            assert {"lo"} == {*interfaces(place)}
        assert 0 == call("ADD", config(lab), place).code


def test_the_owner_of_a_namespace_is_noted(unique: Callable[[str], str]) -> None:
    """A namespace that netlab made has none."""
    name, own = unique("netlab.attach"), unique("netlab.own")
    with container() as place, netns.returning():
        netns.create(own)
        netns.attach(name, Path(place), "a text")
        try:
            assert ("a text", "") == (netns.owner(name), netns.owner(own))
            assert netns.inode(name) == os.stat(place).st_ino
        finally:
            assert netns.remove(name)
            assert netns.remove(own)
        assert "" == netns.owner(name)
