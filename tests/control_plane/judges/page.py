"""docs/conformance.md: what each judge says of netlab, from the results that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from control_plane.judges import verdicts
from control_plane.judges.verdicts import CANNOT, FAILED, PASSED, Reason

PAGE = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"
JUDGES = {
    "e2e": "The end-to-end suite of Kubernetes 1.37.2 (`e2e.test`), all specs of sig-network",
    "cyclonus": "cyclonus 0.5.6, all 230 cases",
    "cluster-policies": "The conformance suite of cluster-wide policies (`sigs.k8s.io/network-policy-api` 0.3.0)",
}
_HEAD = """\
# What unmodified judges say

Three programs that others wrote judge netlab, unmodified, through the API server of `netlab control-plane up`. The
cluster is an overlay of three nodes in three zones, with both IP families. Each case that does not pass has a reason. A
reason that no longer applies is an error.

The process of `e2e.test` runs on a machine of the lab that is outside of the cluster. A few of its specs run in a
second cluster: six nodes in three zones, IPv4 only, with routes in place of an overlay.

- The specs of Traffic Distribution need two nodes in each zone.
- The spec of HealthCheckNodePort, in which externalTrafficPolicy changes, needs addresses of nodes in packets between
  nodes. An overlay replaces these addresses, as Flannel does.
- The spec "should only target nodes with endpoints" asks all addresses of nodes for the health of a Service of one IP
  family. A kube-proxy of two families answers at the addresses of that family only.

`make judges JUDGE=e2e`, `JUDGE=cyclonus` or `JUDGE=cluster-policies` builds and runs one of them, as root, and writes
this page. The first two take an hour or more. `JUDGE_ARGS='--focus Netpol --write'` runs a part of the cases and keeps
the results of the others. A plus sign after a commit means that files were changed since that commit.

The servers of cyclonus answer to TCP and UDP, in its cases of SCTP to SCTP too. A probe waits for a second.
"""


def text() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_summary(), *(line for judge in JUDGES for line in _section(judge))]).rstrip() + "\n"


def _summary() -> Iterator[str]:
    yield "| judge | cases | pass | fail | cannot run |"
    yield "|---|---|---|---|---|"
    for judge, title in JUDGES.items():
        outcomes, why = verdicts.kept(judge), verdicts.reasons(judge)
        if not outcomes:
            yield f"| {title} | not run yet | | | |"
            continue
        ends = [_end(case, outcome, why) for case, outcome in outcomes.items()]
        yield f"| {title} | {len(ends)} | {ends.count(PASSED)} | {ends.count(FAILED)} | {ends.count(CANNOT)} |"
    yield ""


def _section(judge: str) -> Iterator[str]:
    outcomes, why = verdicts.kept(judge), verdicts.reasons(judge)
    if not outcomes:
        return
    yield f"## {JUDGES[judge]}"
    yield ""
    counts = [f"{len(run.cases)} cases of commit `{run.commit}` on {run.date}" for run in verdicts.runs(judge)]
    yield f"Ran: {', '.join(counts)}."
    yield ""
    for title, end in (("What fails", FAILED), ("What cannot run", CANNOT)):
        if rows := list(_explained(outcomes, why, end)):
            yield f"### {title}"
            yield ""
            yield "| case | reason |"
            yield "|---|---|"
            yield from rows
            yield ""
    passing = [case for case, outcome in outcomes.items() if outcome == PASSED]
    yield "### What passes"
    yield ""
    yield from (f"- {_cell(case)}" for case in passing)
    yield ""


def _explained(outcomes: Mapping[str, str], why: list[Reason], end: str) -> Iterator[str]:
    for case, outcome in outcomes.items():
        if _end(case, outcome, why) == end:
            reason = next((one.why for one in why if one.explains(case)), "not known yet")
            yield f"| {_cell(case)} | {_cell(reason)} |"


def _end(case: str, outcome: str, why: list[Reason]) -> str:
    """Return "passes", "fails" or "cannot run"."""
    if outcome == PASSED:
        return PASSED
    return next((one.outcome for one in why if one.explains(case)), FAILED)


def _cell(words: str) -> str:
    escaped = " ".join(words.split())
    for char in "\\|<>[]*_`":
        escaped = escaped.replace(char, f"\\{char}")
    return escaped
