"""A running lab that is brought to another wiring is whole at once: nothing is left to repair, and packets agree."""

from __future__ import annotations

import itertools
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pytest

from netlab.cluster.flows import every_pair
from netlab.conformance.shorthand import document
from netlab.errors import KernelError
from netlab.kernel import netns
from netlab.kernel.linux import Linux
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.objects import Document, Objects, decode
from netlab.policy.evaluate import evaluate

FAMILIES: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "IPv4": (["10.244.0.0/16"], ["192.0.2.10"]),
    "IPv6": (["fd00:10:244::/56"], ["2001:db8:1::10"]),
    "dual": (["10.244.0.0/16", "fd00:10:244::/56"], ["192.0.2.10", "2001:db8:1::10"]),
}
FOUR = {"a": "n1", "b": "n1", "c": "n2", "d": "n2"}
MODES = ("bridge", "overlay", "routed", "macvlan")


def topology(mode: str, nodes: Sequence[str] = ("n1", "n2"), family: str = "dual") -> Document:
    """Nodes of one network, and an outside host."""
    cidrs, client = FAMILIES[family]
    spec: dict[str, Any] = {"networks": [{"name": "default", "mode": mode, "podCIDRs": list(cidrs)}]}
    return document(
        "Topology",
        "t",
        spec | {"nodes": [{"name": n} for n in nodes], "hosts": [{"name": "client", "addresses": list(client)}]},
    )


def pod(name: str, node: str, *addresses: str) -> Document:
    """A pod on a node, with addresses of its own where some are stated."""
    status = {"status": {"podIPs": [{"ip": a} for a in addresses]}} if addresses else {}
    return document("Pod", f"x/{name}", {"nodeName": node, "containers": []}, **status)  # type: ignore[arg-type]


def pods(places: Mapping[str, str]) -> list[Document]:
    return [pod(name, node) for name, node in places.items()]


def read(*documents: Document) -> Objects:
    objects, problems = decode(documents)
    assert [] == [problem for problem in problems if problem.severity == "error"]
    return objects


@pytest.fixture
def up(unique: Callable[[str], str]) -> Iterator[Callable[..., Lab]]:
    """Bring the lab of this test to exactly these documents; gone afterwards."""
    name = unique("fx")
    running: list[Lab] = []

    def to(*documents: Document) -> Lab:
        while running:
            running.pop().close()
        running.append(Lab.up(read(*documents), name=name))
        return running[0]

    yield to
    while running:
        running.pop().close()
    if name in Lab.names():
        removal.remove(name)


def wrong(lab: Lab) -> list[str]:
    """What a second ``up`` would find to repair, and every pair whose packets and documentation disagree."""
    found = lab.drift()
    asked = 0
    for measured in lab.probe(every_pair(lab.cluster, nodes=True)):
        asked += 1
        expected = evaluate(lab.cluster, measured.flow)
        if expected.verdict != measured.verdict:
            flow = f"{measured.flow.source.ref} to {measured.flow.target}"
            found.append(f"{flow}: {expected.verdict}, {measured.verdict} ({measured.reason})")
    assert asked
    return found


def run(lab: Lab, place: str, command: str) -> str:
    """Run a command inside one of the lab's namespaces and return what it printed."""
    with netns.inside(f"netlab.{lab.name}.{place}"):
        return subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout


# --- addresses and MACs that change ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "family"),
    [*((mode, "dual") for mode in MODES), ("overlay", "IPv4"), ("bridge", "IPv6"), ("routed", "IPv6")],
)
def test_a_pod_may_take_the_address_of_one_that_is_gone(up: Callable[..., Lab], mode: str, family: str) -> None:
    """Addresses are given out anew: the pod that stays moves to the first one, and keeps its routes."""
    top = topology(mode, ["n1"], family)
    before = up(top, *pods({"a": "n1", "b": "n1"})).cluster.by_ref["x/b"].addresses
    lab = up(top, *pods({"b": "n1"}))

    assert before != lab.cluster.by_ref["x/b"].addresses
    assert [] == wrong(lab)


