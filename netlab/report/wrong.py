"""What is wrong with an expectation, as text for people who see no lab: the pairs, the reasons, and a trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netlab.errors import NetlabError
from netlab.report.formats import Page
from netlab.report.scenarios import failure_line

if TYPE_CHECKING:
    from netlab.cluster.flows import Flow
    from netlab.lab.lab import Lab
    from netlab.scenario.results import Failure, ProgramFailure

_MOST = 50


def lines(lab: Lab, failures: Sequence[Failure | ProgramFailure]) -> Iterator[str]:
    """Yield a line for each failure, then the way of the first packet in the lab as it is now.

    That is the text of ``netlab trace``, or of ``netlab explain`` where no rule met the packet. A failure without
    packets has no such text.
    """
    yield from map(failure_line, failures[:_MOST])
    if len(failures) > _MOST:
        yield f"and {len(failures) - _MOST} more"
    flow = next((one.flow for one in failures if hasattr(one, "flow")), None)
    if flow is not None:
        yield ""
        yield from _way(lab, flow)


def _way(lab: Lab, flow: Flow) -> Iterator[str]:
    from netlab.report.traces import Traces

    try:
        trace = lab.trace(flow)
    except NetlabError as error:
        yield f"no trace: {error}"
        yield ""
        yield from _explained(lab, flow)
        return
    if trace.steps:
        yield from Traces(lab.name, [trace]).table(Page())
    else:
        yield from _explained(lab, flow)


def _explained(lab: Lab, flow: Flow) -> Iterator[str]:
    from netlab.policy.explain import explain

    return explain(lab.cluster, flow).in_lines()
