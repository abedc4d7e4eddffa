"""What every machine does: the kernels of this host, and the one in memory, held by the same tests."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest
from host_records import namespaces
from waiting import eventually

from netlab.errors import AlreadyExists, HostError, KernelError, NotFound
from netlab.kernel import daemons, processes
from netlab.kernel.machine import KERNELS, Frontend, Machine, this_host
from netlab.kernel.program import Program
from netlab.kernel.state import (
    EVERY_MAC,
    Change,
    ForwardingEntry,
    InterfaceAddress,
    Item,
    Link,
    Neighbour,
    Route,
    Sysctl,
)
from netlab.testing import FakeKernel

Spaces = Callable[..., list[str]]

_numbers = itertools.count()
_LOOPBACK = Link("lo", "loopback", mtu=65536, up=False)
_BRIDGE = {"stp_state": 0, "forward_delay": 0, "mcast_snooping": 0}
_MAC, _GATEWAY_MAC = "0a:58:c6:12:00:02", "0a:59:00:00:00:01"


@pytest.fixture(params=[*(pytest.param(name, marks=pytest.mark.kernel) for name in KERNELS), "memory"])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Each kernel of this host, and the one in memory."""
    found = FakeKernel() if request.param == "memory" else this_host(request.param)
    found.store.prepare()
    yield found
    found.close()
    found.store.tidy()


@pytest.fixture
def spaces(machine: Machine) -> Iterator[Spaces]:
    """Make network namespaces of the test's own; they are gone afterwards."""
    lab = f"contract-{os.getpid():x}-{next(_numbers)}"
    with namespaces(machine, lab) as create:

        def make(*words: str) -> list[str]:
            names = [f"netlab.{lab}.{word}-{next(_numbers)}" for word in words]
            create(names)
            return names

        yield make


def add(namespace: str, *items: Item) -> list[Change]:
    return [Change("add", namespace, item) for item in items]


def held(machine: Machine, name: str, *sysctls: str) -> set[Item]:
    """What a namespace holds, its loopback aside."""
    return {i for i in machine.read(name, sysctls).items if not (isinstance(i, Link) and i.kind == "loopback")}


def pair(left: str, right: str) -> dict[str, list[Item]]:
    """A veth between a bridge in one namespace and another namespace, with everything that may be on it."""
    return {
        left: [
            Link("br0", "bridge", mac=_GATEWAY_MAC, mtu=1450, options=_BRIDGE),
            Link(
                "port1", "veth", mac="0a:59:00:00:00:02", master="br0", peer=(right, "eth0"), owner=True, hairpin=True
            ),
            InterfaceAddress("br0", ip_interface("198.18.0.1/24")),
            InterfaceAddress("br0", ip_interface("fd00:18::1/64")),
            Sysctl("ipv4/ip_forward", "1"),
        ],
        right: [
            Link("eth0", "veth", mac=_MAC, mtu=1450, peer=(left, "port1")),
            InterfaceAddress("eth0", ip_interface("198.18.0.2/24")),
            InterfaceAddress("eth0", ip_interface("fd00:18::2/128")),
            Route(ip_network("0.0.0.0/0"), "eth0", via=ip_address("198.18.0.1")),
            Route(ip_network("fd00:18::1/128"), "eth0"),
            Route(ip_network("::/0"), "eth0", via=ip_address("fd00:18::1")),
            Route(ip_network("203.0.113.0/24"), "eth0", via=ip_address("192.0.2.1"), onlink=True),
            Route(ip_network("192.0.2.7/32"), "eth0", source=ip_address("198.18.0.2")),
            Route(ip_network("192.0.2.8/32"), "eth0", mtu=1400),
            Route(ip_network("fd00:19::/64"), "eth0", via=ip_address("fd00:18::1"), mtu=1300),
            Neighbour("eth0", ip_address("198.18.0.1"), _GATEWAY_MAC),
            Neighbour("eth0", ip_address("fd00:18::1"), _GATEWAY_MAC),
        ],
    }


