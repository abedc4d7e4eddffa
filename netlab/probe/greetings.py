"""One packet from everybody who will be asked, so that the bridges know where he is before the first probe.

A bridge floods what is addressed to a MAC that it has not learned, and learns from senders only; a pod to which all is
denied never answers. With 200 pods on a node every flooded probe cost 200 copies, each of which ran through the rules:
a third of a matrix's time, and more the more pods there are. A bridge forgets after 300 s, so greetings are repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netlab.probe import schedule
from netlab.probe.attempt import Workbench
from netlab.probe.questions import End, Question

# Well before a bridge forgets (net/bridge, ageing_time), the length of a block included.
AGAIN = 100.0


def greetings(
    bench: Workbench, questions: Iterable[Question], greeted: dict[End, float], now: float
) -> list[tuple[End, End]]:
    """Return who greets whom: each end of a question somebody who is joined with it, and each node another machine.

    Left out are those who have ``greeted``, in seconds of the clock that says ``now``, a short while ago.
    """
    ends = dict.fromkeys(end for q in questions for end in (q.source, q.destination, q.target))
    nodes = _nodes(bench, {end.family for end in ends})
    silent = [end for end in dict.fromkeys((*ends, *nodes)) if now - greeted.get(end, -AGAIN) >= AGAIN]
    greeted.update(dict.fromkeys(silent, now))
    pairs = ((end, bench.witness(end)) for end in silent)
    return [(end, other) for end, other in pairs if other is not None]


def greet(bench: Workbench, pairs: Sequence[tuple[End, End]]) -> None:
    """Send the greetings; nobody waits for them, and nothing follows from one that is lost."""
    for start in range(0, len(pairs), schedule.PER_RECEIVER):
        for source, destination in pairs[start : start + schedule.PER_RECEIVER]:
            bench.control(source, destination)
        for _ in bench.stations.receive(0):
            pass


def _nodes(bench: Workbench, families: Iterable[int]) -> Iterator[End]:
    found = (bench.desk.end(node, family) for family in families for node in bench.cluster.nodes)
    return (end for end in found if isinstance(end, End))
