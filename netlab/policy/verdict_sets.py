"""The verdicts of one cluster, asked as sets: from a set of kinds of sources to one kind, or to a Service."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from netlab.cluster.flows import Flow, FlowSelection, askable, service_flow
from netlab.cluster.translate import stands_for
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.frozen import NamedTuple, frozen
from netlab.objects.cluster_policies import ClusterPolicy
from netlab.objects.services import Service
from netlab.objects.types import Direction
from netlab.policy.bitsets import members
from netlab.policy.decision import Decision
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.evaluate import evaluate
from netlab.policy.outside import Outside
from netlab.policy.set_evaluator import SetEvaluator, Sources
from netlab.policy.tiers import judging_own_node, tiers_in_use
from netlab.policy.tiers.tier import AskedPort, Tier


class Selected:
    """Some endpoints by their kind: ``of[kind]`` are those of a kind, ``kinds`` is the set of their kinds.

    ``partial`` is the set of the kinds that have other members too.
    """

    def __init__(self, of: dict[int, tuple[Endpoint, ...]], partial: int) -> None:
        self.of = of
        self.partial = partial
        self.kinds = sum(1 << kind for kind in of)
        self._sizes: dict[int, int] = {}
        for kind, some in of.items():
            self._sizes[len(some)] = self._sizes.get(len(some), 0) | 1 << kind

    def size(self, kinds: int) -> int:
        """Return the number of the endpoints in a set of kinds."""
        return sum(size * (kinds & of_size).bit_count() for size, of_size in self._sizes.items())

    def token(self, kinds: int) -> int:
        """Return a number that is the same for two selections with the same members in a set of kinds."""
        return id(self) if kinds & self.partial else 0

    def members(self, kinds: int) -> tuple[Endpoint, ...]:
        """Return the endpoints in a set of kinds."""
        return tuple(one for kind in members(kinds & self.kinds) for one in self.of[kind])


@frozen
class RuleQuestions(FlowSelection):
    """The flows that rules may ask about: on ``ports`` of all endpoints, but for outside addresses.

    What nodes translate depends on the port, and they translate no outside address.
    """

    def ports_for(self, destination: Endpoint) -> Sequence[tuple[str, int | None]]:
        """Return the ports of a destination."""
        return () if isinstance(destination, Outside) else self.ports


class Destinations(NamedTuple):
    """The destinations of a question: some members of a kind of endpoints, or a Service (``kind`` is -1).

    ``token`` is that of the selection that they are from.
    """

    kind: int
    members: tuple[Endpoint, ...]
    service: Service | None = None
    token: int = 0


class VerdictSets:
    """The verdicts of a cluster; ``questions`` name every port that will be asked.

    ``services`` is the cluster in which Services are judged, if it is another one.
    """

    def __init__(self, cluster: Cluster, questions: FlowSelection, services: Cluster | None = None) -> None:
        self.cluster = cluster
        self._services = services or cluster
        self._kinds = EndpointKinds(cluster, questions)
        self.members: Sequence[tuple[Endpoint, ...]] = self._kinds.members
        self._sets = SetEvaluator(cluster, self._kinds)
        self._kind_of = {id(one): kind for kind, of in enumerate(self.members) for one in of}
        self._hosts = sum(1 << kind for kind, of in enumerate(self.members) if isinstance(of[0], Host))
        self._askable = {
            family: sum(1 << kind for kind, of in enumerate(self.members) if askable(of[0], family))
            for family in (4, 6)
        }
        self._known: dict[tuple[int, AskedPort], Sources] = {}
        self._known_pairs: dict[tuple[int, str | int, AskedPort], str] = {}

    def selected(self, endpoints: Iterable[Endpoint]) -> Selected:
        """Return endpoints by their kinds."""
        found: dict[int, list[Endpoint]] = {}
        for one in endpoints:
            found.setdefault(self._kind_of[id(one)], []).append(one)
        partial = sum(1 << kind for kind, some in found.items() if len(some) < len(self.members[kind]))
        return Selected({kind: tuple(some) for kind, some in found.items()}, partial)

    def sources(self, to: Destinations, family: int, sources: Selected) -> int:
        """Return the kinds of sources with a pair to a destination: not two hosts, and no endpoint with itself."""
        found = sources.kinds & self._askable[family]
        if to.service is not None:
            return found
        if not self._askable[family] >> to.kind & 1:
            return 0
        if self._hosts >> to.kind & 1:
            found &= ~self._hosts
        own = sources.of.get(to.kind, ())
        if len(own) == 1 and len(to.members) == 1 and own[0] is to.members[0]:
            found &= ~(1 << to.kind)
        return found

    def verdicts(self, to: Destinations, asked: AskedPort, among: int) -> Sources:
        """Return, by verdict, the kinds of sources ``among`` some; all others of them are denied."""
        if to.service is not None or self._is_translated(to, asked):
            return self._one_by_one(to, asked, among)
        key = (to.kind, asked)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._sets.sources(to.kind, asked)
        return Sources(found.allow & among, found.some & among, found.unknown & among)

    def decision(self, source: Endpoint, destination: Endpoint | Service, asked: AskedPort) -> Decision:
        """Return what decides about one pair."""
        family, protocol, port = asked
        if isinstance(destination, Service):
            return evaluate(self._services, service_flow(source, destination, protocol, port, family))
        flow = Flow(source, destination, family, protocol, port, address_of(destination, family))
        return evaluate(self.cluster, flow)

    def judged(self, to: Destinations, asked: AskedPort, among: int) -> bool:
        """Say whether a policy judges a pair: it isolates an end, and the path passes a hook that enforces it."""
        if to.service is not None or is_translatable(to.members[0]):
            # A node may translate it, so the ends that policies judge depend on the source.
            return any(_has_judge(self.cluster, self._example(kind, to, asked)) for kind in members(among))
        paths = self._sets.paths(to.kind, asked)
        if among & paths.egress & self._isolated_egress or among & paths.own_node & self._judged_at_own_node:
            return True
        return bool(among & paths.ingress) and _is_isolated(self.cluster, "ingress", self.members[to.kind][0])

    def connected(self, to: Destinations, asked: AskedPort, among: int) -> bool:
        """Say whether the wiring has a path from one of some kinds: without policies, it would be allowed."""
        if to.service is not None or is_translatable(to.members[0]):
            return any(_has_path(self._example(kind, to, asked)) for kind in members(among))
        return bool(self._sets.paths(to.kind, asked).connected & among)

    def _example(self, kind: int, to: Destinations, asked: AskedPort) -> Decision:
        """Return the decision about a pair of a source of a kind and a destination."""
        destination: Endpoint | Service = to.service or to.members[0]
        source = next(one for one in self.members[kind] if one is not destination)
        return self.decision(source, destination, asked)

    @cached_property
    def _isolated_egress(self) -> int:
        return sum(1 << kind for kind, of in enumerate(self.members) if _is_isolated(self.cluster, "egress", of[0]))

    @cached_property
    def _judged_at_own_node(self) -> int:
        """The kinds of pods that tiers may deny what they send to their own node."""
        return sum(
            1 << kind
            for kind, (one, *_) in enumerate(self.members)
            if isinstance(one, Pod)
            and any(_may_deny(self.cluster, tier, "egress", one) for tier in judging_own_node(self.cluster, one))
        )

    def _is_translated(self, to: Destinations, asked: AskedPort) -> bool:
        """Say whether a node translates a destination; then the verdict depends on the source."""
        end, (family, protocol, port) = to.members[0], asked
        if not is_translatable(end):
            return False
        return stands_for(self.cluster, end, address_of(end, family), protocol, port) is not None

    def _one_by_one(self, to: Destinations, asked: AskedPort, among: int) -> Sources:
        found = {"allow": 0, "some": 0, "unknown": 0, "deny": 0}
        end = to.service.meta.key if to.service is not None else to.kind
        for kind in members(among):
            key = (kind, end, asked)
            if key not in self._known_pairs:
                self._known_pairs[key] = self._example(kind, to, asked).verdict
            found[self._known_pairs[key]] |= 1 << kind
        return Sources(found["allow"], found["some"], found["unknown"])


def is_translatable(end: Endpoint) -> bool:
    """Say whether nodes may translate what is sent to an endpoint.

    They do not for a pod with an address of its own. Nor for outside addresses, as no Service has these.
    """
    return not (isinstance(end, Outside) or (isinstance(end, Pod) and not end.host_network))


def _is_isolated(cluster: Cluster, direction: Direction, end: Endpoint) -> bool:
    if not isinstance(end, Pod):
        return False
    return any(_may_deny(cluster, tier, direction, end) for tier in tiers_in_use(cluster))


def _may_deny(cluster: Cluster, tier: Tier, direction: Direction, pod: Pod) -> bool:
    """Say whether a tier may deny a pod something: a policy isolates it, or has a rule that denies."""
    return any(
        not isinstance(policy, ClusterPolicy) or any(rule.action == "deny" for rule in policy.rules(direction))
        for policy in tier.selecting(cluster, direction, pod)
    )


def _has_path(decision: Decision) -> bool:
    return any(one.path.connected for one in decision.backends or (decision,))


def _has_judge(cluster: Cluster, decision: Decision) -> bool:
    for one in decision.backends or (decision,):
        for side in one.sides:
            own_node = one.path.own_node and side.direction == "egress"
            judging = judging_own_node(cluster, side.subject) if own_node else tiers_in_use(cluster)
            if any(_may_deny(cluster, tier, side.direction, side.subject) for tier in judging):
                return True
    return False