def build(machine: Machine, wanted: dict[str, list[Item]]) -> None:
    machine.apply([change for name, items in wanted.items() for change in add(name, *items)])


# --- namespaces -----------------------------------------------------------------------------------------------------


def test_a_namespace_is_there_until_it_is_removed(machine: Machine, spaces: Spaces) -> None:
    """It holds a loopback that is down and nothing else, and its name is taken."""
    one, other = spaces("one", "other")
    before = [machine.exists(one), machine.occupied(one), machine.pinned(one), machine.read(one).items]
    with pytest.raises(AlreadyExists, match="one"):
        machine.create([one])
    machine.remove([one])
    after = [machine.exists(one), machine.occupied(one), machine.pinned(one)]

    assert [True, True, [one], frozenset({_LOOPBACK})] == before
    assert [False, False, []] == after
    assert machine.exists(other)
    assert machine.path(other).name == other


def test_what_is_not_there_is_not_read_and_need_not_be_removed(machine: Machine) -> None:
    """Reading and loading name it; removing is no error."""
    name = "netlab.contract.nothing"
    machine.remove([name])

    for call in (lambda: machine.read(name), lambda: machine.nft(name, ""), lambda: machine.inside(name).__enter__()):
        with pytest.raises(NotFound, match=name):
            call()


# --- links ----------------------------------------------------------------------------------------------------------


def test_what_was_added_is_read_back_as_the_same_values(machine: Machine, spaces: Spaces) -> None:
    """The difference between what is and what should be depends on it."""
    left, right = spaces("left", "right")
    wanted = pair(left, right)
    build(machine, wanted)
    machine.wait_until_ready([left, right])

    assert set(wanted[left]) == held(machine, left, "ipv4/ip_forward")
    assert set(wanted[right]) == held(machine, right)


def test_what_is_there_may_be_added_again(machine: Machine, spaces: Spaces) -> None:
    """Nothing is twice, and nothing goes."""
    left, right = spaces("left", "right")
    wanted = pair(left, right)
    build(machine, wanted)
    build(machine, wanted)

    assert set(wanted[left]) == held(machine, left, "ipv4/ip_forward")
    assert set(wanted[right]) == held(machine, right)


def test_a_link_is_changed_in_place(machine: Machine, spaces: Spaces) -> None:
    """Another MTU, another setting of its port."""
    left, right = spaces("left", "right")
    wanted = pair(left, right)
    build(machine, wanted)
    other = replace(wanted[left][1], mtu=1400, hairpin=False)  # type: ignore[arg-type]
    machine.apply(add(left, other))

    assert other in held(machine, left)


def test_a_loopback_gets_its_mtu_back(machine: Machine, spaces: Spaces) -> None:
    """A user may have changed it, and `up` repairs what differs."""
    (one,) = spaces("one")
    wanted = replace(_LOOPBACK, up=True)
    machine.apply(add(one, wanted))
    machine.apply(add(one, replace(wanted, mtu=1400)))
    changed = machine.read(one).items
    machine.apply(add(one, wanted))

    assert frozenset({replace(wanted, mtu=1400)}) == changed
    assert frozenset({wanted}) == machine.read(one).items


def test_what_is_deleted_is_gone_and_the_rest_stays(machine: Machine, spaces: Spaces) -> None:
    """One item of each kind; a second time there is nothing to do."""
    left, right = spaces("left", "right")
    wanted = pair(left, right)
    build(machine, wanted)
    gone = [wanted[right][2], wanted[right][6], wanted[right][8]]
    deletions = [Change("delete", right, item) for item in gone]
    machine.apply(deletions)
    machine.apply(deletions)

    # With an IPv6 address its neighbours and routes may go: they hang on no other one here.
    lost = {i for i in wanted[right] if ":" in str(i).split(" dev")[0] and not isinstance(i, Link)}
    assert set(wanted[right]) - set(gone) - lost <= held(machine, right) <= set(wanted[right]) - set(gone)


