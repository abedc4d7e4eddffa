"""A wrong participant or coordinator is found: each fault makes the verdict of its case wrong."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from builders import flow, pod, policy, topology
from spread_probing import measure

from netlab.probe.machines import batch, collected, losses, participant, steps

NODES = topology(["n1", "n2"], mode="routed")
PODS = [pod("x/a", node="n1"), pod("x/b", "app=b", node="n2"), pod("x/c", node="n2")]
DENY = (policy("x/deny-b", "app=b", ingress=[]),)
LOST = "table inet t {\nchain c {\ntype filter hook forward priority 0;\ndrop\n}\n}\n"
# The probe is redirected; the control is not, as no ruleset of netlab translates it.
REDIRECTED = """
table ip t {
chain raw {
type filter hook prerouting priority -300;
meta l4proto 253 notrack
}
chain c {
type nat hook prerouting priority -100;
ip daddr 10.244.1.2 dnat to 10.244.1.3
}
}
"""
# Of two packets to the second node, the first is lost.
LOSING = """
table inet t {
chain c {
type filter hook forward priority 0;
ip daddr 10.244.1.2 ip protocol != 253 numgen inc mod 2 0 drop
}
}
"""


def _no_control(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(participant.Participant, "_follow", lambda self, of, rows: None)


def _a_control_needs_no_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    right = collected.Collected.__init__

    def arrived(self: collected.Collected, rows: int, parts: Any) -> None:
        right(self, rows, parts)
        self.into = bytes(bits | steps.CONTROL for bits in self.into)

    monkeypatch.setattr(collected.Collected, "__init__", arrived)


def _an_arrival_counts_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def stray(self: batch.Batch, row: int, namespace: str) -> None:
        self.into[row] |= steps.ARRIVED

    monkeypatch.setattr(batch.Batch, "stray", stray)


def _only_one_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    right = collected.Collected.__init__
    monkeypatch.setattr(
        collected.Collected,
        "__init__",
        lambda self, rows, parts: right(self, rows, {name: parts[name] for name in sorted(parts)[:1]}),
    )


def _rows_are_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    def shifted(self: collected.Collected) -> list[Any]:
        return [self.verdict((row + 1) % len(self.into)) for row in range(len(self.into))]

    monkeypatch.setattr(collected.Collected, "verdicts", shifted)


def _ends_are_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    right = steps.Columns.fill

    def swapped(self: steps.Columns, rows: Any) -> None:
        right(self, rows)
        self.source, self.destination = self.destination, array("I", self.source)
        self.to = self.destination

    monkeypatch.setattr(steps.Columns, "fill", swapped)


@pytest.mark.parametrize(
    ("fault", "policies", "nft", "right"),
    [
        (_no_control, DENY, None, "deny"),
        (_a_control_needs_no_arrival, (), LOST, "inconclusive"),
        (_an_arrival_counts_anywhere, (), REDIRECTED, "deny"),
        (_only_one_machine_counts, (), None, "allow"),
        (_rows_are_shifted, DENY, None, "deny"),
        (_ends_are_swapped, DENY, None, "deny"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_part_is_found(lab, monkeypatch, fault, policies, nft, right):
    """The verdict of the case is right, and with the fault it is another."""
    running = lab(NODES, *PODS, *policies, nft=None if nft is None else {"n1": nft, "n2": nft})
    flows = [flow(running.cluster, "x/a", other) for other in ("x/b", "x/c")]
    before, _ = measure(running.cluster, flows)
    fault(monkeypatch)
    after, _ = measure(running.cluster, flows)

    assert right == before.verdict, before
    assert right != after.verdict, after


@pytest.mark.parametrize("service", ["80/TCP", "53/UDP", "ICMP"])
def test_a_probe_that_is_lost_between_machines_is_sent_again(lab, monkeypatch, service):
    """Its control arrives, so that one loss alone would be a denial."""
    running = lab(NODES, *PODS, nft={"n1": LOSING, "n2": "table inet t"})
    asked = flow(running.cluster, "x/a", "x/b", service)
    (found,) = measure(running.cluster, [asked])
    right, sent = participant.Participant._send_rows, set[tuple[int, int]]()

    def once(self, of, rows):
        new = [row for row in rows if (of.number, row) not in sent]
        sent.update((of.number, row) for row in new)
        right(self, of, new)

    monkeypatch.setattr(participant.Participant, "_send_rows", once)
    (twice,) = measure(running.cluster, [asked])
    monkeypatch.setattr(losses.Losses, "doubtful", lambda self, probes: [])
    (without,) = measure(running.cluster, [asked])

    assert "allow" == found.verdict, found.reason
    assert "allow" == twice.verdict, "a second attempt finds it too"
    assert "deny" == without.verdict, without.reason
