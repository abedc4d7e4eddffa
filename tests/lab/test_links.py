"""``Lab.impair`` and ``spec.links`` on a kernel in memory: what is changed, kept, repaired and refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from netlab.errors import HostError, InputError, UsageError
from netlab.kernel.state import Queue
from netlab.lab.lab import Lab
from netlab.objects import Objects, decode, load
from netlab.objects.scenarios import LabelChange
from netlab.testing import FakeKernel

REPOSITORY = Path(__file__).parents[2]
SHOP = load([str(REPOSITORY / "examples" / "shop"), str(REPOSITORY / "topologies" / "overlay.yaml")])[0]


class WithoutNetem(FakeKernel):
    """A kernel that has no netem."""

    def check_queues(self) -> None:
        raise HostError("no netem")


def queues(machine: FakeKernel) -> set[str]:
    return {str(item) for items in machine.spaces.values() for item in items if isinstance(item, Queue)}


@pytest.fixture
def machine() -> FakeKernel:
    return FakeKernel()


@pytest.fixture
def lab(machine: FakeKernel) -> Lab:
    return Lab.up(SHOP, name="links", machine=machine)


def pair(lab: Lab) -> list[str]:
    return [node.name for node in lab.cluster.nodes[:2]]


def test_impair_is_kept_by_the_record(lab: Lab, machine: FakeKernel) -> None:
    """Another command finds it, a change of labels leaves it, and nothing differs from the lab's state."""
    lab.impair(pair(lab), {"delay": "20ms"})
    assert 2 == len(queues(machine))
    opened = Lab.open("links", machine)
    assert ["delay 20ms"] == [str(link.netem) for link in opened.cluster.links]

    opened.label([LabelChange("namespace", "shop", {"a": "b"})])
    assert 2 == len(queues(machine))
    assert [] == opened.drift()


@pytest.mark.parametrize("values", [{"loss": "1%"}, {"delay": "1s", "jitter": "1ms"}])
def test_impair_replaces_what_was_done_to_the_link(lab: Lab, machine: FakeKernel, values: Mapping[str, str]) -> None:
    """The order of its ends does not count, nor how they are named."""
    lab.impair(pair(lab), {"delay": "20ms"})
    lab.impair([f"node:{name}" for name in reversed(pair(lab))], values)

    assert [dict(values)] == [link.netem.words() for link in lab.cluster.links]
    assert 2 == len(queues(machine))


def test_clear_ends_one_link_or_all(lab: Lab, machine: FakeKernel) -> None:
    """And a link that nothing is done to is an error."""
    lab.impair(pair(lab), {"delay": "20ms"})
    lab.impair(pair(lab), {})
    assert set() == queues(machine)
    with pytest.raises(UsageError, match="nothing is done to the link"):
        lab.impair(pair(lab), {})

    lab.impair(pair(lab), {"delay": "20ms"})
    lab.clear_links()
    assert set() == queues(machine)
    assert () == lab.cluster.links


def test_up_repairs_a_queue_and_brings_the_lab_to_its_input(lab: Lab, machine: FakeKernel) -> None:
    """Input without links ends what ``impair`` did, as it ends what ``label`` did."""
    lab.impair(pair(lab), {"delay": "20ms"})
    wanted = queues(machine)
    for items in machine.spaces.values():
        items -= {item for item in items if isinstance(item, Queue)}
    assert 2 == len(lab.drift())

    lab.apply([])
    Lab.up(load_again(lab), name="links", machine=machine)
    assert wanted == queues(machine)
    Lab.up(SHOP, name="links", machine=machine)
    assert set() == queues(machine)


def load_again(lab: Lab) -> Objects:
    """Return the lab's own objects as input."""
    return decode(list(lab.documents))[0]


@pytest.mark.parametrize("values", [{"delay": "20"}, {"loss": "1%", "speed": "1"}])
def test_wrong_values_change_nothing(lab: Lab, machine: FakeKernel, values: Mapping[str, str]) -> None:
    """They are those of a Topology, and so are the errors."""
    with pytest.raises(InputError):
        lab.impair(pair(lab), values)

    assert () == lab.cluster.links
    assert set() == queues(machine)


def test_an_unknown_machine_is_refused(lab: Lab) -> None:
    """With each that is unknown."""
    with pytest.raises(UsageError, match="'x' is no node, host or pod of the lab"):
        lab.impair(["x", pair(lab)[0]], {"delay": "1ms"})


def test_a_kernel_without_netem_builds_nothing() -> None:
    """Neither a lab with links, nor links of a lab without."""
    machine = WithoutNetem()
    lab = Lab.up(SHOP, name="links", machine=machine)
    before = {name: set(items) for name, items in machine.spaces.items()}
    with pytest.raises(HostError, match="no netem"):
        lab.impair(pair(lab), {"delay": "20ms"})
    assert before == machine.spaces
    assert () == Lab.open("links", machine).cluster.links
    lab.down()

    able = FakeKernel()
    other = Lab.up(SHOP, name="links", machine=able)
    other.impair(pair(other), {"delay": "20ms"})
    with pytest.raises(HostError, match="no netem"):
        Lab.up(load_again(other), name="links", machine=machine)
    assert {} == machine.spaces
    assert [] == Lab.names(machine)
