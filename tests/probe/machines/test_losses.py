"""How often a denial is measured where the network between machines may lose packets."""

from __future__ import annotations

import pytest
from builders import flow, pod, topology
from spread_probing import measure

from netlab.probe.machines import losses

NODES = topology(["n1", "n2"], mode="routed")
PODS = [pod("x/a", node="n1"), pod("x/b", node="n2")]
# Of the packets to the second node, all but controls are lost.
_ALL_PROBES = """
table inet t {
chain c {
type filter hook forward priority 0;
ip daddr 10.244.1.2 ip protocol != 253 drop
}
}
"""


def test_more_losses_need_more_attempts(monkeypatch):
    """At a thousandth two attempts are enough; where most packets are lost, many are needed."""
    found = losses.Losses(plan=None)  # type: ignore[arg-type]
    needed = []
    for found._rows, found.seen in ((0, 0), (10_000, 10), (10_000, 100), (10_000, 1000), (10_000, 10_000)):
        needed.append(found.needed)

    assert [2, 2, 2, 6, 20] == needed
    assert 3 * 20 == found.attempts


def test_a_denial_stays_one_in_every_attempt(lab):
    """Controls arrive and no probe does, as with a policy."""
    running = lab(NODES, *PODS, nft={"n1": _ALL_PROBES, "n2": "table inet t"})
    (found,) = measure(running.cluster, [flow(running.cluster, "x/a", "x/b", "80/TCP")])

    assert ("deny", "never arrived; a control packet sent after it did") == (found.verdict, found.reason)


def test_too_few_attempts_are_no_denial(lab, monkeypatch):
    """The reason says that the network loses packets."""
    monkeypatch.setattr(losses.Losses, "needed", 5)
    monkeypatch.setattr(losses.Losses, "attempts", 3)
    running = lab(NODES, *PODS, nft={"n1": _ALL_PROBES, "n2": "table inet t"})
    (found,) = measure(running.cluster, [flow(running.cluster, "x/a", "x/b", "80/TCP")])

    assert "inconclusive" == found.verdict
    assert "the network between machines loses packets, and 3 attempts are too few" in found.reason


@pytest.mark.parametrize(("rows", "seen", "asked"), [(10, 0, True), (5_000, 0, False), (5_000, 1, True)])
def test_denials_of_a_large_batch_are_measured_again_if_losses_were_seen(monkeypatch, rows, seen, asked):
    """Losses would have been seen among many rows, so that these cost one attempt where nothing is lost."""
    found = losses.Losses(plan=None)  # type: ignore[arg-type]
    found.seen = seen
    monkeypatch.setattr(losses, "may_be_loss", lambda probe: True)
    monkeypatch.setattr(losses.Losses, "_across", lambda self, probe: True)

    assert asked == bool(found.doubtful([None] * rows))  # type: ignore[list-item]
