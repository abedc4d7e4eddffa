"""Controls that a coordinator decides on, and that participants send: for what a participant alone cannot know."""

from __future__ import annotations

from netlab.probe.control import Controls
from netlab.probe.machines.plan import Control, Plan
from netlab.probe.probes import End, Probe
from netlab.probe.verdicts import Evidence


class Recorded(Controls):
    """Controls to send, with the evidence that each adds to.

    ``awaited``: one of them has a wired way. ``sent``: some were sent.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.shared)
        self.recorded: dict[tuple[int, int, int], tuple[Control, list[Evidence]]] = {}
        self.awaited = False
        self.sent = False

    def _send(
        self, source: End, destination: End, evidence: list[Evidence], *, awaited: bool = True, via: End | None = None
    ) -> None:
        by = via or destination
        key = source.place, destination.place, by.place
        self.recorded.setdefault(key, (Control(source, destination, by), []))[1].extend(evidence)
        self.awaited |= awaited

    def follow_translated(self, probe: Probe) -> None:
        """Record the controls of a translated probe."""
        self._follow_by_hops([probe])

    def note_missing_way(self, probe: Probe, missing: str) -> None:
        self._note_missing_way([probe.evidence], missing)

    def missing_way(self, probe: Probe) -> str:
        return self._missing_way(probe.hops)
