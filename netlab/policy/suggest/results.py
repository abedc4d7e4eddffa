"""The results of a proof, as values."""

from __future__ import annotations

from netlab.cluster.types import Endpoint
from netlab.frozen import NamedTuple
from netlab.policy.reasons import service_text
from netlab.policy.tiers.tier import AskedPort
from netlab.quantity import quantity


class Pairs(NamedTuple):
    """Pairs of two parts with one verdict: an example of each end, the port, and the number of pairs.

    ``why`` says why they have it, or "".
    """

    source: Endpoint
    destination: Endpoint
    asked: AskedPort
    pairs: int
    why: str = ""

    def __str__(self) -> str:
        family, protocol, port = self.asked
        what = f"{self.source.ref} -> {self.destination.ref} {service_text(protocol, port)} IPv{family}"
        more = f" and {quantity(self.pairs - 1, 'similar pair')}" if self.pairs > 1 else ""
        return f"{what}{more}{f': {self.why}' if self.why else ''}"


class Proof(NamedTuple):
    """What the evaluator says about a cluster with the suggestion.

    - ``needed``: the number of needed pairs that pass.
    - ``denied``: the number of other pairs that do not pass.
    - ``missing``: needed pairs that do not pass.
    - ``extra``: other pairs that pass, although an end is in a namespace that gets policies.
    - ``unjoined``: needed pairs that the wiring of the lab does not join, whatever policies say.
    - ``left_alone``: the number of other pairs that pass and are in no such namespace, or that no policy decides.
    - ``unknown``: pairs whose verdict depends on policies that netlab does not read.
    - ``outside``: the number of pods that policies let connect to, or from, needed addresses outside of the cluster.
    """

    needed: int
    denied: int
    left_alone: int
    missing: tuple[Pairs, ...] = ()
    extra: tuple[Pairs, ...] = ()
    unjoined: tuple[Pairs, ...] = ()
    unknown: tuple[Pairs, ...] = ()
    outside: int = 0

    @property
    def holds(self) -> bool:
        """Whether all that is needed passes and nothing else does."""
        return not self.missing and not self.extra
