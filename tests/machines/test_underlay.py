"""Labs on several machines: the underlays of their parts are joined by tunnels, and by nothing else."""

from __future__ import annotations

import pytest
from machines.bed import Machines, kinds
from machines.labs import allowing, documents

PLACED = {"node:n1": "one", "node:n2": "two", "node:n3": "three"}
TWO = {"node:n1": "one", "node:n2": "two"}
_NOTHING_OF_LAB = ["eth0", "lo"]


def _answers(on: Machines, lab: str, pods: dict[str, list[str]]) -> dict[tuple[str, str, int], bool]:
    """Return which pods reach one another at port 80, by (source, destination, family); pod pN is on machine N."""
    found = {}
    for number, machine in enumerate(on, start=1):
        if f"default/p{number}" not in pods:
            continue
        asked = [(ref, one) for ref, of in pods.items() for one in of if ref != f"default/p{number}"]
        answers = machine.drive("ask", lab=lab, questions=[(f"default/p{number}", one, 80) for _, one in asked])
        for (ref, address), answer in zip(asked, answers, strict=True):
            found[f"p{number}", ref.removeprefix("default/"), 6 if ":" in address else 4] = answer
    return found


def _removed_everywhere(on: Machines, lab: str) -> None:
    for machine in on:
        machine.netlab("down", lab)
        assert {} == machine.left(), machine.name
        assert _NOTHING_OF_LAB == machine.links()


@pytest.mark.parametrize("mode", ["overlay", "routed"])
def test_pods_of_three_machines_reach_one_another_under_policies(machines, spread, unique, mode):
    """Every pod reaches every pod in both families until a policy on another machine denies it. All is tunnelled."""
    on, lab = machines("one", "two", "three"), unique("three")
    text = documents(lab, mode, 3)
    with on.captured() as frames:
        pods = spread(on, text, PLACED)
        free = _answers(on, lab, pods)
        spread(on, text + allowing("p2", "p1"), PLACED)
        ruled = _answers(on, lab, pods)
    sent = kinds(frames)

    assert 12 == len(free)
    assert all(free.values()), free
    assert {key for key, reached in ruled.items() if not reached} == {("p3", "p2", 4), ("p3", "p2", 6)}
    own = set(on.addresses().values())
    assert {"udp 4789"} == {kind for kind, _, _ in sent}
    assert all({source, destination} <= own for _, source, destination in sent)
    for machine in on:
        assert _NOTHING_OF_LAB == machine.links()
        assert [] == machine.drive("drift", lab=lab)
    _removed_everywhere(on, lab)


@pytest.mark.parametrize("kernel", ["fast", "pyroute2"])
@pytest.mark.parametrize("mode", ["overlay", "routed"])
@pytest.mark.parametrize("family", [4, 6])
def test_a_packet_as_large_as_a_pods_mtu_is_never_too_large(machines, spread, unique, mode, family, kernel):
    """Tunnels between machines, and tunnels between nodes inside of them, fit the network between machines."""
    on, lab = machines("one", "two"), unique("mtu")
    pods = spread(on, documents(lab, mode, 2), TWO, family=family, kernel=kernel)
    below = 1500 - {4: 50, 6: 70}[family]
    fitting = below - 50 if mode == "overlay" else below

    for address in pods["default/p2"]:
        assert {"mtu": fitting, "answered": True} == on["one"].drive(
            "echo", lab=lab, source="default/p1", address=address
        )
    with on.captured() as frames:
        on["one"].drive("echo", lab=lab, source="default/p1", address=pods["default/p2"][0])
    assert 1514 == max(map(len, frames))
    _removed_everywhere(on, lab)


def test_pods_on_the_underlay_reach_those_of_another_machine(machines, spread, unique):
    """Pods of macvlan links look for neighbours by broadcasts, and every machine of the lab gets a copy."""
    on, lab = machines("one", "two"), unique("macvlan")
    pods = spread(on, documents(lab, "macvlan", 2), TWO)

    answers = _answers(on, lab, pods)

    assert 4 == len(answers)
    assert all(answers.values()), answers


