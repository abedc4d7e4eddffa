"""Values: what a translated destination stands for, and what each hop of a flow to it sees."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from netlab.cluster.flows import Flow
from netlab.cluster.paths import Path
from netlab.cluster.types import Cluster, Endpoint, Node
from netlab.frozen import NamedTuple, frozen
from netlab.objects.types import Address


class Backend(NamedTuple):
    """One address and port that a destination stands for; ``endpoint`` is None if no machine has the address."""

    endpoint: Endpoint | None
    address: Address
    port: int | None

    @property
    def name(self) -> str:
        """The backend as reports print it: its reference, or the address."""
        return self.endpoint.ref if self.endpoint is not None else str(self.address)


# The number of targets of one destination that are kept.
_KEPT = 16


class Variants:
    """The targets of a destination by source. Sources with the same key have the same target.

    ``key`` takes a source and returns a small value, such as its node and whether it is a pod. ``make`` takes a key and
    returns the target.
    """

    def __init__(self, key: Callable[[Endpoint], Hashable], make: Callable[[Hashable], Target]) -> None:
        self.key = key
        self._make = make
        self._made: dict[Hashable, Target] = {}

    def of(self, source: Endpoint) -> Target:
        """Return what the destination stands for, for a source."""
        key = self.key(source)
        found = self._made.get(key)
        if found is None:
            if len(self._made) == _KEPT:
                del self._made[next(iter(self._made))]
            found = self._made[key] = self._make(key)
        return found


@frozen
class Target:
    """What one destination (address, protocol, port) stands for.

    With ``variants`` the target depends on the source: ``for_source`` returns that of one source, and ``backends`` are
    those of all sources together.

    ``backends`` are in order; if there are none, ``reason`` says why. ``node`` is the node that translates; None stands
    for the source's own node. ``word`` is the participle in reasons: ``published`` as 8080/TCP. If it is "",
    reasons name the backend's port only.

    ``masqueraded``: the node that translates replaces the source address with its own, after policy. ``keeps_source``:
    it never does, not even for what it forwards to other nodes. ``exempt_itself``: no policy applies to a pod that
    reaches itself by the translation. ``loses_itself``: its packets are lost instead. ``crosses``: the translation
    joins networks that the wiring does not join.
    ``listed``: reports list the backends.
    """

    backends: tuple[Backend, ...]
    node: Node | None = None
    reason: str = ""
    word: str = "published"
    masqueraded: bool = False
    exempt_itself: bool = True
    loses_itself: bool = False
    listed: bool = True
    keeps_source: bool = False
    crosses: bool = True
    variants: Variants | None = None

    # Targets are told apart by identity.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def for_source(self, source: Endpoint) -> Target:
        """Return what the destination stands for, for one source."""
        return self if self.variants is None else self.variants.of(source)


Find = Callable[[Cluster, Endpoint | None, Address | None, str, int | None], Target | None]
"""Takes a cluster, a destination, its address, a protocol and a port; returns the target or None."""


@frozen
class Translation:
    """One kind of translation, and the function that finds its target.

    ``find`` is not called with a pod's own address, as no node translates that. If the target depends on the source, it
    has ``variants``.
    """

    name: str
    find: Find


class JudgedFlow(NamedTuple):
    """A flow as the policy of one side sees it: the other end, the other end's address, and the flow at that hook."""

    other: Endpoint | None
    address: Address | None
    flow: Flow


class SeenSources(NamedTuple):
    """The source address at the policy of the source pod, at the policy of the destination pod, and at the destination.

    An address is None if packets do not pass that hop. ``destination`` is also None if the source is the backend: the
    node's kernel then chooses one of the node's addresses.
    """

    source_policy: Address | None = None
    destination_policy: Address | None = None
    destination: Address | None = None


class BackendFlow(NamedTuple):
    """A flow to one backend: its path, and the flow that each side's policy judges, None if no policy judges it."""

    target: Target
    backend: Backend
    path: Path
    egress: JudgedFlow | None = None
    ingress: JudgedFlow | None = None
    seen: SeenSources = SeenSources()


class Translated(NamedTuple):
    """A flow to a translated destination: the node that translates, and the flow to each backend.

    ``node`` is None if no node translates for this source. Each path then says why.
    """

    target: Target
    node: Node | None
    flows: tuple[BackendFlow, ...]

    @property
    def reason(self) -> str:
        """Why there is no backend, "" if there is one."""
        return "" if self.flows else self.target.reason
