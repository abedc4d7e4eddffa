"""A change that broke off at any step: what it left is found, repaired and removed, and nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from host_records import record
from sizes import HANGS

from netlab.cluster.flows import every_pair
from netlab.conformance.shorthand import document, pod
from netlab.errors import AlreadyExists, HostError, KernelError, UsageError
from netlab.kernel import host, netns, netns_maker, nft
from netlab.kernel.linux import Linux
from netlab.kernel.netns_maker import Maker
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.objects import Document, Objects, decode
from netlab.objects.scenarios import ObjectRef
from netlab.ruleset import Compiler

Up = Callable[..., Lab]


class Broken(Exception):
    """Stands for an interrupt of a change."""


def objects(documents: Sequence[Document]) -> Objects:
    found, problems = decode(documents)
    assert [] == [problem for problem in problems if problem.severity == "error"]
    return found


def pods(*numbers: int) -> list[Document]:
    return [pod(f"x/p{i}", "", f"10.244.0.{i + 10}") for i in numbers]


@pytest.fixture
def name(unique: Callable[[str], str]) -> Iterator[str]:
    """A name for a lab that is removed afterwards, should it be there."""
    own = unique("half")
    yield own
    if record.exists(own):
        removal.remove(own)
    for path in netns.DIRECTORY.glob(f"netlab.{own}.*"):
        netns.remove(path.name)
    record.tidy()


@pytest.fixture
def up(name: str) -> Iterator[Callable[..., Lab]]:
    """Bring the lab to some pods, on some nodes."""
    opened: list[Lab] = []

    def run(*numbers: int, nodes: Sequence[str] = ("node-1",)) -> Lab:
        topology = document("Topology", name, {"nodes": [{"name": node} for node in nodes]})
        lab = Lab.up(objects([topology, *pods(*numbers)]), name=name)
        opened.append(lab)
        return lab

    yield run
    for lab in opened:
        lab.close()


def break_at(monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    def broken(*_: object) -> None:
        raise Broken

    monkeypatch.setattr(Linux, step, broken)


def pinned(name: str) -> set[str]:
    """The pods of a lab with an entry in the directory of namespaces."""
    return {path.name.rpartition(".")[2] for path in netns.DIRECTORY.glob(f"netlab.{name}.*")}


MACHINES = {"node-1", "underlay"}
STEPS = ["create", "apply", "nft", "remove", "wait_until_ready"]


@pytest.mark.parametrize("step", STEPS)
def test_up_and_down_find_what_a_broken_shrinking_left(
    name: str, up: Up, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The new record no longer names the old pods; they are removed too."""
    up(*range(6))
    break_at(monkeypatch, step)
    with pytest.raises(Broken):
        up(0, 7) if step == "create" else up(0)
    monkeypatch.undo()
    lab = up(0)
    left = pinned(name)
    lab.down()

    assert {*MACHINES, "p0"} == left
    assert set() == pinned(name)


def test_up_removes_what_any_of_several_broken_changes_left(name: str, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each began where the one before it broke off; nothing of them is left in the nodes either."""
    up(0, 1, 2)
    for numbers, step in (((0, 3, 4), "wait_until_ready"), ((0, 5), "create"), ((0, 6), "apply"), ((0, 5), "create")):
        break_at(monkeypatch, step)
        with pytest.raises(Broken):
            up(*numbers)
        monkeypatch.undo()
    lab = up(0)
    kernel = Linux()
    found = kernel.read(f"netlab.{name}.node.node-1")
    kernel.close()
    text = "\n".join(str(item) for item in found.items)

    assert {*MACHINES, "p0"} == pinned(name)
    assert "10.244.0.10 " in text
    assert [] == [i for i in range(1, 7) if f"10.244.0.{i + 10} " in text]
    assert [] == lab.drift()
    assert {"record.json", "namespaces"} == {file.name for file in record.path(name).parent.iterdir()}


def test_a_change_that_waited_for_one_that_broke_off_is_refused(
    name: str, up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would trust the record, which no longer holds; only ``up`` reads the namespaces."""
    lab = up(0, 1)
    break_at(monkeypatch, "remove")
    with pytest.raises(Broken):
        up(0)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="half-changed"):
        lab.apply(pods(2))
    up(0)

    assert {*MACHINES, "p0"} == pinned(name)