def test_a_machine_that_joins_and_one_that_leaves_change_the_tunnels(machines, spread, unique):
    """Each change adds or deletes the forwarding entries of one machine, and makes links no longer or shorter."""
    on, lab = machines("one", "two", "three"), unique("join")
    both, three = documents(lab, "routed", 2), documents(lab, "routed", 3)
    spread(on, both, {"node:n1": "one", "node:n2": "one"})
    alone = on["one"].drive("entries", lab=lab)
    spread(on, both, TWO)
    two = on["one"].drive("entries", lab=lab)
    pods = spread(on, three, PLACED)
    joined = _answers(on, lab, pods)
    every = on["one"].drive("entries", lab=lab)
    on["three"].netlab("down", lab)
    spread(on, both, TWO)

    assert [] == alone
    assert ["192.0.2.2"] == two
    assert ["192.0.2.2", "192.0.2.3"] == every
    assert all(joined.values()), joined
    assert two == on["one"].drive("entries", lab=lab)
    assert [] == on["one"].drive("drift", lab=lab)
    _removed_everywhere(on, lab)


def test_a_part_that_was_removed_is_built_again_at_once(machines, spread, unique):
    """The kernel deletes the tunnel with the lab, so that its number is free when ``down`` returns."""
    on, lab = machines("one", "two"), unique("again")
    text = documents(lab, "routed", 2)
    for _ in range(3):
        pods = spread(on, text, TWO)
        on["two"].netlab("down", lab)
    pods = spread(on, text, TWO)

    assert all(_answers(on, lab, pods).values())


def test_a_machine_that_is_cut_off_is_not_reached_until_it_is_back(machines, spread, unique):
    """Nothing of the lab depends on the network between machines staying up."""
    on, lab = machines("one", "two"), unique("cut")
    pods = spread(on, documents(lab, "overlay", 2), TWO)
    on.cut("two")
    apart = _answers(on, lab, pods)
    on.join("two")
    again = _answers(on, lab, pods)

    assert not any(apart.values())
    assert all(again.values()), again


def test_a_deleted_tunnel_is_seen_and_repaired(machines, spread, unique):
    """``up`` makes the tunnel again, with all its entries."""
    on, lab = machines("one", "two"), unique("repair")
    text = documents(lab, "routed", 2)
    pods = spread(on, text, TWO)
    on["one"].run("nsenter", f"--net=/run/netns/netlab.{lab}.underlay", "ip", "link", "delete", "machines")
    broken = on["one"].drive("drift", lab=lab)
    spread(on, text, TWO)

    assert any("machines type vxlan" in line for line in broken), broken
    assert [] == on["one"].drive("drift", lab=lab)
    assert all(_answers(on, lab, pods).values())


def test_a_killed_command_leaves_nothing_after_down(machines, spread, unique, tmp_path):
    """A process that is killed at any moment of ``up`` leaves what ``down`` removes, and nothing outside of the lab."""
    on, lab = machines("one", "two"), unique("killed")
    file = tmp_path / "lab.yaml"
    file.write_text(documents(lab, "overlay", 2))
    values = {"files": [str(file)], "own": "one", "machines": on.addresses(), "placed": TWO}
    killed = 0
    for spaces, seconds in ((1, 0), (2, 0), (3, 0), (3, 0.01), (3, 0.02), (3, 0.04), (3, 0.06)):
        on["one"].kill_during("up", spaces, seconds, **values)
        listed = on["one"].netlab("get", "labs").stdout
        killed += "HalfBuilt" in listed
        on["one"].netlab("down", lab)

        assert {} == on["one"].left()
        assert _NOTHING_OF_LAB == on["one"].links()
    assert killed
    # The tunnel's number is free.
    spread(on, documents(lab, "overlay", 2), TWO)
    _removed_everywhere(on, lab)


