"""What a run sees of packets that the network between machines loses, and how often a denial is measured for that.

No machine counts these losses. But where a probe had no answer at once, its source sends it once more, and a control:
if control and probe arrive, but only one of the two probes, the other one was lost. Losses of that kind are far more
frequent than two lost probes and a control that arrives, which looks like a denial. In a batch of few rows neither may
happen, so its denials are always seen twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, log

from netlab.probe.machines.collected import Collected
from netlab.probe.machines.plan import Plan
from netlab.probe.machines.steps import ARRIVED, CONTROL
from netlab.probe.probes import Probe
from netlab.probe.verdicts import NEVER_ARRIVED

# Rows of a batch below which losses may be too few to be seen.
_FEW = 1_000
_CHANCE = 1e-6
# The share of packets that are lost, where no loss was seen; and how many times as many as were seen.
_UNSEEN, _TIMES = 0.01, 3
_MOST_LOST = 0.7
_ATTEMPTS_PER_MISS = 3


class Losses:
    """The losses of a run; ``seen`` is their number."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._rows = self.seen = 0

    def note(self, probes: Sequence[Probe], seen: Collected, missing_way: Callable[[Probe], str]) -> None:
        """Note what was lost of the probes of a first attempt, of which nothing comes any more."""
        self._rows += len(probes)
        for row, bits in enumerate(seen.into):
            if bits == ARRIVED | CONTROL or (not bits and not seen.known[seen.out[row]]):
                probe = probes[row]
                if probe.translator is None and self._across(probe) and (bits or not missing_way(probe)):
                    self.seen += 1

    def doubtful(self, probes: Sequence[Probe]) -> list[Probe]:
        """Return the probes that may have been lost between machines, and so must be sent again."""
        denied = [one for one in probes if may_be_loss(one) and self._across(one)]
        return denied if self.seen or len(probes) < _FEW else []

    @property
    def needed(self) -> int:
        """In how many attempts a probe must be missing, so that chance does not explain it."""
        lost = min(_MOST_LOST, max(_UNSEEN, _TIMES * self.seen / max(1, self._rows)))
        # An attempt sends two probes.
        return max(2, ceil(log(_CHANCE) / (2 * log(lost))))

    @property
    def attempts(self) -> int:
        """How many attempts are made: one counts only where its control arrived."""
        return _ATTEMPTS_PER_MISS * self.needed

    def _across(self, probe: Probe) -> bool:
        """Return whether the packets of a probe leave a machine."""
        ends = (probe.source, probe.destination, *(() if probe.translator is None else (probe.translator,)))
        return len({self._plan.machine(end) for end in ends}) > 1


def may_be_loss(probe: Probe) -> bool:
    """Return whether a denial rests on a packet that did not arrive."""
    return probe.verdict == "deny" and probe.reason == NEVER_ARRIVED