def test_both_ends_of_a_veth_go_with_one(machine: Machine, spaces: Spaces) -> None:
    """And everything on them."""
    left, right = spaces("left", "right")
    wanted = pair(left, right)
    build(machine, wanted)
    machine.apply([Change("delete", left, wanted[left][1])])

    assert set() == held(machine, right)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("vxlan", {"id": 7, "local": "198.18.0.2", "learning": 0, "dstport": 8472}),
        ("vxlan", {"id": 7, "local6": "fd00:18::2", "learning": 0, "dstport": 8472}),
        ("macvlan", {"mode": 4}),
    ],
    ids=["vxlan", "vxlan on IPv6", "macvlan"],
)
def test_a_link_stands_on_another_and_goes_with_it(
    machine: Machine, spaces: Spaces, kind: str, options: dict[str, int | str]
) -> None:
    """It may be in another namespace; its options are read back."""
    left, right, third = spaces("left", "right", "third")
    build(machine, pair(left, right))
    top = Link("top0", kind, mac="0a:58:00:00:00:09", mtu=1300, parent=(right, "eth0"), options=options)  # type: ignore[arg-type]
    entry = ForwardingEntry(
        "top0", "0a:58:00:00:00:08", ip_address("fd00:18::9" if "local6" in options else "198.18.0.9")
    )
    items: list[Item] = [top, InterfaceAddress("top0", ip_interface("198.18.1.2/32"))]
    items += [entry] if kind == "vxlan" else []
    machine.apply(add(third, *items))
    found = held(machine, third)
    machine.apply([Change("delete", right, Link("eth0", "veth"))])

    assert set(items) == found
    assert options == next(i.options for i in found if isinstance(i, Link))
    assert set() == held(machine, third)


def test_a_tunnel_may_be_a_port_of_a_bridge(machine: Machine, spaces: Spaces) -> None:
    """Several nodes may get the frames to MACs without an entry; one of them may go."""
    left, right = spaces("left", "right")
    build(machine, pair(left, right))
    before = held(machine, right)
    options: dict[str, int | str] = {"id": 7, "local": "198.18.0.2", "learning": 0, "dstport": 6784}
    first, *more = (
        ForwardingEntry("top0", mac, ip_address(to))
        for mac, to in ((EVERY_MAC, "198.18.0.8"), (EVERY_MAC, "198.18.0.9"), ("0a:58:00:00:00:08", "198.18.0.8"))
    )
    bridge = Link("br1", "bridge", mac="0a:58:00:00:00:07", mtu=1300, options=_BRIDGE)
    top = Link("top0", "vxlan", "0a:58:00:00:00:09", 1300, "br1", parent=(right, "eth0"), options=options)
    machine.apply(add(right, bridge, top, first, *more))
    machine.wait_until_ready([right])
    made = held(machine, right) - before
    machine.apply(add(right, first, *more))
    machine.apply([Change("delete", right, first)])

    assert {bridge, top, first, *more} == made
    assert {bridge, top, *more} == held(machine, right) - before


def test_a_setting_of_a_link_is_set_when_the_link_is_there(machine: Machine, spaces: Spaces) -> None:
    """One request may make both."""
    left, right = spaces("left", "right")
    wanted = pair(left, right)
    settings = [Sysctl("ipv4/conf/port1/proxy_arp", "1"), Sysctl("ipv4/neigh/port1/proxy_delay", "0")]
    build(machine, {left: [*settings, *wanted[left]], right: wanted[right]})

    assert {*settings} < held(machine, left, *(one.name for one in settings))