def test_a_node_that_a_broken_change_dropped_comes_back(name: str, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its namespace still exists, with rules that no record has."""
    up(0, nodes=("node-1", "node-2"))
    break_at(monkeypatch, "remove")
    with pytest.raises(Broken):
        up(0)
    monkeypatch.undo()
    lab = up(0, nodes=("node-1", "node-2"))

    assert [] == lab.drift()


@pytest.mark.parametrize("mode", ["bridge", "routed", "macvlan"])
def test_a_pod_stays_whole_that_a_broken_change_would_have_moved(
    name: str, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """The new node exists already, and is removed; the pod's link never led to it."""
    network = {"name": "default", "mode": mode, "podCIDRs": ["10.244.0.0/16"]}

    def up(*nodes: str, at: str) -> Lab:
        spec = {"networks": [network], "nodes": [{"name": node} for node in nodes]}
        member = document("Pod", "x/p", {"nodeName": at, "containers": []})
        return Lab.up(objects([document("Topology", name, spec), member]), name=name)

    up("a", at="a").close()
    break_at(monkeypatch, "apply")
    with pytest.raises(Broken):
        up("a", "b", at="b")
    monkeypatch.undo()
    lab = up("a", at="a")

    assert [] == lab.drift()
    lab.close()


def test_a_macvlan_pod_moves_after_a_move_that_broke_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel does not say whose link is below it, so it is made again where two states differ."""
    network = {"name": "default", "mode": "macvlan", "podCIDRs": ["10.244.0.0/16"]}
    topology = document("Topology", name, {"networks": [network], "nodes": [{"name": "a"}, {"name": "b"}]})

    def up(here: str, there: str) -> Lab:
        # The pod's address, and with it its MAC, stays.
        ranges = {here: "10.244.0.0/24", there: "10.244.1.0/24"}
        nodes = [document("Node", node, {"podCIDR": ranges[node]}) for node in ranges]
        return Lab.up(
            objects([topology, *nodes, document("Pod", "x/p", {"nodeName": here, "containers": []})]), name=name
        )

    up("a", "b").close()
    break_at(monkeypatch, "apply")
    with pytest.raises(Broken):
        up("b", "a")
    monkeypatch.undo()
    lab = up("b", "a")
    found = {(m.flow.source.ref, m.flow.target): m.verdict for m in lab.probe(every_pair(lab.cluster, nodes=True))}

    assert ("allow", "deny") == (found["x/p", "node:a"], found["x/p", "node:b"])
    lab.close()


def test_a_deleted_macvlan_pod_whose_namespace_is_in_use_keeps_its_mac_and_the_error_says_what_to_do(name: str) -> None:
    """A probe that waits for the reader of its output has sockets there; the change that fails is undone."""
    network = {"name": "default", "mode": "macvlan", "podCIDRs": ["10.244.0.0/16"]}
    topology = document("Topology", name, {"networks": [network], "nodes": [{"name": "node-1"}]})
    # Both get the first free address, and with it the same MAC.
    old, new = (document("Pod", f"x/{one}", {"containers": []}) for one in ("old", "new"))
    lab = Lab.up(objects([topology, old]), name=name)
    with netns.inside(f"netlab.{name}.pod.x.old"):
        held = socket.socket()
    lab.delete([ObjectRef("Pod", "old", "x")])

    with held, pytest.raises(KernelError, match=r"Address already in use; another program, .* end it and try again"):
        lab.apply([new])
    assert ([], []) == ([*lab.cluster.pods], lab.drift())

    deadline = time.monotonic() + HANGS
    while not lab.cluster.pods:
        # The kernel removes the namespace a moment after its last socket.
        try:
            lab.apply([new])
        except KernelError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert (["x/new"], []) == ([one.ref for one in lab.cluster.pods], lab.drift())
    lab.close()


@pytest.mark.parametrize("wanted", [(0, 1), (0,)], ids=["wanted", "not wanted"])
def test_an_empty_file_that_a_kill_left_is_cleared_away(
    name: str, up: Up, monkeypatch: pytest.MonkeyPatch, wanted: Sequence[int]
) -> None:
    """Between the making of a namespace's file and its mount; whether its pod is still wanted or not."""
    up(0)
    break_at(monkeypatch, "create")
    with pytest.raises(Broken):
        up(0, 1)
    monkeypatch.undo()
    netns.claim(f"netlab.{name}.pod.x.p1", 1)
    netns.path(f"netlab.{name}.pod.x.p1").touch()
    lab = up(*wanted)

    assert {*MACHINES, *(f"p{i}" for i in wanted)} == pinned(name)
    assert [] == lab.drift()
    lab.apply(pods(0, 1))
    assert [] == lab.drift()


def test_a_foreign_file_under_a_namespaces_name_stays_and_is_an_error(name: str, up: Up) -> None:
    """Nothing is built or changed, and the file is not touched."""
    record.prepare()
    foreign = netns.path(f"netlab.{name}.pod.x.p1")
    foreign.write_text("")
    try:
        with pytest.raises(AlreadyExists, match=r"pod\.x\.p1: File exists"):
            up(0, 1)
        built = record.exists(name)
        lab = up(0)
        with pytest.raises(AlreadyExists, match=r"pod\.x\.p1: File exists"):
            lab.apply(pods(1))
        with pytest.raises(AlreadyExists, match=r"pod\.x\.p1: File exists"):
            up(0, 1)
        kept = record.load(name)
        drift = lab.drift()
        lab.down()

        assert not built
        assert kept is not None
        assert (True, []) == (kept.ready, drift)
        assert {"p1"} == pinned(name)
    finally:
        foreign.unlink(missing_ok=True)
        record.tidy()


@pytest.mark.parametrize("step", ["create", "wait_until_ready"])
def test_a_build_that_fails_leaves_no_file(name: str, up: Up, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Neither its record nor its lock, which no command would remove while other labs run."""
    break_at(monkeypatch, step)
    with pytest.raises(Broken):
        up(0)

    assert [] == list(record.directory.glob(f"{name}*"))


def test_a_change_of_a_lab_that_is_gone_leaves_no_file(name: str, up: Up) -> None:
    """A value of the removed lab raises that it is gone."""
    lab = up(0)
    removal.remove(name)
    with pytest.raises(UsageError, match="is gone"):
        lab.apply(pods(1))

    assert [] == list(record.directory.glob(f"{name}*"))


@pytest.fixture
def without_nft(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Hide the nft program from now on."""

    def hide() -> None:
        monkeypatch.setattr(nft, "_SEARCH", str(tmp_path))
        nft.program.cache_clear()

    yield hide
    nft.program.cache_clear()


def test_without_nft_nothing_is_touched(name: str, up: Up, without_nft: Callable[[], None]) -> None:
    """A change could be neither made nor undone, so the lab stays as it is, ready."""
    lab = up(0)
    before = record.load(name), pinned(name)
    without_nft()
    with pytest.raises(HostError, match="no nft program"):
        lab.apply(pods(1))
    with pytest.raises(HostError, match="no nft program"):
        lab.delete([ObjectRef("Pod", "p0", "x")])

    assert before == (record.load(name), pinned(name))


def test_without_nft_nothing_is_built(name: str, up: Up, without_nft: Callable[[], None]) -> None:
    """No namespace is made."""
    without_nft()
    with pytest.MonkeyPatch.context() as patch:
        break_at(patch, "create")
        with pytest.raises(HostError, match="no nft program"):
            up(0)

    assert [] == list(record.directory.glob(f"{name}*"))


def test_the_reason_of_a_failed_change_is_raised_even_if_it_cannot_be_undone(
    name: str, up: Up, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the undoing do not replace it; ``up`` repairs the lab."""
    lab = up(0)

    def no_descriptor(*_: object, **__: object) -> None:
        raise OSError(24, "Too many open files")

    break_at(monkeypatch, "wait_until_ready")
    monkeypatch.setattr(Linux, "read", no_descriptor)
    with pytest.raises(Broken):
        lab.apply(pods(1))
    monkeypatch.undo()

    assert [] == up(0, 1).drift()


@pytest.mark.parametrize("step", ["compile", "apply", "create"])
@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, KernelError.of("unshare", 28)], ids=str)
def test_a_lab_that_breaks_off_while_its_namespaces_are_made_leaves_nothing(
    name: str, up: Up, monkeypatch: pytest.MonkeyPatch, step: str, error: type[BaseException] | BaseException
) -> None:
    """The process that makes them ends first, and the error is raised as it came."""
    begun = []

    class Seen(Maker):
        def start(self) -> None:
            super().start()
            begun.append(self)

    def broken(*_: object, **__: object) -> None:
        assert begun
        raise error

    monkeypatch.setattr(host, "MANY", 1)
    monkeypatch.setattr(netns_maker, "Maker", Seen)
    monkeypatch.setattr(Compiler if step == "compile" else Linux, step, broken)
    with pytest.raises(error if isinstance(error, type) else type(error)) as raised:
        up(*range(20), nodes=("node-1", "node-2"))

    assert not isinstance(error, KernelError) or raised.value is error
    assert set() == pinned(name)
    assert not record.exists(name)
    assert not begun[0].made(f"netlab.{name}.node-2")


def test_a_lab_whose_namespaces_a_process_makes_is_the_same(name: str, up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as its state says, and ``up`` has nothing to repair."""
    monkeypatch.setattr(host, "MANY", 1)
    lab = up(*range(20), nodes=("node-1", "node-2"))

    assert [] == lab.drift()
    assert () == up(*range(20), nodes=("node-1", "node-2")).changes.steps
    assert 20 + 3 == len(pinned(name))
