"""The table from evidence to verdict: a missing packet counts only where no packet can have been lost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from builders import cluster, flow, pod

from netlab.probe.verdicts import Evidence, Measurement, verdict
from netlab.verdicts import Measured

FLOW = flow(cluster(pod("x/a"), pod("x/b")), "x/a", "x/b")
CASES = [
    ("answered", Evidence(arrived=True, answered="TCP RST"), "allow", "arrived and answered: TCP RST"),
    (
        "answered amid trouble",
        Evidence(arrived=True, answered="TCP RST", trouble="overflow"),
        "allow",
        "arrived and answered: TCP RST",
    ),
    (
        "only the control",
        Evidence(control=True),
        "deny",
        "never arrived; a control packet sent after it did",
    ),
    ("only the control, amid trouble", Evidence(control=True, trouble="overflow"), "inconclusive", "overflow"),
    ("refused", Evidence(refused="no route from source"), "deny", "not sent: no route from source"),
    ("answered by a router", Evidence(answered="TCP RST", control=True), "deny", "rejected on the way: TCP RST"),
    (
        "answered by a router, control lost",
        Evidence(answered="TCP RST"),
        "inconclusive",
        "control lost: neither the probe nor a control packet sent after it arrived, only TCP RST",
    ),
    ("answered, arrival lost", Evidence(answered="TCP RST", trouble="overflow"), "inconclusive", "overflow"),
    ("rejected", Evidence(rejected="ICMP x", control=True), "deny", "rejected on the way: ICMP x"),
    (
        "unreachable like its control",
        Evidence(rejected="ICMP host unreachable"),
        "inconclusive",
        "control lost: neither the probe nor a control packet sent after it arrived, only ICMP host unreachable",
    ),
    ("no way between live ends", Evidence(no_path="apart", ends_alive=True), "deny", "no path: apart"),
    (
        "no way, an end dead",
        Evidence(no_path="apart"),
        "inconclusive",
        "nothing arrived; no path is wired, but its ends did not prove alive: apart",
    ),
    (
        "a way where none is wired",
        Evidence(arrived=True, answered="x", no_path="apart"),
        "allow",
        "arrived and answered: x",
    ),
    ("arrived, no answer", Evidence(arrived=True), "inconclusive", "arrived, but no answer came back"),
    (
        "arrived, another answer",
        Evidence(arrived=True, rejected="ICMP x"),
        "inconclusive",
        "arrived, but no answer came back, only ICMP x",
    ),
    (
        "arrived, answered from another address",
        Evidence(arrived=True, wrong_sender="TCP RST from x", control=True),
        "deny",
        "arrived, but the answer came from another address: TCP RST from x",
    ),
    (
        "nothing",
        Evidence(),
        "inconclusive",
        "control lost: neither the probe nor a control packet sent after it arrived",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("evidence", "expected", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_the_table(evidence, expected, reason):
    """Each row of the table, with its words."""
    assert (expected, reason) == verdict(evidence)


EVERYTHING = [
    Evidence(
        refused, arrived, answered, rejected, elsewhere, control, no_path, alive, trouble=trouble, wrong_sender=wrong
    )
    for refused, arrived, answered, rejected, elsewhere, control, no_path, alive, trouble, wrong in product(
        *(("", "r"), (False, True), ("", "a"), ("", "e"), ("", "x/b")),
        *((False, True), ("", "p"), (False, True), ("", "t"), ("", "w")),
    )
]


def test_nothing_is_denied_where_something_may_be_lost():
    """For all possible evidence: trouble turns a denial into inconclusive."""
    denied = [e for e in EVERYTHING if e.trouble and verdict(e)[0] == "deny"]

    assert all(e.refused for e in denied)


def test_a_denial_has_a_control_that_arrived_or_is_of_a_class_of_its_own():
    """A packet that could not be sent, and no path between two ends that carry traffic."""
    for seen in EVERYTHING:
        found, reason = verdict(seen)
        measured = Measurement(FLOW, found, reason)
        if found == "deny" and not measured.without_control:
            assert seen.control
        elif found == "deny":
            assert seen.refused or (seen.no_path and seen.ends_alive and not seen.control)
        else:
            assert not measured.without_control


def test_the_plan_of_the_wiring_decides_nothing_about_packets_that_arrive():
    """The verdict on a probe or control that arrived does not depend on it."""
    for seen in EVERYTHING:
        if seen.arrived or seen.control or seen.trouble:
            unplanned = replace(seen, no_path="", ends_alive=False)

            assert verdict(unplanned) == verdict(seen)


def test_nothing_that_arrived_is_denied_but_what_is_answered_from_another_address():
    """An arrival excludes every other denial."""
    assert all(e.wrong_sender for e in EVERYTHING if e.arrived and not e.refused and verdict(e)[0] == "deny")


def test_only_an_arrival_with_its_answer_is_allowed():
    """Neither of the two suffices by itself."""
    assert all(e.arrived and e.answered for e in EVERYTHING if verdict(e)[0] == "allow")


def test_every_verdict_has_a_reason():
    """A report always says why."""
    assert all(verdict(e)[1] for e in EVERYTHING)


Answer = tuple[Measured, str]

# What a table of verdicts gets wrong, or could, and the row that finds it.
FAULTS: dict[str, tuple[Callable[[Evidence], Answer], str]] = {
    "an arrival suffices": (
        lambda seen: ("allow", "arrived") if seen.arrived else verdict(seen),
        "arrived, no answer",
    ),
    "an answer suffices": (
        lambda seen: ("allow", "answered") if seen.answered else verdict(seen),
        "answered by a router",
    ),
    "what is missing is denied": (
        lambda seen: verdict(seen) if seen.arrived else ("deny", "never arrived"),
        "nothing",
    ),
    "what may have been lost is not asked": (
        lambda seen: verdict(replace(seen, trouble="")),
        "only the control, amid trouble",
    ),
    "what may have been lost is asked first": (
        lambda seen: ("inconclusive", seen.trouble) if seen.trouble else verdict(seen),
        "answered amid trouble",
    ),
    "a rejection needs no control": (
        lambda seen: ("deny", seen.rejected) if seen.rejected else verdict(seen),
        "unreachable like its control",
    ),
    "the paths are believed": (
        lambda seen: ("deny", seen.no_path) if seen.no_path else verdict(seen),
        "a way where none is wired",
    ),
    "ends need not be alive": (lambda seen: verdict(replace(seen, ends_alive=True)), "no way, an end dead"),
    "a control is not needed": (lambda seen: verdict(replace(seen, control=True)), "nothing"),
    "a control proves nothing": (lambda seen: verdict(replace(seen, control=False)), "only the control"),
    "an answer from anywhere counts": (
        lambda seen: verdict(replace(seen, answered=seen.answered or seen.wrong_sender)),
        "arrived, answered from another address",
    ),
    "a refusal is not looked at": (lambda seen: verdict(replace(seen, refused="")), "refused"),
}


@pytest.mark.parametrize(("fault", "finds"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_table_is_found(fault: Callable[[Evidence], Answer], finds: str) -> None:
    """The row that is named has another verdict."""
    assert finds in {name for name, evidence, expected, _ in CASES if fault(evidence)[0] != expected}