def test_every_refused_change_is_named(machine: Machine, spaces: Spaces) -> None:
    """By its namespace and by what it says."""
    (name,) = spaces("a")
    bad = InterfaceAddress("nothing0", ip_interface("203.0.113.1/24"))
    with pytest.raises((KernelError, KeyError)) as caught:
        machine.apply(add(name, bad))

    assert "nothing0" in str(caught.value)


# --- rules ----------------------------------------------------------------------------------------------------------

_RULES = """table inet netlab
delete table inet netlab
table inet netlab {
	map id4 {
		type ipv4_addr : mark
		elements = {
			10.244.0.3 comment "shop/api-0" : 0x00000001,
			10.244.0.4 comment "shop/db-0" : 0x00000002
		}
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ct mark set ip saddr map @id4
	}
}
"""


def test_a_ruleset_is_what_its_scripts_made_of_it(machine: Machine, spaces: Spaces) -> None:
    """Whole, changed by elements, and back; comments do not count."""
    (name,) = spaces("a")
    machine.nft(name, _RULES)
    whole = machine.holds(name, _RULES)
    machine.nft(name, "delete element inet netlab id4 {\n\t10.244.0.4\n}\n")
    less = machine.holds(name, _RULES)
    machine.nft(name, 'add element inet netlab id4 {\n\t10.244.0.4 comment "other" : 0x00000002\n}\n')
    again = machine.holds(name, _RULES)

    assert [True, False, True] == [whole, less, again]


def test_of_a_script_that_is_refused_nothing_is_in_force(machine: Machine, spaces: Spaces) -> None:
    """Its first lines neither."""
    (name,) = spaces("a")
    machine.check_rules()
    machine.nft(name, _RULES)
    with pytest.raises(KernelError):
        machine.nft(name, "delete table inet netlab\ndelete table inet nothing\n")

    assert machine.holds(name, _RULES)


def test_connections_to_a_front_are_forgotten(machine: Machine, spaces: Spaces) -> None:
    """Where there is none that is no error; a namespace that is gone is one."""
    (name,) = spaces("a")
    front = Frontend(ip_address("10.96.0.1"), "UDP", 53, frozenset({(ip_address("198.18.0.2"), 53)}))
    machine.delete_connections(name, [front])

    with pytest.raises(NotFound):
        machine.delete_connections(f"{name}-gone", [front])


