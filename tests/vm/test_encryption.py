"""An encrypted lab on machines with agents: WireGuard carries all that they send to one another.

The kernel must have WireGuard, so these tests run in the virtual machine of ``make test-vm``. Machines are namespaces,
joined by a bridge (``machines/bed.py``), and etcd is the distribution's.
"""

from __future__ import annotations

import json
from ipaddress import ip_address
from typing import Any

import pytest
from machines.agents import Agents, until
from machines.bed import kinds
from machines.labs import allowing, documents, written

THREE = ("m1", "m2", "m3")
TCP = "6"
ICMP, UDP = 1, 17
# The first bytes of the MACs of nodes, pods and ports.
_MACS = (bytes.fromhex("0a58"), bytes.fromhex("0a59"))


def between(frames: list[bytes]) -> list[bytes]:
    """Return the frames that are not packets to and from etcd."""
    return [frame for frame in frames if kinds([frame]) and {TCP} != {kind for kind, _, _ in kinds([frame])}]


def shown(frames: list[bytes], pods: list[str]) -> list[bytes]:
    """Return the frames in which a pod's address or an inner Ethernet header can be read."""
    texts = [ip_address(address).packed for address in pods]

    def inner(frame: bytes) -> bool:
        return frame[50:52] in _MACS and frame[56:58] in _MACS

    return [frame for frame in frames if any(text in frame for text in texts) or inner(frame)]


def reaches(on: Agents, lab: str, source: int, address: str) -> bool:
    """Return whether pod N, which is on machine N, has an answer from an address."""
    asked: dict[str, Any] = {"lab": lab, "questions": [(f"default/p{source}", address, 80)]}
    return bool(on.on[f"m{source}"].drive("ask", **asked)[0])


def public(on: Agents, lab: str) -> dict[str, str]:
    """Return the public key that each machine has reported."""
    return {name: json.loads(on.value(f"reports/{lab}/{name}"))["wireguard"]["key"] for name in THREE}


def test_only_wireguard_is_between_the_machines_of_an_encrypted_lab(agents, unique, tmp_path):
    """All pairs agree, every frame between machines is UDP to a WireGuard device, and none shows what is inside.

    Encryption stays through later changes, an agent that is killed, and a machine that boots; then nothing is left.
    """
    lab, on = unique("secret"), agents(*THREE)
    file = written(tmp_path, documents(lab, "overlay", 3))
    pods = [f"10.244.{node}.2" for node in range(3)] + [f"fd00:10:244:{node}::2" for node in range(3)]
    with on.on.captured() as frames:
        on.netlab("m1", "up", "-f", file, "--encrypt")
        verified = on.netlab("m2", "verify", "--lab", lab)
        on.netlab("m3", "apply", "--lab", lab, "-f", written(tmp_path, allowing("p2", "p1")))
        # Without the option it stays as it is.
        on.netlab("m2", "up", "-f", file)
    sent, own = between(frames), set(on.on.addresses().values())
    every = kinds(sent)

    assert verified.rstrip().endswith(" 0 differ, 0 inconclusive"), verified
    # What each UDP payload begins with: one of the four types of WireGuard's messages, and three zeros.
    packets = [frame for frame in sent if frame[23] == UDP]
    assert {bytes(3)} == {frame[43:46] for frame in packets}
    assert {frame[42] for frame in packets} <= {1, 2, 3, 4}
    assert {"udp 51820"} == {kind for kind, _, _ in kinds(packets)}
    # A machine says that it has no device yet (ICMP, port unreachable); that has nothing of the lab.
    assert {frame[23] for frame in sent} <= {UDP, ICMP}
    assert {(one, other) for one in own for other in own if one != other} <= {(s, d) for _, s, d in every}
    assert [] == shown(sent, pods)
    assert [] == on.drift(lab)
    assert all(["eth0", "lo"] == machine.links() for machine in on.on)

    before = public(on, lab)
    on.kill("m2")
    assert reaches(on, lab, 1, "10.244.1.2"), "the lab goes on running without the agent"
    on.start("m2")
    until(lambda: on.says(lab, "m2", "ready"), on.logs)
    assert before == public(on, lab)
    assert reaches(on, lab, 3, "10.244.1.2")

    on.reboot("m3")
    on.start("m3")
    until(lambda: reaches(on, lab, 3, "10.244.0.2"), on.logs)
    after = public(on, lab)
    assert (before["m1"], before["m2"]) == (after["m1"], after["m2"])
    assert before["m3"] != after["m3"]

    with on.on.captured() as frames:
        on.netlab("m1", "up", "-f", file, "--no-encrypt")
        assert reaches(on, lab, 1, "10.244.1.2")
    plain = {kind for kind, _, _ in kinds(between(frames))}
    assert "udp 4789" in plain
    assert shown(between(frames), pods), "the test sees what is not encrypted"
    on.netlab("m2", "down", lab)
    on.nothing_left()


@pytest.mark.parametrize(("family", "mode", "mtu"), [(4, "macvlan", 1390), (6, "overlay", 1300)])
def test_a_packet_as_large_as_a_pods_mtu_fits_the_network_between_machines(agents, unique, tmp_path, family, mode, mtu):
    """WireGuard takes 60 bytes with IPv4 and 80 with IPv6, and VXLAN its own; the outer packet has 1,500 at most."""
    lab, on = unique("large"), agents("m1", "m2", start=False)
    for name in ("m1", "m2"):
        on.start(name, options=("--address", on.on.addresses(family)[name]))
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, mode, 2)), "--encrypt")
    pods = json.loads(on.netlab("m1", "get", "pods", "--lab", lab, "-o", "json"))
    addresses = _addresses(pods, "p2")
    with on.on.captured() as frames:
        for address in addresses:
            found: dict[str, Any] = {}

            def answered(address: str = address, found: dict[str, Any] = found) -> bool:
                found |= on.on["m1"].drive("echo", lab=lab, source="default/p1", address=address)
                return bool(found["answered"])

            until(answered, on.logs)
            assert mtu == found["mtu"]

    assert 2 == len(addresses)
    assert 1514 == max(map(len, between(frames)))
    assert {"udp 51820"} == {kind for kind, _, _ in kinds(between(frames))}
    on.netlab("m2", "down", lab)
    on.nothing_left()


def test_two_encrypted_labs_of_the_same_machines_have_a_port_each(agents, unique, tmp_path):
    """A device has its port for itself, which is free again after ``down``."""
    on, one, two = agents("m1", "m2"), unique("first"), unique("second")
    for lab in (one, two):
        on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))), "--encrypt")
    ports = {lab: json.loads(on.value(f"reports/{lab}/m1"))["wireguard"]["port"] for lab in (one, two)}

    assert {one: 51820, two: 51821} == ports
    assert [True, True] == [reaches(on, lab, 1, "10.244.1.2") for lab in (one, two)]
    on.netlab("m2", "down", one)
    on.netlab("m1", "up", "-f", written(tmp_path, documents(one, "routed", 2, families=(4,))), "--encrypt")
    assert reaches(on, one, 1, "10.244.1.2")
    assert 51820 == json.loads(on.value(f"reports/{one}/m2"))["wireguard"]["port"]


def _addresses(pods: Any, name: str) -> list[str]:
    """Return the addresses of a pod in what ``netlab get pods -o json`` prints."""
    (one,) = [item for item in pods["items"] if item["metadata"]["name"] == name]
    return [entry["ip"] for entry in one["status"]["podIPs"]]
