"""The causes of a changed verdict: the smallest part of a change without which the pair has its old verdict.

The evaluator is asked about clusters between the two inputs (``clusters_between``), so a change of text that means
nothing is no cause. Of several parts of the same size the first is taken: policies first, then in the order of the
input. If there are few parts, all sets of them are tried. If there are many, each part of the set is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from itertools import combinations
from math import comb

from netlab.cluster.flows import FlowSelection
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.objects.kind import get
from netlab.objects.meta import Key
from netlab.objects.services import Endpoints, EndpointSlice, Service
from netlab.objects.types import DIRECTIONS
from netlab.objects.unread_kinds import is_policy
from netlab.policy.cause_text import causes_text
from netlab.policy.cluster_diff import ChangedPairs, Ends
from netlab.policy.clusters_between import ClustersBetween, ExhaustedError, Part, is_network_policy
from netlab.policy.endpoint_kinds import EndpointKinds
from netlab.policy.explained_pairs import ExplainedPairs, Parts
from netlab.policy.groups import Group
from netlab.policy.isolating import isolating
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected

# The most sets of one size that are tried, and the most documents of all their clusters.
_MOST_SETS, _DOCUMENTS = 500, 100_000
# The most kinds of pairs of a row that are asked about, the most rows with a cause, and the most causes of earlier rows
# that are tried first.
_MOST_PAIRS, _MOST_ROWS, _MOST_AGAIN = 4_000, 20_000, 50
_ABOUT_SERVICES = (Service, Endpoints, EndpointSlice)

_Kind = Sequence[Endpoint] | Sequence[Service]

_NO_PAIR: Parts = frozenset()


class Causes:
    """Finds the causes of changed pairs. ``unexplained`` counts the rows without a cause."""

    def __init__(self, between: ClustersBetween, questions: FlowSelection) -> None:
        self._between = between
        self._questions = questions
        self._kinds: list[tuple[Cluster, EndpointKinds]] = []
        self._kind_of: dict[int, Hashable] = {}
        self._found: list[Parts] = []
        self._most = min(_MOST_SETS, _DOCUMENTS // max(between.size, 1))
        self._rows = 0
        self.unexplained = 0

    def changed_policies(self) -> dict[int, str]:
        """Return the policies that the change adds, removes or changes: the name of each by its number in a part."""
        keys = ((number, one.key) for number, one in enumerate(self._between.changed))
        return {number: str(key) for number, key in keys if key.kind.endswith("Policy")}

    def explained(self, changed: ChangedPairs) -> Iterator[ExplainedPairs]:
        """Yield changed pairs, divided by their causes. Without its cause, each pair has its old verdict."""
        divided = self._divided(changed) if self._rows < _MOST_ROWS else [(changed, None)]
        for pairs, parts in divided:
            self._rows += 1
            if parts is None:
                self.unexplained += 1
                yield ExplainedPairs(pairs, ())
                continue
            because = causes_text(self._between, sorted(parts, key=_place), pairs.example, pairs.asked)
            yield ExplainedPairs(pairs, tuple(because), parts)

    def smallest(self, ends: Ends, asked: AskedPort, old: Expected | None) -> Parts | None:
        """Return the smallest part of the change without which a pair has its old verdict; None if it is not found."""

        def explains(parts: Parts) -> bool:
            return self._between.verdict(parts, ends, asked) == old

        try:
            for parts in self._found[:_MOST_AGAIN]:
                if len(parts) == 1 and explains(parts):
                    return parts
            found = None
            for number, candidates in enumerate(self._candidates(ends)):
                # One object is the smallest set. A larger one may not be: a label that is taken back may bring in
                # a policy that selects the pod neither before nor after the change.
                if found is None or (number == 1 and len(found) > 1 and len(candidates) <= self._most):
                    other = _smallest(candidates, explains, self._most)
                    found = other if found is None or (other and len(other) < len(found)) else found
            if found is None:
                return None
            for part in sorted(found, key=_place):
                others = found - {part}
                fields = [Part(part.object, at) for at in range(len(self._between.fields(part.object)))]
                with_fields = partial(_explain_together, explains, others)
                of_object = _smallest(fields, with_fields, self._most)
                found = others | of_object if of_object else found
            # Some fields of an object may do what all of them, with another object, did.
            found = _thinned(sorted(found, key=_place), explains)
        except ExhaustedError:
            self._rows = _MOST_ROWS
            return None
        if found not in self._found:
            self._found.insert(0, found)
        return found

    def _divided(self, changed: ChangedPairs) -> Iterator[tuple[ChangedPairs, Parts | None]]:
        """Yield the changed pairs by cause. The groups of sources and destinations are divided as far as needed."""
        sources: list[list[Endpoint]] = self._by_kind(changed.source)
        to = changed.destination
        ends = [[to]] if isinstance(to, Service) else self._by_kind(to)
        rows: dict[tuple[Parts | None, ...], list[int]] = {}
        for at, row in enumerate(self._matrix(changed, sources, ends)):
            rows.setdefault(tuple(row), []).append(at)
        for row, of_sources in rows.items():
            columns: dict[Parts | None, list[int]] = {}
            for at, cause in enumerate(row):
                columns.setdefault(cause, []).append(at)
            for cause, of_ends in columns.items():
                pairs = _pairs_of_kinds(changed, sources, of_sources, ends, of_ends)
                if pairs.pairs:
                    yield pairs, cause

    def _matrix(
        self, changed: ChangedPairs, sources: Sequence[_Kind], ends: Sequence[_Kind]
    ) -> Sequence[Sequence[Parts | None]]:
        """Return the cause of the pairs of each kind of source with each kind of destination."""
        if len(sources) * len(ends) > _MOST_PAIRS:
            # Each kind of source with one destination, and one source with each kind of destination.
            by_end = [self._cause(changed, sources[0], end) or self._cause(changed, sources[1], end) for end in ends]
            by_source = [self._cause(changed, one, ends[0]) or self._cause(changed, one, ends[1]) for one in sources]
            if len({*by_source}) == 1:
                return [[one or None for one in by_end]] * len(sources)
            return [[one or None] * len(ends) if len({*by_end}) == 1 else [None] * len(ends) for one in by_source]
        found = [[self._cause(changed, source, end) for end in ends] for source in sources]
        # There is no pair of one endpoint with itself, so any cause fits.
        usual = Counter(one for row in found for one in row if one != _NO_PAIR).most_common(1)[0][0]
        return [[(usual if one == _NO_PAIR else one) or None for one in row] for row in found]

    def _cause(self, changed: ChangedPairs, sources: _Kind, ends: _Kind) -> Parts | None:
        """Return the cause of the pairs of two kinds; ``_NO_PAIR`` if there is no such pair."""
        for source in sources[:2]:
            for end in ends[:2]:
                if source is not end and isinstance(source, Endpoint):
                    return self.smallest((source, end), changed.asked, changed.old)
        return _NO_PAIR

    def _by_kind(self, group: Group) -> list[list[Endpoint]]:
        """Return the members of a group in kinds that neither cluster tells apart."""
        if len(group.members) == 1:
            return [list(group.members)]
        found: dict[Hashable, list[Endpoint]] = {}
        for member in group.members:
            # A member is in many groups, and lives as long as its cluster.
            kind = self._kind_of.get(id(member))
            if kind is None:
                kind = self._kind_of[id(member)] = self._properties(member)
            found.setdefault(kind, []).append(member)
        return list(found.values())

    def _properties(self, endpoint: Endpoint) -> Hashable:
        """Return what the evaluator reads of an endpoint in both clusters."""
        if not self._kinds:
            clusters = (self._between.new.cluster, self._between.old.cluster)
            self._kinds = [(one, EndpointKinds(one, self._questions)) for one in clusters]
        own = [(of.by_ref.get(endpoint.ref), kinds) for of, kinds in self._kinds]
        return tuple(None if one is None else kinds.properties(one) for one, kinds in own)

    def _candidates(self, ends: Ends) -> Iterator[list[Part]]:
        """Yield the changed objects that may decide about a pair: the likely ones, then more, then all."""
        every = sorted((Part(number) for number in range(len(self._between.changed))), key=self._rank)
        spaces, owners, selecting = self._near(ends)
        for chosen in (selecting, None):
            yield [part for part in every if self._concerns(part.object, ends, spaces, owners, chosen)]
        yield every

    def _concerns(
        self, number: int, ends: Ends, spaces: set[str], owners: set[str], selecting: set[str] | None
    ) -> bool:
        """Say whether an object may decide about a pair.

        It may if it is the object of an end, a policy of the namespaces of the ends, or one of the whole cluster.
        ``selecting`` has the NetworkPolicies that count; None stands for all of the namespaces.
        """
        key = self._between.changed[number].key
        if not key.namespace:
            return key.kind != "Namespace" or key.name in spaces
        service = isinstance(ends[1], Service) or not isinstance(ends[1], Pod)
        if service and (_is_about_services(key) or key.namespace in spaces):
            return True
        if selecting is not None and is_network_policy(key):
            return f"{key.namespace}/{key.name}" in selecting
        if _is_policy(key):
            return key.namespace in spaces
        return str(key) in owners

    def _near(self, ends: Ends) -> tuple[set[str], set[str], set[str]]:
        """Return the namespaces of the ends, the objects that they are made from, and the policies that select them."""
        spaces: set[str] = set()
        owners: set[str] = set()
        selecting: set[str] = set()
        for end in ends:
            if isinstance(end, Service):
                spaces.add(end.meta.namespace)
                continue
            for version in (self._between.old, self._between.new):
                pod = version.cluster.by_ref.get(end.ref)
                if isinstance(pod, Pod):
                    spaces.add(pod.namespace)
                    owners |= {pod.workload, f"Pod {pod.ref}", f"PodLabels {pod.ref}"}
                    for direction in DIRECTIONS:
                        selecting |= {one.meta.key for one in isolating(version.cluster, pod, direction)}
        return spaces, owners, selecting

    def _rank(self, part: Part) -> tuple[bool, int]:
        return not _is_policy(self._between.changed[part.object].key), part.object


def _place(part: Part) -> tuple[int, int]:
    return part.object, -1 if part.field is None else part.field


def _is_about_services(key: Key) -> bool:
    found = get(key.kind)
    return found is not None and found.type in _ABOUT_SERVICES


def _is_policy(key: Key) -> bool:
    group = key.api_version.rpartition("/")[0]
    return (get(key.kind) is not None and key.kind.endswith("Policy")) or is_policy(key.kind, group)


def _explain_together(explains: Callable[[Parts], bool], others: Parts, parts: Parts) -> bool:
    return explains(others | parts)


def _smallest(candidates: Sequence[Part], explains: Callable[[Parts], bool], most: int) -> Parts | None:
    """Return a smallest set of parts that explains; None if all together do not.

    If there are more than ``most`` sets of a size, each part of the set is needed, and a smaller set may explain too.
    """
    if not candidates or not explains(frozenset(candidates)):
        return None
    for one in candidates:
        if explains(frozenset((one,))):
            return frozenset((one,))
    left = _thinned(candidates, explains)
    for size in range(2, len(left)):
        if comb(len(candidates), size) > most:
            break
        for some in combinations(candidates, size):
            if explains(frozenset(some)):
                return frozenset(some)
    return left


def _thinned(candidates: Sequence[Part], explains: Callable[[Parts], bool]) -> Parts:
    """Return a set of parts that explains, in which each part is needed; all candidates together explain.

    The last candidates are left out first, so policies stay.
    """
    left = frozenset(candidates)
    before = None
    # A part that was needed may not be, once another one is left out.
    while before != left:
        before = left
        for one in reversed(candidates):
            if one in left and len(left) > 1 and explains(left - {one}):
                left -= {one}
    return left


def _pairs_of_kinds(
    changed: ChangedPairs,
    sources: Sequence[_Kind],
    of_sources: Sequence[int],
    ends: Sequence[_Kind],
    of_ends: Sequence[int],
) -> ChangedPairs:
    """Return the changed pairs of some kinds of sources and destinations."""
    if len(of_sources) == len(sources) and len(of_ends) == len(ends):
        return changed
    source = changed.source
    own = {id(one) for at in of_sources for one in sources[at]}
    group = Group(source.number, tuple(one for one in source.members if id(one) in own), source.services)
    to = changed.destination
    if not isinstance(to, Service):
        other = {id(one) for at in of_ends for one in ends[at]}
        to = Group(to.number, tuple(one for one in to.members if id(one) in other), to.services)
    return ChangedPairs(group, to, changed.asked, changed.old, changed.new)