@pytest.mark.parametrize("mode", MODES)
def test_apply_may_change_a_pods_address(up: Callable[..., Lab], mode: str) -> None:
    """Another ``status.podIPs`` is another address and another MAC, known to the node and the pod's neighbours."""
    top = topology(mode, ["n1", "n2"])
    lab = up(top, pod("a", "n1", "10.244.0.7", "fd00:10:244::7"), *pods({"b": "n1", "c": "n2"}))
    lab.apply([pod("a", "n1", "10.244.0.9", "fd00:10:244::7")])
    lab.apply([pod("a", "n1", "10.244.0.9", "fd00:10:244::8")])

    assert [] == wrong(lab)


@pytest.mark.parametrize("mode", MODES)
def test_two_pods_may_swap_their_addresses(up: Callable[..., Lab], mode: str) -> None:
    """In one step, on one node; the third pod reaches both at once."""
    top, six = topology(mode, ["n1"]), ("fd00:10:244::7", "fd00:10:244::8")
    lab = up(top, pod("a", "n1", "10.244.0.7", six[0]), pod("b", "n1", "10.244.0.8", six[1]), pod("c", "n1"))
    assert [] == wrong(lab)
    lab.apply([pod("a", "n1", "10.244.0.8", six[1]), pod("b", "n1", "10.244.0.7", six[0])])
    with netns.inside(f"netlab.{lab.name}.pod.x.b"):
        listener = socket.create_server(("10.244.0.7", 80))
    with netns.inside(f"netlab.{lab.name}.pod.x.c"):
        caller = socket.socket()
    with listener, caller:
        caller.settimeout(3)
        caller.connect(("10.244.0.7", 80))

    assert [] == wrong(lab)


@pytest.mark.parametrize("mode", MODES)
def test_nodes_may_come_go_and_change_places(up: Callable[..., Lab], mode: str) -> None:
    """Node addresses follow the order of nodes; tunnels, routes and pods of every node follow the addresses."""
    places = pods({"a": "n1", "b": "n2"})
    orders = (["n1", "n2"], ["n0", "n1", "n2"], ["n2", "n0", "n1"], ["n2", "n1"])
    found = {tuple(order): wrong(up(topology(mode, order), *places)) for order in orders}

    assert {tuple(order): [] for order in orders} == found


def test_a_pod_may_move_to_another_node(up: Callable[..., Lab]) -> None:
    """Its interface is then on that node's link: pods of one node and that node do not reach one another."""
    for mode in MODES:
        up(topology(mode), *pods(FOUR))
        assert [] == wrong(up(topology(mode), *pods({**FOUR, "a": "n2", "d": "n1"})))


def test_a_node_may_lose_its_last_pod(up: Callable[..., Lab]) -> None:
    """The kernel sets a bridge without ports to an MTU of 1500, unless its MTU was set."""
    up(topology("overlay"), *pods(FOUR))

    assert [] == wrong(up(topology("overlay"), *pods({"a": "n1", "b": "n1"})))


# --- modes ----------------------------------------------------------------------------------------------------------


def test_a_network_may_change_its_mode(up: Callable[..., Lab]) -> None:
    """From every mode to every other, at once, in both families; one lab goes all ways."""
    way = [mode for pair in itertools.combinations(MODES, 2) for mode in pair] + [MODES[0]]
    assert {*itertools.permutations(MODES, 2)} == {*itertools.pairwise(way)}
    up(topology(way[0]), *pods(FOUR))
    found = {(old, new): wrong(up(topology(new), *pods(FOUR))) for old, new in itertools.pairwise(way)}

    assert {pair: [] for pair in itertools.permutations(MODES, 2)} == found


@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_a_network_of_one_family_may_change_its_mode(up: Callable[..., Lab], family: str) -> None:
    """Through all modes and back to the first."""
    up(topology(MODES[0], family=family), *pods(FOUR))
    found = [wrong(up(topology(new, family=family), *pods(FOUR))) for new in (*MODES[1:], MODES[0])]

    assert [[]] * len(MODES) == found


