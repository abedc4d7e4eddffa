"""What a translated destination stands for, and what each hop of a flow to it sees: values only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path
from netlab.cluster.types import Cluster, Endpoint, Node
from netlab.frozen import frozen
from netlab.objects.types import Address


class Backend(NamedTuple):
    """One address and port that a destination stands for; ``endpoint`` None: no machine of the lab has the address."""

    endpoint: Endpoint | None
    address: Address
    port: int | None

    @property
    def name(self) -> str:
        """The backend as reports print it: its reference, or the bare address."""
        return self.endpoint.ref if self.endpoint is not None else str(self.address)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """What one destination (address, protocol, port) stands for. It is the same for every source.

    ``backends`` are in order; where there is none, ``reason`` says why. ``node`` is the node that translates; None is
    each source's own node. ``word`` is the participle in reasons: ``published`` as 8080/TCP.

    ``masqueraded``: the node that translates puts its own address in the place of the source's, after it has judged
    policy. ``exempt_itself``: a pod that reaches itself this way is subject to no policy. ``listed``: rows of reports
    list the backends.
    """

    backends: tuple[Backend, ...]
    node: Node | None = None
    reason: str = ""
    word: str = "published"
    masqueraded: bool = False
    exempt_itself: bool = True
    listed: bool = True


Find = Callable[[Cluster, Endpoint | None, Address | None, str, int | None], Target | None]
"""Takes a destination, the address of it that is asked, a protocol and a port."""


@frozen
class Translation:
    """One reason for which nodes translate destinations. ``find`` returns None where it leaves a destination alone.

    ``find`` is not asked about the addresses that a pod has for itself: nothing translates those.
    """

    name: str
    find: Find


class View(NamedTuple):
    """What one side sees of a flow: the other end, that end's address, and the flow as it is there."""

    other: Endpoint | None
    address: Address | None
    flow: Flow


class Seen(NamedTuple):
    """The source address that each hop sees: the policy of the source's pod, that of the destination's, and itself.

    A hop is None where packets do not pass it. ``destination`` is also None where the source is the backend itself:
    the kernel of the node then chooses one of the node's own addresses.
    """

    source_policy: Address | None = None
    destination_policy: Address | None = None
    destination: Address | None = None


class Through(NamedTuple):
    """A flow by one backend: its way, and what the policy of each side sees, None where that has no say."""

    target: Target
    backend: Backend
    path: Path
    egress: View | None = None
    ingress: View | None = None
    seen: Seen = Seen()


class Translated(NamedTuple):
    """A flow to a destination that stands for others: the node that translates, and the flow by each backend.

    ``node`` is None where no node translates for this source; each way then says why.
    """

    target: Target
    node: Node | None
    ways: tuple[Through, ...]

    @property
    def reason(self) -> str:
        """Why there is no backend, "" where there is one."""
        return "" if self.ways else self.target.reason
