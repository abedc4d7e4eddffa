"""Labs on a kernel in memory, without root: tests build, change, undo, recover and remove them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from netlab.cluster.flows import every_pair
from netlab.errors import HostError, KernelError, UsageError
from netlab.kernel.state import Change, Link, Sysctl
from netlab.lab import removal
from netlab.lab.lab import Lab
from netlab.lab.record import Records
from netlab.lab.state import described
from netlab.objects import Objects, load
from netlab.objects.scenarios import LabelChange, ObjectRef
from netlab.testing import FakeKernel

REPOSITORY = Path(__file__).parents[2]
TOPOLOGIES = sorted((REPOSITORY / "topologies").glob("*.yaml"))
NAME = "in-memory"


class Broken(Exception):
    """Ends a step, as if the process had been killed."""


class Fragile(FakeKernel):
    """A kernel where one call fails: the first call of method ``fails`` after ``after`` calls that succeed."""

    def __init__(self) -> None:
        super().__init__()
        self.fails = ""
        self.after = 0
        self.error: Exception = KernelError("a step", 5, "broken on purpose")

    def _step(self, name: str) -> None:
        if name == self.fails:
            if not self.after:
                self.fails = ""
                raise self.error
            self.after -= 1

    def create(self, names: Sequence[str]) -> None:
        self._step("create")
        super().create(names)

    def remove(self, names: Sequence[str]) -> None:
        self._step("remove")
        super().remove(names)

    def apply(self, changes: Sequence[Change]) -> None:
        self._step("apply")
        super().apply(changes)

    def nft(self, name: str, script: str) -> None:
        self._step("nft")
        super().nft(name, script)

    def wait_until_ready(self, names: Sequence[str]) -> None:
        self._step("wait_until_ready")
        super().wait_until_ready(names)


@pytest.fixture
def machine() -> Iterator[Fragile]:
    """Return a machine that no other test uses."""
    found = Fragile()
    yield found
    Records(found).tidy()


def read(*files: str) -> Objects:
    """Return the objects of some files of the repository."""
    objects, _ = load([str(REPOSITORY / file) for file in files])
    return objects


def up(machine: FakeKernel, *files: str) -> Lab:
    return Lab.up(read(*files), name=NAME, machine=machine)


def wiring(machine: FakeKernel) -> dict[str, set[str]]:
    """Return all links, addresses, routes and neighbours; not sysctls, which stay when they are no longer wanted."""
    return {name: {str(i) for i in items if not isinstance(i, Sysctl)} for name, items in machine.spaces.items()}


def spaces(machine: FakeKernel) -> set[str]:
    return {name.rpartition(".")[2] for name in machine.spaces}


@pytest.mark.parametrize("topology", TOPOLOGIES, ids=lambda path: path.stem)
def test_every_topology_is_built_and_removed(machine: Fragile, topology: Path) -> None:
    """The lab has no drift; after ``down`` there is no namespace and no record."""
    lab = up(machine, f"topologies/{topology.name}", "examples/shop")
    drift, opened = lab.drift(), Lab.open(machine=machine).name
    lab.down()

    assert ([], NAME) == (drift, opened)
    assert {} == machine.spaces
    assert not machine.store.directory.exists()
    assert [] == Lab.names(machine)


def test_up_with_another_input_gives_the_same_as_a_fresh_up(machine: Fragile) -> None:
    """From each topology to the next, with other modes, nodes, networks and families."""
    lab, drifts = None, []
    for topology in TOPOLOGIES:
        lab = up(machine, f"topologies/{topology.name}", "examples/shop")
        drifts += lab.drift()
    fresh = FakeKernel()
    alone = up(fresh, f"topologies/{TOPOLOGIES[-1].name}", "examples/shop")

    assert [] == drifts
    assert wiring(fresh) == wiring(machine)
    alone.down()


def test_a_second_up_finds_nothing_to_do_and_repairs_what_was_damaged(machine: Fragile) -> None:
    """The damage is a deleted link and a deleted table."""
    up(machine, "examples/shop")
    nothing = up(machine, "examples/shop").changes
    pod, node = f"netlab.{NAME}.pod.shop.web-0", f"netlab.{NAME}.node.node-1"
    machine.apply([Change("delete", pod, Link("eth0", "veth"))])
    machine.nft(node, "delete table inet netlab\n")
    lab = up(machine, "examples/shop")

    assert not nothing
    assert {"unchanged"} == {verb for _, verb in nothing.objects}
    assert lab.changes.steps
    assert 1 == lab.changes.replaced
    assert [] == lab.drift()


def test_objects_are_applied_labelled_and_deleted(machine: Fragile) -> None:
    """Each change is complete when it returns, and the record has it, so another process reads the same."""
    lab = up(machine, "examples/shop")
    lab.apply(read("scenarios/manifests/three-pods.yaml").documents)
    grown = spaces(machine), lab.drift(), Lab.open(NAME, machine).cluster == lab.cluster
    changed = lab.label([LabelChange("pod", "shop/web-0", {"app": "other"})])
    relabelled = lab.find("shop/web-0").labels["app"], changed.elements > 0, lab.drift()  # type: ignore[union-attr]
    lab.delete([ObjectRef("NetworkPolicy", "web", "shop")])
    lab.delete([ObjectRef("Deployment", "web", "shop")])

    assert "stranger" in grown[0]
    assert ([], True) == grown[1:]
    assert ("other", True, []) == relabelled
    assert [] == lab.drift()
    assert "web-0" not in spaces(machine)


@pytest.mark.parametrize("step", ["create", "apply", "nft", "remove", "wait_until_ready"])
def test_a_change_that_fails_in_the_middle_is_undone(machine: Fragile, step: str) -> None:
    """The kernel refuses one step: namespaces and record are as before."""
    lab = up(machine, "examples/shop")
    before = {name: set(items) for name, items in machine.spaces.items()}
    documents = lab.documents
    machine.fails, machine.after = step, 1 if step == "apply" else 0
    other = read("scenarios/manifests/three-pods.yaml").documents
    gone = partial(lab.delete, [ObjectRef("Pod", "stranger", "other")])
    change = gone if step == "remove" else partial(lab.apply, other)
    with pytest.raises(KernelError, match="broken on purpose"):
        change()
    again = Lab.open(NAME, machine)

    assert before == machine.spaces
    assert documents == again.documents
    assert [] == again.drift()


@pytest.mark.parametrize("step", ["create", "apply", "nft", "remove", "wait_until_ready"])
def test_up_recovers_a_lab_after_an_interrupted_change(machine: Fragile, step: str) -> None:
    """The process ended in the middle and undid nothing: other commands refuse the lab, ``up`` repairs it."""
    up(machine, "topologies/two-nodes.yaml", "examples/shop", "scenarios/manifests/three-pods.yaml")
    machine.fails, machine.error = step, Broken()
    with pytest.raises(Broken):
        up(machine, "topologies/overlay.yaml", "examples/shop")
    with pytest.raises(UsageError, match="half-built or half-changed"):
        Lab.open(NAME, machine)
    lab = up(machine, "topologies/overlay.yaml", "examples/shop")
    fresh = FakeKernel()
    up(fresh, "topologies/overlay.yaml", "examples/shop")

    assert [] == lab.drift()
    assert set(fresh.spaces) == set(machine.spaces)


@pytest.mark.parametrize("step", ["create", "apply", "nft", "wait_until_ready"])
def test_a_failed_up_leaves_nothing(machine: Fragile, step: str) -> None:
    """Neither namespaces nor a record."""
    machine.fails = step
    with pytest.raises(KernelError, match="broken on purpose"):
        up(machine, "examples/shop")

    assert {} == machine.spaces
    assert [] == Lab.names(machine)


def test_down_removes_a_half_built_lab_and_a_lab_of_another_boot_does_not_exist(machine: Fragile) -> None:
    """``down`` uses the list of namespaces; after a reboot there are none."""
    up(machine, "examples/shop")
    machine.fails, machine.error = "wait_until_ready", Broken()
    with pytest.raises(Broken):
        up(machine, "topologies/overlay.yaml", "examples/shop")
    left = removal.remove(NAME, machine)
    gone = dict(machine.spaces)
    up(machine, "examples/shop")
    machine.spaces.clear()
    machine.boot = "11111111-1111-1111-1111-111111111111"

    assert ([], {}) == (left, gone)
    assert [] == Lab.names(machine)


def test_a_with_block_leaves_a_lab_running_and_removes_a_temporary_lab(machine: Fragile) -> None:
    """``with Lab.up`` leaves it running, ``with Lab.temporary`` does not."""
    with Lab.up(read("examples/shop"), name=NAME, machine=machine) as lab:
        built = lab.changes
        lab.label([LabelChange("pod", "shop/web-0", {"app": "other"})])
    runs = Lab.names(machine)
    with Lab.open(machine=machine) as opened:
        nothing = opened.changes
        opened.down()
    with Lab.temporary(read("examples/shop"), machine=machine) as other:
        beside = Lab.names(machine)

    assert built.steps
    assert (0, True) == (len(lab.changes.steps), lab.changes.elements > 0)
    assert not nothing
    assert ([NAME], [other.name], []) == (runs, beside, Lab.names(machine))
    assert {} == machine.spaces


def test_a_pod_is_located_by_its_own_name_without_reading_objects(
    machine: Fragile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has the pod's namespace. Other names, such as a workload's, need the objects."""
    up(machine, "examples/shop")
    calls: list[str] = []
    monkeypatch.setattr("netlab.lab.state.described", lambda record: calls.append(record.lab) or described(record))  # type: ignore[func-returns-value]
    lab = Lab.open(machine=machine)
    exact = lab.locate("web-1", "shop"), lab.locate("shop/web-1"), len(calls)
    others = [lab.locate(ref).namespace.rpartition(".")[2] for ref in ("shop/web", "node:node-1")]
    with pytest.raises(UsageError, match="no pod or workload 'shop/nothing'"):
        lab.locate("shop/nothing")

    place = ("shop/web-1", "web-1", f"netlab.{NAME}.pod.shop.web-1")
    assert (place, place, 0) == exact
    assert (["web-0", "node-1"], 1) == (others, len(calls))