def test_another_lab_of_the_same_number_is_refused(machines, spread, unique):
    """Two labs with one number would be one network, so the kernel refuses the second tunnel, and nothing stays."""
    on, lab, other = machines("one", "two"), unique("first"), unique("second")
    spread(on, documents(lab, "routed", 2), TWO)

    with pytest.raises(AssertionError, match="another VXLAN of this machine has number 77 at UDP port 4789"):
        spread(on, documents(other, "routed", 2), TWO)
    assert not any(other in line for of in on["one"].left().values() for line in of)


def test_documents_and_the_part_change_together(machines, spread, unique, tmp_path):
    """A machine brings other documents and another part in force in one change, from its record alone."""
    on, lab = machines("one", "two"), unique("edit")
    spread(on, documents(lab, "routed", 2), TWO)
    file = tmp_path / "more.yaml"
    file.write_text(documents(lab, "routed", 4) + allowing("p2", "p4"))
    placed = {**TWO, "node:n3": "one", "node:n4": "two"}
    for machine in on:
        made = machine.drive("edit", lab=lab, file=str(file), own=machine.name, machines=on.addresses(), placed=placed)
        assert [] == machine.drive("drift", lab=lab)
    target = made["pods"]["default/p2"]

    def reached(machine: str, source: str) -> list[bool]:
        return list(on[machine].drive("ask", lab=lab, questions=[(source, address, 80) for address in target]))

    assert [True, True] == reached("two", "default/p4")
    assert [False, False] == reached("one", "default/p3")


def test_programs_run_on_the_machines_of_their_nodes(machines, spread, unique):
    """The DNS server is a pod: the machine of its node starts it, and pods of other machines reach its Service."""
    on, lab = machines("one", "two"), unique("dns")
    spread(on, documents(lab, "routed", 2), TWO)
    made = {m.name: m.drive("programs", lab=lab, pod=f"default/p{number}") for number, m in enumerate(on, start=1)}

    assert {"one": ["dns.pod.kube-system.kube-dns"], "two": []} == made
    assert [True] == on["two"].drive("ask", lab=lab, questions=[("default/p2", "10.96.0.10", 53)])
    _removed_everywhere(on, lab)


def test_up_without_a_part_does_not_take_the_whole_lab(machines, spread, unique, tmp_path):
    """``netlab up`` on one machine of a lab on several would make all nodes there, so it is refused."""
    on, lab = machines("one", "two"), unique("whole")
    spread(on, documents(lab, "routed", 2), TWO)
    done = on["one"].netlab("up", "-f", tmp_path / "lab.yaml")

    assert 2 == done.returncode
    assert "is on several machines" in done.stderr


@pytest.mark.parametrize("mode", ["bridge", "overlay", "routed"])
def test_an_outside_host_is_reached_on_its_machine(machines, spread, unique, mode):
    """Packets to outside hosts, and their answers, take the tunnel in every mode and family."""
    on, lab = machines("one", "two"), unique("host")
    spread(on, documents(lab, mode, 2, hosts=True), {**TWO, "host:internet": "one"}, family=6)
    outside = ["198.51.100.10", "2001:db8:1::10"]
    with on.captured() as frames:
        answers = on["two"].drive("ask", lab=lab, questions=[("default/p2", address, 80) for address in outside])

    assert [True, True] == answers
    addresses = ("2001:db8::1", "2001:db8::2")
    assert {("udp 4789", *addresses), ("udp 4789", *reversed(addresses))} == kinds(frames)


def test_a_frame_to_no_machine_of_the_lab_stays(machines, spread, unique):
    """Broadcasts and frames to unknown MACs leave no machine; a frame to a node's MAC goes to its machine."""
    on, lab = machines("one", "two", "three"), unique("stay")
    spread(on, documents(lab, "routed", 3, families=(4,)), PLACED)
    with on.captured() as frames:
        on["one"].drive(
            "frames", lab=lab, node="n1", to=["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:01", "02:aa:00:00:00:01"]
        )
    with on.captured() as known:
        on["one"].drive("frames", lab=lab, node="n1", to=["0a:58:64:40:00:02"])

    assert set() == kinds(frames)
    assert {("udp 4789", "192.0.2.1", "192.0.2.2")} == kinds(known)