# --- programs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a program, which is ended.

    The first process of a process namespace ends by SIGTERM only where it handles it; ``sleep`` does not.
    """
    monkeypatch.setattr(daemons, "_GRACE", 0.1)
    monkeypatch.setattr(processes, "_GRACE", 0.2)
    place = tmp_path / "programs" / "one"
    yield place
    machine.stop(place)


def test_a_program_runs_until_it_is_stopped(machine: Machine, spaces: Spaces, folder: Path) -> None:
    """It runs as it was described and not otherwise; a second start takes its place."""
    (name,) = spaces("a")
    one, two = Program(name, ("sleep", "60")), Program(name, ("sleep", "61"))
    before = machine.runs(one, folder), machine.send(folder, signal.SIGURG)
    machine.start(one, folder)
    first = machine.runs(one, folder), machine.runs(two, folder)
    machine.start(two, folder)
    second = machine.runs(one, folder), machine.runs(two, folder)
    sent = machine.send(folder, signal.SIGURG)
    machine.stop(folder)
    machine.stop(folder)
    after = machine.runs(two, folder), machine.send(folder, signal.SIGURG), machine.reload(folder)

    assert (False, False) == before
    assert ((True, False), (False, True)) == (first, second)
    assert sent
    assert (False, False, False) == after


def test_a_program_ends_by_a_signal(machine: Machine, spaces: Spaces, folder: Path) -> None:
    """A lab sees that it does not run."""
    (name,) = spaces("a")
    program = Program(name, ("sleep", "60"))
    machine.start(program, folder)
    machine.send(folder, signal.SIGKILL)

    assert eventually(lambda: not machine.runs(program, folder))


def test_namespaces_with_programs_are_told_and_these_get_a_signal(
    machine: Machine, spaces: Spaces, folder: Path
) -> None:
    """They are not waited for; a name that netlab made no namespace of has none."""
    one, two = spaces("a", "b")
    before = machine.occupied_by_programs([one, two, f"{one}-missing"])
    machine.start(Program(one, ("sleep", "60")), folder)
    after = machine.occupied_by_programs([one, two])
    none = machine.occupied_by_programs([two], signal.SIGKILL)

    assert (set(), {one}, set()) == (before, after, none)
    assert {one} == machine.occupied_by_programs([one], signal.SIGKILL)
    assert eventually(lambda: not machine.occupied_by_programs([one]))


def test_a_program_ends_with_its_namespace(machine: Machine, spaces: Spaces, folder: Path) -> None:
    """And is counted where the processes of the namespace are ended."""
    (name,) = spaces("a")
    program = Program(name, ("sleep", "60"))
    machine.start(program, folder)
    ended = machine.end([name])
    runs = machine.runs(program, folder)
    machine.start(program, folder)
    machine.remove([name])

    assert (1, False, False) == (ended, runs, machine.runs(program, folder))


def test_a_program_in_a_namespace_that_is_gone(machine: Machine, spaces: Spaces, folder: Path) -> None:
    """It is not started, and its name is in the error."""
    gone = Program("netlab.contract.nothing", ("true",))
    for call in (machine.start, machine.run):
        with pytest.raises(KernelError, match=r"netlab\.contract\.nothing"):
            call(gone, folder)

    assert not machine.runs(gone, folder)


def test_a_program_that_ends_by_itself(machine: Machine, spaces: Spaces, folder: Path) -> None:
    """Its status is returned."""
    (name,) = spaces("a")

    assert 0 == machine.run(Program(name, ("true",)), folder)[0]


def test_files_of_a_program(machine: Machine, folder: Path) -> None:
    """A file with the same content counts as no change."""
    wrote = [machine.write(folder, "conf", data) for data in (b"1", b"1", b"2")]
    secret = machine.write(folder, "key", b"3", secret=True)

    assert [True, False, True, True] == [*wrote, secret]
    assert (b"2", b"3") == ((folder / "conf").read_bytes(), (folder / "key").read_bytes())


def test_nginx_has_a_path_or_there_is_none(machine: Machine) -> None:
    """A host without it says how to get it."""
    try:
        found = machine.nginx()
    except HostError as error:
        found = "/install" if "install" in str(error) else "", ""

    assert found[0].startswith("/")
    assert found[1] in ("", "root root")


def test_a_captured_program_in_a_namespace_that_is_gone(machine: Machine) -> None:
    """The outcome says it, as only the new process sees it."""
    found = machine.capture("netlab.contract.nothing", ("true",), 5)

    assert "netlab.contract.nothing" in found.refused


# --- records and privilege ------------------------------------------------------------------------------------------


def test_a_lab_has_a_folder_and_a_lock(machine: Machine) -> None:
    """What is written there is read back, and counts as a lab until it is removed."""
    lab = f"contract-{os.getpid():x}-{next(_numbers)}"
    file = machine.store.folder(lab) / "record.json"
    lock = machine.store.lock(lab)
    taken = lock.acquire()
    machine.store.write(file, b"{}")
    found = machine.store.read(file, 10), machine.store.has(lab), lab in machine.store.labs()
    machine.store.remove(lab)
    lock.remove()

    assert taken
    assert (b"{}", True, True) == found
    assert not machine.store.has(lab)


def test_a_process_may_make_namespaces_from_when_it_entered(machine: Machine) -> None:
    """And the run of the kernel has an identity that stays."""
    assert machine.enter()
    machine.check()
    assert 36 == len(machine.boot_id())
    assert machine.boot_id() == machine.boot_id()
    with machine.uninterrupted():
        assert 0 == machine.end(["netlab.contract.nothing"])