@pytest.mark.parametrize("look", ["cluster", "documents", "locate", "names"])
def test_reading_a_lab_compiles_no_ruleset(machine: Fragile, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    """``get``, ``exec``, ``probe`` and ``down`` only read it."""
    up(machine, "examples/shop")
    monkeypatch.setattr("netlab.ruleset.Compiler.compile", lambda *_: pytest.fail("a ruleset was compiled"))
    lab = Lab.open(machine=machine)
    {
        "cluster": lambda: lab.cluster.pods,
        "documents": lambda: lab.documents,
        "locate": lambda: lab.locate("shop/web"),
        "names": lambda: Lab.names(machine),
    }[look]()
    lab.down()


def test_probes_and_programs_are_errors(machine: Fragile) -> None:
    """A kernel in memory sends no packets and runs no programs."""
    lab = up(machine, "examples/shop")

    with pytest.raises(UsageError, match="sends no packets and runs no programs"):
        lab.execute(lab.find("shop/web"), ["true"])
    with pytest.raises(HostError, match="sends no packets"):
        list(lab.probe(every_pair(lab.cluster)))
    with pytest.raises(HostError, match="sends no packets"), machine.inside(f"netlab.{NAME}.pod.shop.web-0"):
        pytest.fail("entered a namespace in memory")
