"""Labs on machines with agents: every command works from any machine, and each machine has what one machine would have.

A lab is built on three machines with agents, and on a fourth machine that is alone.
"""

from __future__ import annotations

import signal
import time

import pytest
from machines.agents import Agents
from machines.bed import kinds
from machines.labs import allowing, documents, written

THREE = ("m1", "m2", "m3")


def _everywhere(on: Agents, lab: str) -> dict[str, list[str]]:
    """Return what all machines have of a lab, without the underlays, which tunnels join."""
    found = {}
    for machine in on.on:
        for space, items in machine.drive("state", lab=lab).items():
            if not space.endswith(".underlay"):
                assert space not in found, "a namespace is on one machine only"
                found[space] = items
    return found


@pytest.mark.parametrize("mode", ["overlay", "routed", "bridge"])
@pytest.mark.parametrize("families", [(4,), (4, 6)], ids=["ipv4", "dual"])
def test_machines_have_together_what_one_machine_would_have(agents, machines, unique, tmp_path, mode, families):
    """After up, apply, label and delete the namespaces of all machines are those of the same lab on one machine."""
    lab = unique("same")
    # The underlay between machines has the MTU of that of one machine.
    on = agents(*THREE, mtu=1550)
    alone = machines("alone")["alone"]
    base = written(tmp_path, documents(lab, mode, 6, families=families))
    more = written(tmp_path, allowing("p2", "p1", "p4"))
    steps = (
        ("up", "-f", base),
        ("apply", "--lab", lab, "-f", more),
        ("label", "--lab", lab, "pod", "p5", "app=p1"),
        ("delete", "--lab", lab, "networkpolicy", "only-p2"),
    )
    for number, step in enumerate(steps):
        on.netlab(THREE[number % 3], *step)
        done = alone.netlab(*step)
        assert 0 == done.returncode, done.stderr
        one = {space: items for space, items in alone.drive("state", lab=lab).items() if not space.endswith("underlay")}

        assert one == _everywhere(on, lab), step
        assert [] == on.drift(lab)
    assert [5, 5, 5] == [len(machine.drive("inodes", lab=lab)) for machine in on.on]
    on.netlab("m3", "down", lab)
    on.nothing_left()


def test_nodes_are_on_the_machines_that_the_topology_names(agents, unique, tmp_path):
    """``Topology.spec.nodes[].machine`` decides; other nodes are spread, and each pod is where its node is."""
    lab, on = unique("placed"), agents(*THREE)
    text = documents(lab, "routed", 3).replace("{name: n1}", "{name: n1, machine: m3}")
    text = text.replace("{name: n2}", "{name: n2, machine: m3}").replace("{name: n3}", "{name: n3, machine: m1}")
    on.netlab("m2", "up", "-f", written(tmp_path, text))
    found = on.inodes(lab).items()
    pods = {name: sorted(one.rpartition(".")[2] for one in spaces if ".pod." in one) for name, spaces in found}

    assert {"m1": ["p3"], "m2": [], "m3": ["p1", "p2"]} == pods


def test_pods_reach_one_another_across_machines_until_a_policy_denies_it(agents, unique, tmp_path):
    """Commands return when a change is in force on every machine."""
    lab, on = unique("reach"), agents(*THREE)
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "overlay", 3, families=(4,))))

    def reached(source: int) -> bool:
        asked = {"lab": lab, "questions": [(f"default/p{source}", "10.244.1.2", 80)]}
        return bool(on.on[THREE[source - 1]].drive("ask", **asked)[0])

    assert [True, True] == [reached(1), reached(3)]
    on.netlab("m2", "apply", "--lab", lab, "-f", written(tmp_path, allowing("p2", "p1")))
    assert [True, False] == [reached(1), reached(3)]
    on.netlab("m3", "label", "--lab", lab, "pod", "p3", "app=p1")
    assert [True, True] == [reached(1), reached(3)]


def test_an_agent_that_ends_leaves_its_labs_running(agents, unique, tmp_path):
    """A signal ends the agent with exit code 0; its registration goes at once, and the lab stays as it is."""
    lab, on = unique("stays"), agents("m1", "m2")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    before = on.inodes(lab)

    assert 0 == on.stop("m2")
    assert "machines/m2" not in on.etcd_keys()
    assert before == on.inodes(lab)
    assert [True] == on.on["m1"].drive("ask", lab=lab, questions=[("default/p1", "10.244.1.2", 80)])


def test_a_lab_at_rest_writes_nothing_to_etcd(agents, unique, tmp_path):
    """Each process waits for orders after a change, also after one that was refused; only leases are kept alive."""
    lab, on = unique("rest"), agents("m1", "m2")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(lab, "routed", 2, families=(4,))))
    on.netlab("m1", "label", "--lab", lab, "pod", "p1", "app=other")
    time.sleep(1)
    before = on.etcd_revision()
    time.sleep(2)

    assert before == on.etcd_revision()


def test_machines_may_have_ipv6_addresses(agents, unique, tmp_path):
    """The tunnels go to the address that each agent has registered."""
    lab, on = unique("six"), agents("m1", "m2", start=False)
    for name in ("m1", "m2"):
        on.start(name, options=("--address", on.on[name].address6))
    on.netlab("m2", "up", "-f", written(tmp_path, documents(lab, "overlay", 2)))
    with on.on.captured() as frames:
        assert [True] == on.on["m1"].drive("ask", lab=lab, questions=[("default/p1", "10.244.1.2", 80)])

    assert ("udp 4789", "2001:db8::1", "2001:db8::2") in kinds(frames)
    assert [] == on.drift(lab)
    on.netlab("m1", "down", lab)
    on.nothing_left()


def test_a_machine_has_several_labs(agents, unique, tmp_path):
    """Each has a process of its own: a lab whose process is stopped delays no other one."""
    on, one, two = agents("m1", "m2"), unique("first"), unique("second")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(one, "routed", 2, families=(4,))))
    on.signal("m2", signal.SIGSTOP, "lab")
    on.netlab("m1", "up", "-f", written(tmp_path, documents(two, "bridge", 2, families=(4,))))
    on.signal("m2", signal.SIGCONT)

    assert [] == on.drift(one) + on.drift(two)
    on.netlab("m2", "down", "--all")
    on.nothing_left()
