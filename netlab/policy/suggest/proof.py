"""The proof of a suggestion by the evaluator, and the comparison of the needs with what is allowed today.

Endpoints are divided into parts. The pods of a part are of one label class, and of one group in each reading. A set of
parts is an integer, so the table of a large cluster is compared by a few operations for each part and port.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netlab.cluster.flows import Flow, FlowSelection, declared_ports
from netlab.cluster.services.system import DNS_LABELS
from netlab.cluster.types import Cluster, Endpoint, Host, Pod, address_of
from netlab.objects.policies import IPBlock
from netlab.objects.types import Address, Direction
from netlab.policy.bitsets import members
from netlab.policy.decision import Decision
from netlab.policy.dns import reaches_dns
from netlab.policy.evaluate import evaluate, judged_side
from netlab.policy.groups import Groups, groups
from netlab.policy.suggest.label_classes import LabelClasses
from netlab.policy.suggest.needs import Addresses, DnsServers, End, Need, Pods, merged
from netlab.policy.suggest.results import Pairs, Proof
from netlab.policy.suggest.universe import tier_ports
from netlab.policy.suggest.writing import DNS_NAMESPACE
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected


class NeedsCheck:
    """Compares needs with two readings of one cluster: with today's policies, and with the suggested ones.

    ``touched`` are the namespaces that get policies. ``more_ports`` are asked about, as those of pods and needs are.
    """

    def __init__(
        self,
        today: Cluster,
        suggested: Cluster,
        classes: LabelClasses,
        needs: Sequence[Need],
        families: Sequence[int],
        more_ports: Iterable[tuple[str, int | None]] = (),
        touched: frozenset[str] = frozenset(),
    ) -> None:
        self._today, self._suggested, self._classes = today, suggested, classes
        self._needs = needs
        self._touched = touched
        self._families = tuple(families)
        ports: dict[tuple[str, int | None], None] = dict.fromkeys((need.protocol, need.port) for need in needs)
        for pod in today.pods:
            ports.update(dict.fromkeys(declared_ports(pod)))
        ports.update(dict.fromkeys(more_ports))
        # A cluster-wide policy may accept a port that the suggestion does not open.
        wide = [(one.protocol, one.port) for one in tier_ports(today) if isinstance(one.port, int)]
        ports.update(dict.fromkeys(wide))
        self.questions = FlowSelection(tuple(ports), self._families, nodes=True, system=True)
        self._readings = [groups(today, self.questions), groups(suggested, self.questions)]
        self._parts, self._group_of = self._divided()
        self._single = sum(1 << n for n, part in enumerate(self._parts) if len(part) == 1)
        self._sets: list[dict[int, int]] = [{}, {}]
        self._in_group = [self._by_group(at) for at in (0, 1)]
        self._wanted = self._needed_sets()

    def _divided(self) -> tuple[list[list[Endpoint]], list[tuple[int, int]]]:
        place = [{m.ref: g.number for g in of.groups for m in g.members} for of in self._readings]
        found: dict[tuple[object, int, int], list[Endpoint]] = {}
        for endpoint in self.questions.endpoints(self._today):
            of = self._classes.of(endpoint) if isinstance(endpoint, Pod) else None
            what: object = of.number if of is not None else endpoint.ref
            found.setdefault((what, place[0][endpoint.ref], place[1][endpoint.ref]), []).append(endpoint)
        return list(found.values()), [(first, second) for _, first, second in found]

    def _by_group(self, reading: int) -> list[int]:
        sets = [0] * len(self._readings[reading].groups)
        for part, of in enumerate(self._group_of):
            sets[of[reading]] |= 1 << part
        return sets

    def _expanded(self, reading: int, found: int) -> int:
        """Return the set of parts in a set of groups of a reading."""
        known = self._sets[reading]
        if found not in known:
            known[found] = sum(self._in_group[reading][number] for number in members(found))
        return known[found]

    def _parts_of(self, end: End, family: int) -> int:
        """Return the set of parts that an end stands for in an IP family."""
        found = 0
        for number, part in enumerate(self._parts):
            if self._is_at(end, part[0], family):
                found |= 1 << number
        return found

    def _is_at(self, end: End, endpoint: Endpoint, family: int) -> bool:
        of = self._classes.of(endpoint) if isinstance(endpoint, Pod) else None
        if isinstance(end, Pods):
            return of is not None and of.number == end.number
        if isinstance(end, DnsServers):
            return of is not None and of.namespace == DNS_NAMESPACE and DNS_LABELS.items() <= of.labels.items()
        address = address_of(endpoint, family)
        return of is None and address is not None and end.block.contains(address)

    def _needed_sets(self) -> dict[AskedPort, dict[int, int]]:
        """Return, by port and destination, the set of the sources that need it."""
        parts: dict[tuple[End, int], int] = {}
        found: dict[AskedPort, dict[int, int]] = {}
        for need in self._needs:
            for family in self._readings[1].cluster.families:
                if self._families and family not in self._families:
                    continue
                for end in (need.source, need.destination):
                    if (end, family) not in parts:
                        parts[end, family] = self._parts_of(end, family)
                columns = found.setdefault((family, need.protocol, need.port), {})
                for number in members(parts[need.destination, family]):
                    columns[number] = columns.get(number, 0) | parts[need.source, family]
        return found

    def _columns(self, reading: int) -> Iterator[tuple[AskedPort, int, dict[Expected, int], int, int]]:
        """Yield ports and destinations, each with the sources of each verdict, all sources, and those that need it."""
        of: Groups = self._readings[reading]
        for asked in of.into:
            wanted = self._wanted.get(asked, {})
            for number in range(len(self._parts)):
                group = of.groups[self._group_of[number][reading]]
                if asked not in group.services:
                    continue
                sources = self._without_itself(self._expanded(reading, of.sources(group, asked)), number)
                having = {
                    verdict: self._expanded(reading, columns[asked][group.number]) & sources
                    for verdict, columns in of.having.items()
                }
                yield asked, number, having, sources, wanted.get(number, 0) & sources

    def _should_be_denied(self, pairs: Pairs, decision: Decision) -> bool:
        """Say whether a pair that passes without a need should be denied.

        It should if policies decide about it, or could, and one of their pods is in a touched namespace.
        """
        # NetworkPolicies do not judge what a pod sends to its own node, even where a cluster-wide policy does.
        own_node = decision.path.own_node
        judged = [side for side in decision.sides if not (own_node and side.direction == "egress")]
        subjects = {side.subject.namespace for side in judged}
        ends = (pairs.source, pairs.destination)
        if all(isinstance(end, Pod) and end.selectable for end in ends):
            subjects |= {end.namespace for end in ends if isinstance(end, Pod)}
        return not self._touched.isdisjoint(subjects)

    def proof(self, shown: FlowSelection) -> Proof:
        """Return what the evaluator says about the cluster with the suggestion; ``shown`` is as for ``not_needed``."""
        needed = denied = alone = 0
        missing: list[Pairs] = []
        extra: list[Pairs] = []
        unjoined: list[Pairs] = []
        unknown: list[Pairs] = []
        for asked, to, having, sources, wanted in self._columns(1):
            allowed, unsure = having["allow"], having["unknown"]
            needed += self._count(wanted & allowed, to)
            denied += self._count(sources & ~wanted & ~allowed & ~unsure, to)
            unknown += self._pairs(unsure, to, asked)
            for pairs in self._pairs(wanted & ~allowed & ~unsure, to, asked):
                decision = evaluate(self._suggested, _flow(pairs))
                if not decision.path.connected:
                    unjoined.append(pairs._replace(why=decision.path.reason))
                else:
                    missing.append(pairs._replace(why=decision.reason))
            for pairs in self._pairs(allowed & ~wanted, to, asked):
                decision = evaluate(self._suggested, _flow(pairs))
                if self._should_be_denied(pairs, decision):
                    extra.append(pairs._replace(why=decision.path.exempt or decision.reason))
                else:
                    alone += pairs.pairs
        outside = 0
        for need, passes, stopped in self._outside():
            outside += passes
            if stopped:
                missing.append(self._as_pairs(need, stopped))
        unsure_pairs = tuple(self._listed(unknown, shown))
        return Proof(needed, denied, alone, tuple(missing), tuple(extra), tuple(unjoined), unsure_pairs, outside)

    def _as_pairs(self, need: Need, pods: int) -> Pairs:
        """Return a need that policies stop, as pairs with an outside host in place of its addresses."""
        ends: list[Endpoint] = []
        for end in (need.source, need.destination):
            if isinstance(end, Pods):
                ends.append(self._classes.all[end.number].pods[0])
            else:
                addresses = (_first_of(end.block),) if isinstance(end, Addresses) else ()
                ends.append(Host(str(end.block.cidr) if isinstance(end, Addresses) else "dns", addresses))
        family = need.source.block.cidr.version if isinstance(need.source, Addresses) else 4
        return Pairs(ends[0], ends[1], (family, need.protocol, need.port), pods, "policies deny it")

    def not_needed(self, shown: FlowSelection) -> list[Pairs]:
        """Return the pairs that are allowed today, that nothing needs, and that the suggestion denies.

        ``shown`` selects the endpoints of the list; its ports do not count.
        """
        after = {(asked, to): having["allow"] for asked, to, having, _, _ in self._columns(1)}
        found: list[Pairs] = []
        for asked, to, having, _, wanted in self._columns(0):
            declared = declared_ports(self._parts[to][0])
            if asked[1:] in declared or (asked in self._wanted and to in self._wanted[asked]):
                found += self._pairs(having["allow"] & ~wanted & ~after[asked, to], to, asked)
        return self._listed(found, shown)

    def _listed(self, found: Iterable[Pairs], shown: FlowSelection) -> list[Pairs]:
        """Return pairs of the shown endpoints; those of the same classes and port are one item."""
        listed = {endpoint.ref for endpoint in shown.endpoints(self._today)}
        joined: dict[tuple[object, object, AskedPort], Pairs] = {}
        for one in found:
            if one.source.ref in listed and one.destination.ref in listed:
                key = (self._alike(one.source), self._alike(one.destination), one.asked)
                before = joined.get(key)
                joined[key] = one if before is None else before._replace(pairs=before.pairs + one.pairs)
        return list(joined.values())

    def _alike(self, endpoint: Endpoint) -> object:
        of = self._classes.of(endpoint) if isinstance(endpoint, Pod) else None
        return endpoint.ref if of is None else of.number

    def today(self, need: Need) -> dict[Expected, int]:
        """Return the number of pairs of a need with each verdict today.

        If the lab joins none of its pairs, or it has an end outside of the cluster, it is judged by policies alone.
        """
        return self._joined(need, self._today) or self._by_policies(need, self._today)

    def _joined(self, need: Need, cluster: Cluster) -> dict[Expected, int]:
        """Return the number of pairs of a need that the wiring joins, by verdict; nothing if it joins none."""
        found: dict[Expected, int] = {}
        for family in cluster.families:
            asked = (family, need.protocol, need.port)
            if (self._families and family not in self._families) or asked not in self._readings[0].into:
                continue
            sources = self._parts_of(need.source, family)
            for to in members(self._parts_of(need.destination, family)):
                for pairs in self._pairs(self._without_itself(sources, to), to, asked):
                    decision = evaluate(cluster, _flow(pairs))
                    if decision.path.connected:
                        found[decision.verdict] = found.get(decision.verdict, 0) + pairs.pairs
        return found

    def _by_policies(self, need: Need, cluster: Cluster) -> dict[Expected, int]:
        """Return the number of pods of a need by the verdict of their policies, whatever the wiring is."""
        found: dict[Expected, int] = {}
        ends: tuple[tuple[Direction, End, End], ...] = (
            ("egress", need.source, need.destination),
            ("ingress", need.destination, need.source),
        )
        for direction, subject, other in ends:
            if not isinstance(subject, Pods) or isinstance(other, Pods):
                continue
            for pod in self._classes.all[subject.number].pods:
                if isinstance(other, DnsServers):
                    verdict: Expected = "allow" if reaches_dns(cluster, pod, need.protocol) else "deny"
                else:
                    address = _first_of(other.block)
                    flow = Flow(pod, None, address.version, need.protocol, need.port, address)
                    if direction == "ingress":
                        flow = flow._replace(destination=pod)
                    verdict = judged_side(cluster, direction, pod, None, address, flow).verdict
                found[verdict] = found.get(verdict, 0) + 1
        return found

    def _outside(self) -> Iterator[tuple[Need, int, int]]:
        """Yield the needs with an end outside of the cluster, each with the number of pods allowed and denied it."""
        for need, *_ in merged(self._needs).values():
            if isinstance(need.source, Addresses) or not isinstance(need.destination, Pods):
                by_policies = self._by_policies(need, self._suggested)
                stopped = by_policies.get("deny", 0)
                # The table has the pairs of an endpoint. Of these, policies do not decide about a pod's own node.
                if stopped and self._is_of_endpoint(need) and self._joined(need, self._suggested):
                    stopped = 0
                yield need, by_policies.get("allow", 0), stopped

    def _is_of_endpoint(self, need: Need) -> bool:
        """Say whether an end of a need is the one address of an endpoint."""
        blocks = [end.block for end in (need.source, need.destination) if isinstance(end, Addresses)]
        return any(block.cidr.num_addresses == 1 and block.cidr[0] in self._suggested.by_address for block in blocks)

    def _without_itself(self, sources: int, to: int) -> int:
        return sources & ~(1 << to) if self._single >> to & 1 else sources

    def _count(self, found: int, to: int) -> int:
        size = len(self._parts[to])
        return sum(len(self._parts[n]) * (size - (n == to)) for n in members(found))

    def _pairs(self, found: int, to: int, asked: AskedPort) -> Iterator[Pairs]:
        part = self._parts[to]
        for number in members(found):
            of = self._parts[number]
            # Of one part, two different members.
            yield Pairs(of[-1] if number == to else of[0], part[0], asked, len(of) * (len(part) - (number == to)))


def _flow(pairs: Pairs) -> Flow:
    family, protocol, port = pairs.asked
    return Flow(pairs.source, pairs.destination, family, protocol, port, address_of(pairs.destination, family))


def _first_of(block: IPBlock) -> Address:
    """Return the first address of a block, or of its range if exceptions take all of it."""
    address = block.cidr[0]
    for hole in sorted(block.excepts, key=lambda prefix: int(prefix[0])):
        if address in hole and hole[-1] != block.cidr[-1]:
            address = hole[-1] + 1
    return address
