"""The cases with a CNI: what it answers differently from the documentation, and which choice is why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from netlab import profiles
from netlab.conformance.run import CaseResult, Selection, judges, run, run_selection
from netlab.conformance.under_profile import UnderProfile

Call = Callable[..., Result]
PAPER = ("--judges", "evaluator,tracer")
BLOCK = "upstream/egress to a CIDR block"


def judged(name: str, *globs: str) -> list[CaseResult]:
    under = UnderProfile(profiles.named(name))
    return list(run_selection(Selection(globs, profile=under)))


@pytest.mark.parametrize(
    ("name", "part"),
    [("calico-vxlan", 0), ("cilium", 0), ("flannel", 1), ("kube-router", 1), ("weave", 2), ("docker", 2)],
)
def test_judges_agree_with_one_another_under_a_profile(name: str, part: int) -> None:
    """On a third of Kubernetes' own cases and of the edges; each case is asked under two profiles."""
    under = UnderProfile(profiles.named(name))
    cases = [*Selection(("upstream/*", "edge/*"), profile=under).cases()][part::3]
    with judges(("evaluator", "tracer"), under.mode, profile=under) as panel:
        assert [] == [str(wrong) for one in run(cases, panel, under) for wrong in one.disagreements]


def test_a_deviation_has_the_choice_that_makes_it() -> None:
    """With cilium, an ipBlock does not match pods."""
    (case,) = judged("cilium", BLOCK)

    assert case.passed
    assert {("allow", "deny", "ipBlockPods")} == {
        (one.documented, one.verdict, choice.name) for one in case.deviations for choice in one.causes
    }


def test_nothing_deviates_without_a_choice() -> None:
    """The profile ``kubernetes`` has the documented answers."""

    assert [] == [one for case in judged("kubernetes", "upstream/*", "edge/*") for one in case.deviations]


def test_the_deviations_are_listed_by_choice(netlab: Call) -> None:
    """With mark, source, counts and an example; the exit code is 0, as they are declared."""
    done = netlab("conformance", BLOCK, "--as", "cilium", *PAPER, "-o", "json")
    document = json.loads(done.stdout)
    (one,) = document["deviations"]

    assert (0, "cilium", 0) == (done.exit_code, document["profile"], document["summary"]["differ"])
    assert ("ipBlockPods", "ignore", "DOC", [BLOCK]) == (one["setting"], one["value"], one["mark"], one["cases"])
    assert ("allow", "deny") == (one["example"]["documented"], one["example"]["verdict"])


def test_a_profile_and_a_mode_are_refused_together(netlab: Call) -> None:
    """Both choose the wiring."""

    assert 2 == netlab("conformance", "--as", "cilium", "--mode", "routed").exit_code


def measured(netlab: Call, tmp_path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Export a case, fill in as measured what cilium does, and change some rows."""
    file = tmp_path / "table.json"
    netlab("conformance", BLOCK, "--export", file)
    table = json.loads(file.read_text())
    (case,) = judged("cilium", BLOCK)
    denied = {(one.stage, one.cell.source, one.cell.destination) for one in case.deviations}
    for item in table["cases"]:
        for row in item["rows"]:
            deviates = (item["stage"], row["source"], row["destination"]) in denied
            row["measured"] = "deny" if deviates else row["expected"]
            change(row)
    file.write_text(json.dumps(table))
    return file


def test_declared_deviations_pass_and_others_fail(netlab: Call, tmp_path: Path) -> None:
    """A measured verdict that neither the documentation nor the profile has is a difference."""
    as_declared = measured(netlab, tmp_path, lambda row: None)

    assert 1 == netlab("conformance", BLOCK, "--against", as_declared).exit_code
    assert 0 == netlab("conformance", BLOCK, "--against", as_declared, "--as", "cilium").exit_code

    def swap(row: dict[str, Any]) -> None:
        if (row["source"], row["destination"]) == ("y/a", "y/b"):
            row["measured"] = "deny"

    other = measured(netlab, tmp_path, swap)

    assert 1 == netlab("conformance", BLOCK, "--against", other, "--as", "cilium").exit_code


def test_declared_deviations_that_were_not_measured_are_counted(netlab: Call, tmp_path: Path) -> None:
    """The documented verdict is right too."""

    def documented(row: dict[str, Any]) -> None:
        row["measured"] = row["expected"]

    done = netlab(
        "conformance", BLOCK, "--against", measured(netlab, tmp_path, documented), "--as", "cilium", "-o", "json"
    )
    declared = json.loads(done.stdout)["declared"]

    assert (0, 0) == (done.exit_code, declared["cells"])
    assert 0 < declared["notMeasured"]


@pytest.mark.kernel
@pytest.mark.parametrize("name", ["cilium", "kube-router", "weave"])
def test_packets_agree_under_a_profile(netlab: Call, name: str) -> None:
    """On some cases, in a lab that is wired as the CNI does it."""
    done = netlab("conformance", "upstream/egress to*", "edge/6*", "--as", name)

    assert 0 == done.exit_code, done.stdout
