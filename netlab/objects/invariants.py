"""Invariants as a value: rules that must always hold for the objects of some files."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from netlab.frozen import NamedTuple, frozen
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import LAST_PORT, Document, Meta, Prefix, Source

EndKind = Literal["pods", "hosts", "host", "nodes", "service", "cidr"]
RuleVerdict = Literal["allow", "deny", "some"]


class PortSpan(NamedTuple):
    """Ports of one protocol, from the first to the last; ICMP has no ports, so both are 0."""

    protocol: str
    first: int = 1
    last: int = LAST_PORT

    def __str__(self) -> str:
        if self.protocol == "ICMP":
            return "ICMP"
        if self.first == self.last:
            return f"{self.first}/{self.protocol}"
        return f"{self.first}-{self.last}/{self.protocol}"


EVERY_PORT = (PortSpan("TCP"), PortSpan("UDP"), PortSpan("SCTP"))
"""What a rule without ports asks about."""


@frozen
class RuleEnd:
    """One end of a rule: what it selects. ``text`` is the selector as it is written, for reports.

    - ``pods``: the pods of ``namespace`` ("": every namespace) and of namespaces with ``spaces``, with ``labels``.
    - ``hosts``, ``nodes``: all of them. ``host``: the one with ``name``.
    - ``service``: the Service with ``name`` (``NAMESPACE/NAME``).
    - ``cidr``: what is outside of the cluster in ``cidr``: hosts, and addresses that no endpoint has.
    """

    kind: EndKind = "pods"
    text: str = "{}"
    namespace: str = ""
    spaces: LabelSelector = LabelSelector()
    labels: LabelSelector = LabelSelector()
    name: str = ""
    cidr: Prefix | None = None
    path: str = ""

    def __str__(self) -> str:
        return self.text


@frozen
class Allowed:
    """An item of ``only``: an end that may get through, on ``ports``; it need not."""

    end: RuleEnd
    ports: tuple[PortSpan, ...] = EVERY_PORT


@frozen
class InvariantRule:
    """One rule. It has a verdict and two ends, or ``only`` and one end.

    With ``only``, one end is None: the rule denies everything between the other end and all pods, hosts and outside
    addresses that are not listed. ``vacuous``: the rule may prove nothing.
    """

    name: str
    source: RuleEnd | None
    destination: RuleEnd | None
    verdict: RuleVerdict = "deny"
    only: tuple[Allowed, ...] | None = None
    ports: tuple[PortSpan, ...] = EVERY_PORT
    vacuous: bool = False
    path: str = ""
    line: int = 0

    @property
    def ends(self) -> tuple[RuleEnd, ...]:
        """All ends that the rule names."""
        listed = [one.end for one in self.only or ()]
        return tuple(end for end in (self.source, self.destination, *listed) if end is not None)


@frozen
class Invariants:
    """Invariants; ``resources`` has the documents of the files that they name, ``written`` their own document."""

    meta: Meta
    description: str = ""
    resources: tuple[Document, ...] = ()
    rules: tuple[InvariantRule, ...] = ()
    written: Document | None = field(default=None, compare=False)
    source: Source = field(default_factory=Source, compare=False)
