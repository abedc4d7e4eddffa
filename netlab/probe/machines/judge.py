"""Judges the probes of a block by what machines saw, and asks for what is missing: as generators of requests.

A generator yields a list of actions for all machines and is sent the results of each by machine, or it yields seconds
to wait. So the coordinator has several blocks under way, and each reads like a program that measures one.
"""

from __future__ import annotations

from collections.abc import Sequence

from netlab.probe import forwarding, ports
from netlab.probe.attempt import WAITS
from netlab.probe.facts import Question
from netlab.probe.machines.collected import Collected
from netlab.probe.machines.collecting import Collector, Requests
from netlab.probe.machines.losses import Losses, may_be_loss
from netlab.probe.machines.plan import Plan, Posted
from netlab.probe.machines.recorded import Recorded
from netlab.probe.machines.steps import CONTROL, ROWS
from netlab.probe.observations import IN_ITS_NAME
from netlab.probe.probes import Backends, Probe, Unsent
from netlab.probe.slow_links import SlowLinks
from netlab.probe.verdicts import Evidence, verdict


class Judge:
    """Gives probes their verdicts; several blocks of a run share it. With ``once`` a denial is measured once."""

    def __init__(self, plan: Plan, *, once: bool = False) -> None:
        self._once = once
        self._plan = plan
        self._shared = plan.shared
        self._confirmed: dict[Unsent, Unsent] = {}
        self._collector = Collector(plan)
        self._losses = Losses(plan)

    # --- blocks -------------------------------------------------------------------------------------------------

    def confirm(self, by_flow: list[Probe | Unsent | Backends]) -> Requests:
        """Replace flows without a packet by what the kernels of their ends confirm."""
        unsent = {one for one in by_flow if isinstance(one, Unsent)}
        listed = (one for block in by_flow if isinstance(block, Backends) for _, one in block.probes)
        unsent |= {one for one in listed if isinstance(one, Unsent)}
        new = [one for one in unsent if one.namespace and one not in self._confirmed]
        yield from self._learn([_of_addresses(one) for one in new])
        for one in new:
            found = self._shared.known.get(_of_addresses(one))
            # A machine that is away confirms nothing.
            self._confirmed[one] = (
                Unsent("inconclusive", self._lost_unsent()) if found is None else one.confirmed(found)
            )

        def confirmed(one: Probe | Unsent) -> Probe | Unsent:
            return self._confirmed.get(one, one) if isinstance(one, Unsent) else one

        for place, found_of in enumerate(by_flow):
            if isinstance(found_of, Unsent):
                by_flow[place] = confirmed(found_of)
            elif isinstance(found_of, Backends):
                by_flow[place] = Backends(tuple((backend, confirmed(each)) for backend, each in found_of.probes))

    def measure(self, probes: Sequence[Probe]) -> Requests:
        """Give every probe its verdict: by one attempt, and by two more where the verdict is inconclusive."""
        if self._shared.slow is not None:
            yield from self._measure_slowly(self._shared.slow, probes)
            return
        waiting = self._present(probes)
        for number in range(ports.ATTEMPTS):
            for start in range(0, len(waiting), ROWS):
                yield from self._attempt(waiting[start : start + ROWS], number)
            waiting = self._present([probe for probe in waiting if probe.verdict == "inconclusive"])
            if not waiting:
                break
        if not self._once:
            yield from self._confirm_denials(probes)

    def _confirm_denials(self, probes: Sequence[Probe]) -> Requests:
        """Send probes again that the network between machines may have lost."""
        losses = self._losses
        waiting = self._present(losses.doubtful(probes))
        missed = {id(probe): 1 for probe in waiting}
        for number in range(1, losses.attempts):
            for start in range(0, len(waiting), ROWS):
                yield from self._attempt(waiting[start : start + ROWS], number)
            for probe in waiting:
                missed[id(probe)] += may_be_loss(probe)
            again = (one for one in waiting if may_be_loss(one) or one.verdict == "inconclusive")
            waiting = self._present([one for one in again if missed[id(one)] < losses.needed])
            if not waiting:
                return
        for probe in waiting:
            found = f"{probe.reason}; but the network between machines loses packets, and"
            probe.verdict, probe.reason = "inconclusive", f"{found} {missed[id(probe)]} attempts are too few"

    def _measure_slowly(self, slow: SlowLinks, probes: Sequence[Probe]) -> Requests:
        from netlab.probe.slow_links import Repeats

        for start in range(0, len(probes), slow.batch):
            waiting = self._present(probes[start : start + slow.batch])
            repeats = Repeats(slow, waiting)
            while waiting:
                yield from self._attempt(waiting, repeats.number)
                waiting = self._present(repeats.judge(waiting))

    def _present(self, probes: Sequence[Probe]) -> list[Probe]:
        """Return the probes that no lost machine is needed for; the others have their verdict."""
        if not self._plan.away:
            return list(probes)
        found = []
        for probe in probes:
            if why := self._plan.lost(probe):
                probe.verdict, probe.reason = "inconclusive", why
            else:
                found.append(probe)
        return found

    def _lost_unsent(self) -> str:
        return "; ".join(self._plan.away.values()) or "no machine says what its network namespace has"

    # --- one attempt --------------------------------------------------------------------------------------------

    def _attempt(self, probes: Sequence[Probe], attempt: int) -> Requests:
        """Send probes, and give each the verdict of this attempt."""
        slow = self._shared.slow
        seconds = WAITS[min(attempt, len(WAITS) - 1)] if slow is None else WAITS[0] + slow.seconds
        # Kernels are asked anew in each attempt.
        self._shared.known.clear()
        number, prepared = self._plan.batch(probes, attempt)
        yield prepared
        yield [Posted({"do": "send", "number": number})]
        replied: set[int] = set()

        def late(seen: Collected) -> bool:
            return self._collector.late(probes, seen)

        seen = yield from self._collector.collect(number, len(probes), seconds, late, (probes, replied))
        if slow is not None and slow.settle:
            # Controls have arrived, and may have overtaken their probes.
            yield slow.settle
            seen = yield from self._collector.collect(number, len(probes), seconds, late, (probes, replied))
        if attempt == 0 and slow is None:
            self._losses.note(probes, seen, self._collector.missing_way)
        certain = seen.verdicts()
        alone = bool(seen.drops or seen.overflowed or slow is not None)
        rest: list[tuple[int, Probe]] = []
        for row, (probe, found) in enumerate(zip(probes, certain, strict=True)):
            probe.verdict, probe.reason = found
            if found[0] == "inconclusive" or (alone and found[0] != "allow") or row in replied or slow is not None:
                rest.append((row, probe))
        if rest:
            yield from self._judge(number, rest, seen, replied, seconds)
        self._plan.forget(number)
        if self._plan.away:
            self._present(probes)

    def _judge(
        self, number: int, rest: Sequence[tuple[int, Probe]], seen: Collected, replied: set[int], seconds: float
    ) -> Requests:
        """Judge probes by their evidence, and by further controls where these are needed."""
        controls = Recorded(self._plan)
        for row, probe in rest:
            found = probe.evidence = seen.evidence(row)
            # The kernel's own answer, an ICMP error, may have been on its way.
            if row in replied and found.answered and not found.answered.startswith("ICMP"):
                found.answered = IN_ITS_NAME
            took = (o for o in probe.others if o.sockets.namespace in seen.strays.get(row, ()))
            if (other := next(took, None)) is not None:
                found.elsewhere = other.endpoint.ref
            probe.hop_evidence, probe.relayed = (), None
            if not (found.arrived and found.answered):
                if probe.translator is not None:
                    controls.follow_translated(probe)
                if probe.translator is not None or not found.control:
                    controls.note_missing_way(probe, self._collector.missing_way(probe))
        probes = [probe for _, probe in rest]
        yield from self._send_controls(controls, seconds)
        if apart := [probe for probe in probes if probe.evidence.no_path]:
            yield from self._prove_ends(controls, apart, seconds)
        back = [probe for probe in probes if probe.past_node and probe.evidence.arrived]
        if back := [probe for probe in back if not (probe.evidence.answered or probe.evidence.wrong_sender)]:
            controls.prove_returns(back)
            yield from self._send_controls(controls, seconds)
            controls.judge_returns(back)
        yield from self._learn_forwarding(probes)
        if controls.sent:
            # A probe that was late has arrived before the controls that were sent after it.
            (parts,) = yield [Posted({"do": "collect", "number": number})]
            seen = Collected(len(seen.into), parts)
            for row, probe in rest:
                probe.evidence = _together(probe.evidence, seen.evidence(row))
        controls.judge_hops(probes)
        for probe in probes:
            found = probe.evidence
            found.trouble = found.trouble or seen.drops or self._trouble(probe, seen)
            probe.verdict, probe.reason = verdict(found)

    def _trouble(self, probe: Probe, seen: Collected) -> str:
        found = probe.evidence
        for sockets in (probe.destination.sockets, probe.source.sockets):
            if sockets.namespace in seen.overflowed:
                return f"a receive buffer in {sockets.namespace} overflowed"
        start = probe.source.sockets.namespace
        refused = self._plan.failures.get(start)
        if refused and not (found.arrived or found.control or found.no_path):
            return f"neighbours in {start} could not be added: {refused}"
        return ""

    # --- controls -----------------------------------------------------------------------------------------------

    def _send_controls(self, controls: Recorded, seconds: float) -> Requests:
        """Send what was recorded, and note in the evidence what arrived."""
        recorded, awaited = list(controls.recorded.values()), controls.awaited
        controls.recorded, controls.awaited = {}, False
        controls.sent |= bool(recorded)
        for start in range(0, len(recorded), ROWS):
            part = recorded[start : start + ROWS]
            number, prepared = self._plan.controls([control for control, _ in part])
            yield prepared
            yield [Posted({"do": "send", "number": number})]

            def late(seen: Collected, rows: int = len(part)) -> bool:
                return awaited and sum(bits & CONTROL != 0 for bits in seen.into) < rows

            seen = yield from self._collector.collect(number, len(part), seconds, late)
            for bits, (_, evidence) in zip(seen.into, part, strict=True):
                for one in evidence if bits & CONTROL else ():
                    one.control = True
            self._plan.forget(number)

    def _prove_ends(self, controls: Recorded, probes: Sequence[Probe], seconds: float) -> Requests:
        """Find out whether both ends of each probe carry traffic, where no path is wired between them."""
        while True:
            self._shared.unknown.clear()
            for _ in controls.prove_ends(probes):
                pass
            if not self._shared.unknown:
                break
            controls.recorded, controls.awaited = {}, False
            yield from self._learn([*self._shared.unknown])
        yield from self._send_controls(controls, seconds)
        controls.judge_ends(probes)

    # --- facts --------------------------------------------------------------------------------------------------

    def _learn_forwarding(self, probes: Sequence[Probe]) -> Requests:
        """Learn what kernels say about nodes that forward, where no packet can prove it."""
        self._shared.unknown.clear()
        for probe in probes:
            if probe.hop_evidence and forwarding.must_forward(probe) and probe.relayed is None:
                forwarding.unproven(self._shared, probe)
        # A node that sends frames back is also asked whether it forwards.
        while self._shared.unknown:
            yield from self._learn([*self._shared.unknown])
            self._shared.unknown.clear()
            for probe in probes:
                if probe.hop_evidence and forwarding.must_forward(probe) and probe.relayed is None:
                    forwarding.unproven(self._shared, probe)

    def _learn(self, questions: Sequence[Question]) -> Requests:
        """Ask the machines; a question that none answers has the answer ""."""
        if not questions:
            return
        (answers,) = yield [Posted({"do": "ask", "questions": [list(one) for one in questions]})]
        for place, question in enumerate(questions):
            found = [of[place] for of in answers.values() if of[place] is not None]
            if found or question.kind != "addresses":
                self._shared.known[question] = found[0] if found else ""


def _together(one: Evidence, later: Evidence) -> Evidence:
    """Return evidence with what was seen later of the same probe."""
    for field in ("arrived", "answered", "rejected", "wrong_sender", "control"):
        setattr(one, field, getattr(one, field) or getattr(later, field))
    return one


def _of_addresses(one: Unsent) -> Question:
    return Question("addresses", one.namespace, str(one.family))
