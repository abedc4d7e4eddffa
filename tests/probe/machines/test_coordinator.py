"""Steps of a coordinator: their order, their size, and what participants keep."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import cluster, pod, policy, topology
from spread_probing import measure

from netlab.cluster.flows import every_pair
from netlab.probe import neighbours
from netlab.probe.machines import coordinator, participant, plan
from netlab.probe.machines.channel import MemoryChannel
from netlab.probe.machines.steps import unpacked

NODES = topology(["n1", "n2", "n3"], mode="overlay")
PODS = [pod(f"x/p{number}", f"app=p{number}", node=f"n{1 + number % 3}") for number in range(9)]
DENY = policy("x/deny-p1", "app=p1", ingress=[])
RIGHT = Counter({"allow": 64, "deny": 8})


class Kept(MemoryChannel):
    """A channel that keeps what was posted."""

    def __init__(self) -> None:
        super().__init__(("one", "three", "two"))
        self.steps: list[bytes] = []

    def post(self, number, step, done):
        self.steps.append(step)
        super().post(number, step, done)

    def does(self) -> list[list[str]]:
        """Return what the actions of each step do."""
        return [[action["do"] for action in unpacked(step)[0]] for step in self.steps]


def _measured(running, **more):
    return Counter(m.verdict for m in measure(running.cluster, every_pair(running.cluster), **more))


@pytest.mark.parametrize("block", [1, 7, 100])
def test_many_blocks_are_under_way_at_the_same_time(lab, monkeypatch, block):
    """Blocks of any size give the same verdicts, and a step has parts of several."""
    monkeypatch.setattr("netlab.probe.engine.BLOCK", block)
    running, channel = lab(NODES, *PODS, DENY), Kept()

    assert RIGHT == _measured(running, channel=channel)
    places: dict[int, list[tuple[int, str]]] = {}
    for place, step in enumerate(channel.steps):
        for action in unpacked(step)[0]:
            if "number" in action and action["do"] != "forget":
                places.setdefault(action["number"], []).append((place, action["do"]))
    for of in places.values():
        assert ["prepare", "send", "collect"] == [do for _, do in of][:3]
        assert len({place for place, _ in of}) == len(of), "a barrier between any two"
    # Denials of a small batch are measured twice.
    assert (block == 100) == (len(places) == 2)
    if block != 100:
        assert any(len([do for do in step if do in ("prepare", "send", "collect")]) > 1 for step in channel.does())


def test_ends_are_numbered_before_anything_names_them(lab, monkeypatch):
    """In steps of their own where they are many, so that no step is too large for etcd."""
    monkeypatch.setattr(plan, "ENDS", 2)
    monkeypatch.setattr("netlab.probe.engine.BLOCK", 20)
    running, channel = lab(NODES, *PODS, DENY), Kept()

    assert RIGHT == _measured(running, channel=channel)
    assert ["ends"] in channel.does()


def test_a_step_has_no_more_than_fits(lab, monkeypatch):
    """Blocks wait for the next step."""
    monkeypatch.setattr(coordinator, "MOST", 1)
    monkeypatch.setattr("netlab.probe.engine.BLOCK", 5)
    running, channel = lab(NODES, *PODS, DENY), Kept()

    assert RIGHT == _measured(running, channel=channel)
    assert max(step.count("prepare") for step in channel.does()) == 1


def test_neighbours_of_long_runs_are_deleted_between_blocks(lab, monkeypatch):
    """No block is under way then, so no probe waits for a neighbour."""
    monkeypatch.setattr(neighbours, "KEEP", 3)
    monkeypatch.setattr("netlab.probe.engine.BLOCK", 9)
    running, channel = lab(NODES, *PODS, DENY), Kept()
    does = []

    assert RIGHT == _measured(running, channel=channel)
    does = channel.does()
    assert ["clear"] in does
    for place, step in enumerate(does):
        if step == ["clear"]:
            prepared = Counter(do for before in does[:place] for do in before)
            assert prepared["prepare"] == prepared["send"] <= prepared["collect"]


def test_participants_forget_batches(lab, monkeypatch):
    """A long run needs no more memory than a short one."""
    monkeypatch.setattr("netlab.probe.engine.BLOCK", 4)
    most = []
    right = participant.Participant._prepare

    def prepare(self, action, data):
        right(self, action, data)
        most.append(len(self._batches))

    monkeypatch.setattr(participant.Participant, "_prepare", prepare)
    running = lab(NODES, *PODS, DENY)

    assert RIGHT == _measured(running)
    assert len(most) >= 18
    assert max(most) <= 2 * coordinator._BLOCKS


def test_a_lab_of_another_machine_is_seen(lab):
    """Where machines do not have the same documents, an end is missing, and the machine takes no part."""
    running = lab(NODES, *PODS)
    other = cluster(NODES, *PODS[:-1])
    flows = [flow for flow in every_pair(running.cluster) if "x/p8" in (flow.source.ref, flow.target)][:1]
    channel = MemoryChannel(("one", "three", "two"))
    found = [*measure(running.cluster, flows, channel=channel, known=other)]

    assert ["inconclusive"] == [one.verdict for one in found]
    assert "takes no part" in found[0].reason
