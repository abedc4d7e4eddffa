"""A machine that is away makes verdicts that need it inconclusive, never deny; the run goes on with the others."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from builders import flow, pod, policy, topology
from spread_probing import measure

from netlab.cluster.flows import every_pair
from netlab.probe.machines import coordinator
from netlab.probe.machines.channel import MemoryChannel

NODES = topology(["n1", "n2", "n3"], mode="routed")
PODS = [pod(f"x/p{number}", f"app=p{number}", node=f"n{number}") for number in (1, 2, 3)]
DENY = policy("x/deny-p1", "app=p1", ingress=[])
DENIED = "never arrived; a control packet sent after it did"


class Lossy(MemoryChannel):
    """A channel that loses all answers of a machine after some."""

    def __init__(self, machine: str, kept: int) -> None:
        super().__init__(("one", "three", "two"))
        self.machine, self._kept = machine, kept
        self.lost = threading.Event()

    def answers(self, seconds: float) -> list[tuple[int, str, bytes]]:
        found = []
        for number, machine, answer in super().answers(seconds):
            if machine == self.machine and number >= self._kept:
                self.lost.set()
            else:
                found.append((number, machine, answer))
        return found


def test_a_machine_that_never_answers_is_away(lab):
    """Its flows name it; a denial between two others is measured."""
    running = lab(NODES, *PODS, DENY)
    found = {
        (m.flow.source.ref, m.flow.target): (m.verdict, m.reason)
        for m in measure(running.cluster, every_pair(running.cluster), absent=("two",))
    }

    away = ("inconclusive", "machine two is away")
    assert away == found["x/p1", "x/p2"] == found["x/p2", "x/p1"] == found["x/p3", "x/p2"] == found["x/p2", "x/p3"]
    assert ("allow", "arrived and answered: TCP RST") == found["x/p1", "x/p3"]
    assert ("deny", DENIED) == found["x/p3", "x/p1"]


@pytest.mark.parametrize("kept", range(1, 6))
@pytest.mark.parametrize("machine", ["one", "two"])
def test_a_machine_that_dies_at_any_step_denies_nothing(lab, monkeypatch, machine, kept):
    """What it did not report is not known. Verdicts that it had reported before stay."""
    running = lab(NODES, *PODS, DENY)
    whole = {
        (m.flow.source.ref, m.flow.target): (m.verdict, m.reason)
        for m in measure(running.cluster, every_pair(running.cluster))
    }
    monkeypatch.setattr(coordinator, "_BETWEEN", 0.05)
    channel = Lossy(machine, kept)
    monkeypatch.setattr("spread_probing.Coordinator", _dying(channel))
    found = {
        (m.flow.source.ref, m.flow.target): (m.verdict, m.reason)
        for m in measure(running.cluster, every_pair(running.cluster), channel=channel)
    }
    lost = {"one": "x/p1", "two": "x/p2"}[machine]

    for pair, (verdict, reason) in found.items():
        if lost in pair and channel.lost.is_set():
            assert (verdict, reason) in (whole[pair], ("inconclusive", f"machine {machine} is away")), pair
        else:
            assert whole[pair] == (verdict, reason), pair


def _dying(channel):
    class Dying(coordinator.Coordinator):
        def __init__(self, of, cluster, lab, placed, alive, *more):
            super().__init__(
                of, cluster, lab, placed, lambda name: not channel.lost.is_set() or name != channel.machine, *more
            )

    return Dying


def test_a_machine_that_fails_says_why(lab):
    """A namespace that is missing there is no reason to deny; the run goes on."""
    running = lab(NODES, *PODS)
    running.kernel.remove([running.namespace("x/p2")])
    found = [
        next(measure(running.cluster, [flow(running.cluster, source, target)]))
        for source, target in (("x/p1", "x/p2"), ("x/p1", "x/p3"))
    ]

    assert ["inconclusive", "allow"] == [one.verdict for one in found]
    assert found[0].reason.startswith("machine two takes no part: ")
    assert running.namespace("x/p2") in found[0].reason


def test_all_machines_away_is_no_error(lab):
    """Every verdict is inconclusive, also of a pod that has no address."""
    running = lab(topology(["n1", "n2"]), pod("x/a", node="n1"), pod("x/none", node="n2", network="none"))
    flows = [flow(running.cluster, "x/a", "x/none"), flow(running.cluster, "x/none", "x/a")]

    assert Counter(inconclusive=2) == Counter(
        m.verdict for m in measure(running.cluster, flows, absent=("one", "two", "three"))
    )