def test_no_table_of_the_old_mode_is_left_where_rules_are_repaired(up: Callable[..., Lab]) -> None:
    """Each mode has tables of its own. What the rules are is not known then, so all that may be there go."""
    for old in ("routed", "overlay"):
        lab = up(topology(old), *pods(FOUR))
        run(lab, "node.n1", "nft delete table bridge netlab")
        assert [] == wrong(up(topology("bridge"), *pods(FOUR)))


def test_no_table_of_the_old_mode_is_left_by_a_change_that_broke_off(
    up: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is that of the new mode already, the rules are those of the old one still."""
    for old in ("routed", "overlay"):
        up(topology(old), *pods(FOUR))
        with monkeypatch.context() as patch:
            patch.setattr(Linux, "nft", fails)
            with pytest.raises(KernelError):
                up(topology("bridge"), *pods(FOUR))
        assert [] == wrong(up(topology("bridge"), *pods(FOUR)))


def test_no_table_of_the_new_mode_is_left_by_a_change_that_is_undone(
    up: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that fails with its rules in force already goes back to those of before."""
    wait, failed = Linux.wait_until_ready, []  # type: ignore[var-annotated]

    def fails_once(kernel: Linux, names: Sequence[str]) -> None:
        if not failed:
            failed.append(names)
            fails()
        wait(kernel, names)

    for new in ("routed", "overlay"):
        failed.clear()
        lab = up(topology("bridge"), *pods(FOUR))
        with monkeypatch.context() as patch:
            patch.setattr(Linux, "wait_until_ready", fails_once)
            with pytest.raises(KernelError):
                lab.apply([topology(new)])
        assert [] == wrong(lab)


def fails(*_: object) -> None:
    raise KernelError("a step of the change", 0, "refused")


# --- damage ---------------------------------------------------------------------------------------------------------

DAMAGES = {
    "a bridge's MTU": ("node.n1", "ip link set br-default mtu 1400"),
    "a bridge's MTU without IPv6": ("node.n1", "ip link set br-default mtu 1000"),
    "a bridge's MAC": ("node.n1", "ip link set br-default address 0a:58:00:00:00:99"),
    "a tunnel's MAC": ("node.n1", "ip link set vxlan.1 address 0a:58:00:00:00:99"),
    "a pod's MAC": ("pod.x.a", "ip link set eth0 address 0a:58:00:00:00:99"),
    "a pod's interface": ("pod.x.a", "ip link delete eth0"),
    "a node's MAC": ("node.n1", "ip link set underlay0 address 0a:58:00:00:00:99"),
    "a tunnel's end": (
        "node.n1",
        "ip link delete vxlan.1; ip link add vxlan.1 type vxlan id 1 local 100.64.0.9 dstport 8472 dev underlay0",
    ),
    "a bridge's forwarding": ("node.n1", "sysctl -qw net.ipv4.conf.br-default.forwarding=0"),
    "a bridge's IPv6 forwarding": ("node.n1", "sysctl -qw net.ipv6.conf.br-default.forwarding=0"),
    "a bridge's IPv6": ("node.n1", "sysctl -qw net.ipv6.conf.br-default.disable_ipv6=1"),
    "a pod's IPv6": ("pod.x.a", "sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1"),
    "all forwarding but one link's": (
        "node.n1",
        "sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.br-default.forwarding=1",
    ),
}


def test_up_repairs_a_link_with_all_that_the_repair_drops(up: Callable[..., Lab]) -> None:
    """One ``up`` is enough, where setting a link makes the kernel forget its neighbours and routes."""
    inputs = (topology("overlay"), *pods({"a": "n1", "c": "n2"}))
    lab = up(*inputs)
    found = {}
    for damage, (place, commands) in DAMAGES.items():
        for command in commands.split("; "):
            run(lab, place, command)
        drift = lab.drift()
        lab = up(*inputs)
        found[damage] = bool(drift), wrong(lab)

    assert dict.fromkeys(DAMAGES, (True, [])) == found
