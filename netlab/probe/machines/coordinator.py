"""The coordinator of a run: puts what its blocks ask for into steps, and gives each block the answers of all machines.

A step has requests of several blocks: one is prepared while another is sent and a third collected. A block's next
request goes out after every machine has answered the one before. So a block is prepared everywhere before any of its
packets is sent, and all are sent before any machine reports.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from netlab.cluster.flows import Flow
from netlab.cluster.types import Cluster
from netlab.errors import HostError, printable
from netlab.frozen import frozen
from netlab.probe.engine import flows_of_block
from netlab.probe.machines.channel import Channel
from netlab.probe.machines.collecting import Requests
from netlab.probe.machines.judge import Judge
from netlab.probe.machines.plan import Plan, Posted
from netlab.probe.machines.steps import MOST, Action, packed, unpacked
from netlab.probe.probes import Backends, Probe, Unsent
from netlab.probe.worker import Block

# Blocks that are under way, and steps that participants have before them.
_BLOCKS, _STEPS = 6, 2
# Seconds: without an answer, a machine is away; between two questions whether it is.
_SILENT, _BETWEEN = 30.0, 0.5
# Seconds that the end of a run waits for the participants.
_END = 5.0


class _Run:
    """A block under way: its generator, and what it asked for last."""

    def __init__(self, block: Block, requests: Requests) -> None:
        self.block = block
        self.requests = requests
        # Whether the generator has begun, and so waits for results; whether it has ended.
        self.waits = self.done = False
        # What waits to be posted, and from when on.
        self.asked: list[Posted] = []
        self.since = 0.0

    def go(self, results: Sequence[Mapping[str, Any]]) -> None:
        """Give the block the results of what it asked for."""
        try:
            found = self.requests.send(results) if self.waits else next(self.requests)
            self.waits = True
        except StopIteration:
            self.done, self.asked = True, []
            return
        if isinstance(found, list):
            self.asked, self.since = found, 0.0
        else:
            self.asked, self.since = [], time.monotonic() + found

    @property
    def idle(self) -> bool:
        """Whether the block waits for time to pass."""
        return not self.done and not self.asked and self.since > 0


@frozen
class _Step:
    """A step that was posted: the part of each block, with the actions, and the answers so far."""

    parts: Sequence[tuple[_Run, Sequence[Posted]]]
    answers: dict[str, tuple[Any, bytes]]
    began: float


class Coordinator:
    """Measures flows with participants on several machines.

    Args:
      channel: the channel to the participants.
      cluster: the cluster of the lab.
      lab: the name under which it runs.
      placed: the machine of each node and outside host, by reference.
      alive: whether a machine is there. It is asked while an answer is missing.
      first_ident: the first id of the run.
      sources: the source ports of the run.
      away: machines that take no part from the beginning, and why.
      once: send no probe a second time, as for a trace; one packet that the network loses then looks like a denial.
    """

    def __init__(
        self,
        channel: Channel,
        cluster: Cluster,
        lab: str,
        placed: Mapping[str, str],
        alive: Callable[[str], bool],
        first_ident: int,
        sources: range,
        away: Mapping[str, str] = MappingProxyType({}),
        once: bool = False,
    ) -> None:
        self._channel, self._cluster, self._alive = channel, cluster, alive
        self._plan = Plan(cluster, lab, placed, first_ident, sources)
        self._plan.away.update(away)
        self._judge = Judge(self._plan, once=once)
        self._machines = sorted(set(placed.values()))
        self._steps: dict[int, _Step] = {}
        self._finished: list[int] = []
        self._posted = 0
        self._runs: deque[_Run] = deque()
        self._full = False
        self._asked = 0.0
        self._post_alone({"do": "begin", "ident": first_ident, "ports": [sources.start, sources.stop], "once": once})

    # --- blocks -------------------------------------------------------------------------------------------------

    def blocks(self, flows: Iterator[Flow]) -> Iterator[Block]:
        """Yield the flows, in order, in measured blocks."""
        more = True
        while more or self._runs:
            self._post_ready()
            if more and len(self._runs) < _BLOCKS and not self._full:
                more = self._start(flows)
            else:
                self._take(self._pause())
            while self._runs and self._runs[0].done:
                yield self._runs.popleft().block
            if self._full and not self._runs:
                self._clear()

    def close(self) -> None:
        """End the participants, and wait a moment until they have removed what they added."""
        self._runs.clear()
        until = time.monotonic() + _END
        # Without the channel they end by themselves.
        with contextlib.suppress(HostError):
            self._post_alone({"do": "end"})
            while self._steps and self._present and (left := until - time.monotonic()) > 0:
                self._take(min(left, _BETWEEN))
        self._plan.close()

    def _start(self, flows: Iterator[Flow]) -> bool:
        """Begin the next block; return whether there was one."""
        part = flows_of_block(self._cluster, flows)
        if not part:
            return False
        known: dict[object, Probe] = {}
        by_flow = [self._plan.shared.probes.probe_of(flow, known) for flow in part]
        block = Block(part, by_flow, list(known.values()))
        run = _Run(block, self._requests(by_flow, block.probes))
        run.go(())
        self._runs.append(run)
        return True

    def _requests(self, by_flow: list[Probe | Unsent | Backends], probes: Sequence[Probe]) -> Requests:
        yield from self._judge.confirm(by_flow)
        yield from self._judge.measure(probes)

    def _clear(self) -> None:
        """Have the neighbours of the run deleted, while no block is under way."""
        self._post_alone({"do": "clear"})
        while self._steps:
            self._take(_BETWEEN)
        self._full = False

    # --- steps --------------------------------------------------------------------------------------------------

    @property
    def _present(self) -> list[str]:
        return [name for name in self._machines if name not in self._plan.away]

    def _post_ready(self) -> None:
        now = time.monotonic()
        for run in self._runs:
            if run.idle and run.since <= now:
                run.go(())
        while len(self._steps) < _STEPS and (ready := self._ready()):
            self._post(ready)

    def _ready(self) -> list[tuple[_Run, Sequence[Posted]]]:
        """Return what blocks ask for, as much as one step may have."""
        found: list[tuple[_Run, Sequence[Posted]]] = []
        size = 0
        for run in self._runs:
            if run.asked:
                size += sum(_size(one) for one in run.asked)
                if found and size > MOST:
                    break
                found.append((run, run.asked))
                run.asked, run.since = [], 0.0
        return found

    def _post_alone(self, action: Action) -> None:
        """Post an action that belongs to no block."""
        self._post([(_Run(Block((), (), ()), _nothing()), [Posted(action)])])

    def _post(self, parts: Sequence[tuple[_Run, Sequence[Posted]]]) -> None:
        """Post parts as a step; new ends, which any part may name, come before, in steps of their own if many."""
        ends = [[(_Run(Block((), (), ()), _nothing()), [one])] for one in self._plan.new_ends()]
        for alone in ends[:-1]:
            self._post_step(alone)
        self._post_step([*(ends[-1] if ends else ()), *parts])
        self._finish()

    def _post_step(self, parts: Sequence[tuple[_Run, Sequence[Posted]]]) -> None:
        posted = [one for _, actions in parts for one in actions]
        data = packed([one.action for one in posted], (one.data for one in posted))
        done, self._finished = self._finished, []
        self._steps[self._posted] = _Step(parts, {}, time.monotonic())
        self._channel.post(self._posted, data, done)
        self._posted += 1

    def _pause(self) -> float:
        """Return how long nothing is to do but to wait for answers."""
        until = [run.since for run in self._runs if run.idle]
        return max(0.0, min(_BETWEEN, *(since - time.monotonic() for since in until))) if until else _BETWEEN

    def _take(self, seconds: float) -> None:
        """Take answers; wait some seconds for the first."""
        for number, machine, data in self._channel.answers(seconds):
            step = self._steps.get(number)
            if step is None or machine not in self._present:
                continue
            try:
                head, columns = unpacked(data)
                why = str(head["error"]) if "error" in head else ""
                if not why and len(head["results"]) != sum(len(actions) for _, actions in step.parts):
                    raise ValueError("results")
                if not why:
                    self._full |= bool(head["many"])
                    self._plan.failures.update(head["failures"])
                    step.answers[machine] = head["results"], columns
            except (ValueError, TypeError, LookupError) as error:
                why = f"its answer is damaged: {error}"
            if why:
                self._plan.away[machine] = f"machine {machine} takes no part: {printable(why)[:500]}"
        self._look()
        self._finish()

    def _look(self) -> None:
        """Find out which machines are away, among those whose answers are missing."""
        now = time.monotonic()
        if not self._steps or now < self._asked + _BETWEEN:
            return
        self._asked = now
        step = next(iter(self._steps.values()))
        for machine in self._present:
            if machine in step.answers:
                continue
            if not self._alive(machine):
                self._plan.away[machine] = f"machine {machine} is away"
            elif now > step.began + _SILENT:
                self._plan.away[machine] = f"machine {machine} is away: no answer in {_SILENT:.0f} seconds"

    def _finish(self) -> None:
        """Give blocks the results of each step that every machine has answered, in order."""
        while self._steps:
            number, step = next(iter(self._steps.items()))
            if any(machine not in step.answers for machine in self._present):
                return
            del self._steps[number]
            self._finished.append(number)
            if not self._present:
                self._finished.clear()
            results = _results(step)
            for run, actions in step.parts:
                mine = [results.popleft() for _ in actions]
                run.go(mine)


def _results(step: _Step) -> deque[Mapping[str, Any]]:
    """Return the results of each action of a step by machine; those of a collection with the columns."""
    found: deque[Mapping[str, Any]] = deque()
    at = dict.fromkeys(step.answers, 0)
    place = 0
    for _, actions in step.parts:
        for posted in actions:
            of: dict[str, Any] = {}
            for machine, (results, columns) in step.answers.items():
                of[machine] = results[place]
                if posted.action["do"] == "collect":
                    size = int(results[place]["bytes"])
                    of[machine] = results[place], columns[at[machine] : at[machine] + size]
                    at[machine] += size
            found.append(of)
            place += 1
    return found


def _nothing() -> Requests:
    """Ask for nothing: of steps that belong to no block."""
    return
    yield []


def _size(posted: Posted) -> int:
    """Return about how many bytes an action has before compression."""
    return len(posted.data) + 30 * len(posted.action.get("pairs", ())) + 30 * len(posted.action.get("relays", ()))
