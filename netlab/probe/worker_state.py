"""What all attempts of a worker share: sockets, ids, source ports, packet templates, and the ends of probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netlab.cluster.types import Cluster
from netlab.kernel.machine import Inside
from netlab.probe import facts, ports, service_ports
from netlab.probe.filters import WINDOW
from netlab.probe.probes import ProbeMaker
from netlab.probe.sockets import Sockets
from netlab.probe.templates import Template
from netlab.ruleset.service_hash import PROBE_DSCP

if TYPE_CHECKING:
    from netlab.probe.slow_links import SlowLinks


class Idents:
    """The 32-bit ids of a worker, in order from ``first``; they repeat after ``WINDOW`` packets."""

    def __init__(self, first: int) -> None:
        self.first = first % (1 << 32)
        self._used = 0

    def __call__(self) -> int:
        used = self._used
        self._used = used + 1
        return (self.first + used % WINDOW) & 0xFFFFFFFF

    def take(self, number: int) -> list[int]:
        """Return the next ``number`` ids."""
        first, used = self.first, self._used
        self._used = used + number
        return [(first + place % WINDOW) & 0xFFFFFFFF for place in range(used, used + number)]

    def restart(self) -> None:
        """Begin with the first id again."""
        self._used = 0

    def skip(self, number: int) -> None:
        """Leave out ``number`` ids."""
        self._used += number


class Shared:
    """What all attempts of a worker share.

    Args:
      cluster: the cluster of the running lab.
      lab: the name under which it runs.
      first_ident: the first of the worker's ids.
      inside: how namespaces are entered.
      sources: the source ports, by default those of a new run of this host.
      here: whether a namespace is on this machine, by default all are.
    """

    def __init__(
        self,
        cluster: Cluster,
        lab: str,
        first_ident: int,
        inside: Inside,
        sources: range | None = None,
        here: Callable[[str], bool] | None = None,
    ) -> None:
        self.cluster = cluster
        self.slow: SlowLinks | None = None
        if cluster.links:
            from netlab.probe.slow_links import expected

            self.slow = expected(cluster)
        self.inside = inside
        self.idents = Idents(first_ident)
        more = service_ports.needed(cluster) if cluster.services else service_ports.Needed(0, 0)
        self.ports = ports.of_run(sum(more)) if sources is None else sources
        self.sockets = Sockets(self.idents.first, self.ports, inside, here)
        self.probes = ProbeMaker(cluster, lab, self.sockets, service_ports.ServicePorts(self.ports, more.shared))
        # The pairs of sites, with the family, that the plan of the wiring joins.
        self.wired: set[tuple[int, int, int]] = set()
        self._templates: dict[tuple[str, int, bool], Template] = {}

    def fact(self, question: facts.Question) -> str:
        """Return what the kernel of a namespace says; raises as ``facts.answer`` does."""
        return facts.answer(self.inside, question)

    def template(self, kind: str, family: int, *, chooses: bool = False) -> Template:
        """Return the template of a kind of packet; ``chooses``: its source port chooses the endpoint of a Service."""
        known = self._templates.get((kind, family, chooses))
        if known is None:
            known = self._templates[kind, family, chooses] = Template(kind, family, PROBE_DSCP if chooses else 0)
        return known
