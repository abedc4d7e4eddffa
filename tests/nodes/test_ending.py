"""Pods that have to end: whose programs get how long."""

from __future__ import annotations

import signal
from typing import Any

from nodes.test_objects import complete, pod

from netlab.control_plane.nodes.ending import Ending
from netlab.control_plane.nodes.objects import Key
from netlab.control_plane.watch import Change

NOW = "2026-01-01T00:00:00Z"


def deleted(name: str, grace: int = 30, uid: str = "1") -> dict[str, Any]:
    """Return a pod that was deleted with a grace period."""
    return pod(name, metadata={"deletionTimestamp": NOW, "deletionGracePeriodSeconds": grace, "uid": uid})


class Machine:
    """A machine: which pods have programs, the signals that these got, and a clock."""

    def __init__(self, *busy: str) -> None:
        self.busy = {("shop", name) for name in busy}
        self.sent: list[tuple[Key, int]] = []
        self.now = 0.0
        # The pods whose containers end after hooks, by their uids, and whether they still do.
        self.hooks: dict[str, bool] = {}

    def end(self, uid: str, grace: float) -> bool:
        return self.hooks.get(uid, False)

    def ends(self, uid: str) -> bool:
        return self.hooks[uid]

    def programs(self, keys: list[Key], number: int) -> set[Key]:
        found = self.busy & {*keys}
        self.sent += [(key, number) for key in sorted(found) if number]
        return found

    def ending(self) -> Ending:
        return Ending(self.programs, self, lambda: self.now)


def test_a_pod_without_programs_ends_at_once():
    """It is a pause."""
    ending = Machine().ending()

    assert set() == ending.begin([deleted("a")])
    assert not ending


def test_programs_get_sigterm_once_and_the_pod_lingers_until_they_have_ended():
    """A second change of the pod sends nothing."""
    machine = Machine("a")
    ending = machine.ending()

    assert {("shop", "a")} == ending.begin([deleted("a"), deleted("b")])
    assert {("shop", "a")} == ending.begin([deleted("a")])
    assert [(("shop", "a"), signal.SIGTERM)] == machine.sent
    assert [] == ending.ended()
    machine.busy.clear()
    assert [("shop", "a")] == ending.ended()
    assert not ending


def test_the_time_is_over_after_the_grace_period():
    """The removal of the namespace kills what is left."""
    machine = Machine("a")
    ending = machine.ending()
    ending.begin([deleted("a", 5)])
    machine.now = 4.9
    assert [] == ending.ended()
    machine.now = 5.0

    assert [("shop", "a")] == ending.ended()


def test_a_pod_with_a_hook_lingers_until_its_containers_have_ended():
    """Its containers end by themselves; other programs, as those of kubectl exec, get SIGTERM after that."""
    machine = Machine("a")
    machine.hooks["1"] = True
    ending = machine.ending()
    assert {("shop", "a")} == ending.begin([deleted("a")])
    assert ([], []) == (ending.ended(), machine.sent)
    machine.hooks["1"] = False

    assert [] == ending.ended()
    assert [] == ending.ended()
    assert [(("shop", "a"), signal.SIGTERM)] == machine.sent
    machine.busy.clear()
    assert [("shop", "a")] == ending.ended()


def test_a_hook_that_uses_up_the_grace_period_leaves_two_seconds():
    """Then the pod goes, with all that is in it; a pod of pauses too."""
    machine = Machine()
    machine.hooks["1"] = True
    ending = machine.ending()
    ending.begin([deleted("a", 5)])
    machine.now = 6.9
    assert [] == ending.ended()
    machine.now = 7.0

    assert [("shop", "a")] == ending.ended()


def test_a_second_deletion_may_shorten_the_time_and_not_lengthen_it():
    """As with kubectl delete --grace-period."""
    machine = Machine("a")
    ending = machine.ending()
    ending.begin([deleted("a", 30)])
    ending.begin([deleted("a", 1)])
    ending.begin([deleted("a", 60)])
    machine.now = 1.0

    assert [("shop", "a")] == ending.ended()


def test_a_grace_period_of_zero_waits_for_nobody():
    """kubectl delete --force."""
    machine = Machine("a")

    assert set() == machine.ending().begin([deleted("a", 0)])
    assert [] == machine.sent


def test_another_pod_of_the_name_gets_a_time_of_its_own():
    """A StatefulSet makes it as soon as the first one is gone."""
    machine = Machine("a")
    ending = machine.ending()
    ending.begin([deleted("a", 5, "1")])
    machine.now = 4.0
    ending.begin([deleted("a", 5, "2")])
    machine.now = 6.0

    assert [] == ending.ended()


def test_a_pod_that_lingers_is_in_the_lab_and_terminating():
    """So it is a terminating endpoint, and its addresses work."""
    known = complete(pod("a"))
    known.take(Change("Pod", "set", (deleted("a"),)))
    assert [] == known.documents()
    known.linger(("shop", "a"), on=True)
    (document,) = known.documents()

    assert NOW == document.data["metadata"]["deletionTimestamp"]
    known.linger(("shop", "a"), on=False)
    assert [] == known.documents()


def test_a_pod_that_is_gone_lingers_no_more():
    """The next pod of the name is another one."""
    known = complete(pod("a"))
    known.take(Change("Pod", "set", (deleted("a"),)))
    known.linger(("shop", "a"), on=True)
    known.take(Change("Pod", "gone", (deleted("a"),)))
    known.take(Change("Pod", "set", (deleted("a", uid="2"),)))

    assert [] == known.documents()
