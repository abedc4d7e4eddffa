"""Judges the rules of invariants over sets of endpoints and classes of ports: exact, and without asking each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network

from netlab.cluster.outside import with_hosts
from netlab.cluster.types import Cluster, Endpoint, Pod
from netlab.frozen import NamedTuple
from netlab.objects.invariants import InvariantRule, PortSpan, RuleEnd
from netlab.objects.services import Service
from netlab.policy.outside import outside_of
from netlab.policy.port_classes import PortClasses, is_in, joined_spans
from netlab.policy.rule_ends import others, selected, service_of, without_match
from netlab.policy.rule_results import Breach, FamilyResult, RuleResult
from netlab.policy.tiers.tier import AskedPort
from netlab.policy.verdict_sets import Destinations, RuleQuestions, Selected, VerdictSets, is_translatable
from netlab.verdicts import Expected

_EVERYWHERE = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
# The most breaches of one rule and IP family that are listed.
MOST_BREACHES = 50


class Question(NamedTuple):
    """Pairs that a rule asks about on one class of ports: the sources, one destination, and the class."""

    sources: Selected
    to: Destinations
    ports: PortSpan


class RuleJudge:
    """Judges rules about one cluster. In ``cluster`` an outside host stands for each class of outside addresses."""

    def __init__(self, cluster: Cluster, rules: Sequence[InvariantRule]) -> None:
        self._given = cluster
        ends = [end for rule in rules for end in rule.ends]
        ranges: list[IPv4Network | IPv6Network] = [end.cidr for end in ends if end.cidr is not None]
        ranges += _EVERYWHERE if any(rule.only is not None for rule in rules) else ()
        self.outside = outside_of(cluster, ranges)
        self.cluster = with_hosts(cluster, self.outside)
        spans = [span for rule in rules for span in rule.ports]
        spans += [span for rule in rules for one in rule.only or () for span in one.ports]
        self._ports = PortClasses(self.cluster, spans)
        nodes = any(end.kind == "nodes" for end in ends)
        self._questions = RuleQuestions(self._ports.questions(), nodes=nodes, system=True)
        self.sets = VerdictSets(self.cluster, self._questions, cluster)

    def judge(self, rule: InvariantRule) -> RuleResult:
        """Return the result of a rule."""
        nothing = self._without_match(rule)
        families = [self._of_family(rule, family) for family in self.cluster.families]
        found = tuple(one for one in families if one.pairs)
        return RuleResult(rule, found, nothing or ("" if found else "the selected endpoints have nothing to ask about"))

    def questions(self, rule: InvariantRule, family: int) -> Iterator[Question]:
        """Yield what a rule asks about in an IP family."""
        yield from self._questions_of(_Chosen(self.cluster, rule, self.sets, family), rule, family)

    def _questions_of(self, chosen: _Chosen, rule: InvariantRule, family: int) -> Iterator[Question]:
        for machine in (False, True):
            for span in self._ports.of(rule.ports, machine=machine):
                sources, destinations = chosen.ends(span)
                for kind, some in destinations.of.items():
                    if is_translatable(some[0]) == machine:
                        yield Question(sources, Destinations(kind, some, token=destinations.token(1 << kind)), span)
        if chosen.asks_service(family):
            for span in chosen.service_ports():
                sources, _ = chosen.ends(span)
                yield Question(sources, Destinations(-1, (), chosen.service), span)

    def asked_port(self, question: Question, family: int) -> AskedPort:
        """Return the example of a question's class of ports."""
        return family, *self._ports.example(question.ports)

    def _of_family(self, rule: InvariantRule, family: int) -> FamilyResult:
        found: dict[tuple[object, ...], tuple[_Alike, list[PortSpan]]] = {}
        open_somewhere = unknown_somewhere = False
        chosen = _Chosen(self.cluster, rule, self.sets, family)
        for question in self._questions_of(chosen, rule, family):
            among = self.sets.sources(question.to, family, question.sources)
            if not among:
                continue
            by_verdict = self.sets.verdicts(question.to, self.asked_port(question, family), among)
            denied = among & ~(by_verdict.allow | by_verdict.some | by_verdict.unknown)
            open_somewhere |= bool(by_verdict.allow | by_verdict.some)
            unknown_somewhere |= bool(by_verdict.unknown)
            wrong: list[tuple[Expected, int]] = [("some", by_verdict.some), ("unknown", by_verdict.unknown)]
            if rule.verdict == "deny":
                wrong.insert(0, ("allow", by_verdict.allow))
            else:
                wrong.insert(0, ("deny", denied))
            for verdict, kinds in wrong:
                if kinds:
                    alike = _Alike(question.to, verdict, kinds, question.sources)
                    found.setdefault(alike.key, (alike, []))[1].append(question.ports)
        pairs = self._pairs_of(chosen, family)
        if rule.verdict == "some":
            if open_somewhere:
                found = {}
            elif unknown_somewhere:
                found = {key: one for key, one in found.items() if one[0].verdict == "unknown"}
        breaches, more = self._breaches(list(found.values()), family)
        nothing = "" if breaches or not pairs else self._nothing(rule, family)
        return FamilyResult(family, pairs, breaches, more, nothing)

    def _pairs_of(self, chosen: _Chosen, family: int) -> int:
        """Return the number of pairs that a rule asks about on some port."""
        sources, destinations = chosen.every_end()
        every = [Destinations(kind, some) for kind, some in destinations.of.items()]
        if chosen.asks_service(family):
            every.append(Destinations(-1, (), chosen.service))
        return sum(_pairs(sources, one, self.sets.sources(one, family, sources)) for one in every)

    # --- breaches -----------------------------------------------------------------------------------------------------

    def _breaches(self, found: Sequence[tuple[_Alike, list[PortSpan]]], family: int) -> tuple[tuple[Breach, ...], int]:
        """Return the breaches with the most pairs, and the number of the others."""
        merged: dict[tuple[object, ...], tuple[list[_Alike], tuple[PortSpan, ...]]] = {}
        for alike, ports in found:
            spans = joined_spans(ports)
            same = (alike.verdict, alike.kinds, alike.sources.token(alike.kinds), id(alike.to.service), spans)
            merged.setdefault(same, ([], spans))[0].append(alike)
        ordered = sorted(merged.values(), key=lambda one: -sum(map(_wrong_pairs, one[0])))
        breaches = [self._breach(of, ports, family) for of, ports in ordered[:MOST_BREACHES]]
        return tuple(breaches), len(ordered) - len(breaches)

    def _breach(self, of: Sequence[_Alike], ports: tuple[PortSpan, ...], family: int) -> Breach:
        of = sorted(of, key=lambda alike: alike.to.kind)
        first = of[0]
        sources = first.sources.members(first.kinds)
        ends: tuple[Endpoint, ...] | Service = tuple(end for alike in of for end in alike.to.members)
        example: Endpoint | Service
        if first.to.service is not None:
            ends = example = first.to.service
            source = sources[0]
        else:
            pair = pair_of(sources, first.to.members)
            assert pair is not None
            source, example = pair
        # A port that the destination declares is the best example.
        port = min(ports, key=lambda span: not _declares(example, span))
        asked = (family, *self._ports.example(port))
        decision = self.sets.decision(source, example, asked)
        return Breach(sources, ends, ports, first.verdict, sum(map(_wrong_pairs, of)), decision)

    # --- what proves nothing ------------------------------------------------------------------------------------------

    def _without_match(self, rule: InvariantRule) -> str:
        """Return, as text, the ends that select nothing; "" if each selects something."""
        found = []
        for end in rule.ends:
            if end.kind == "service":
                service = service_of(self._given, end)
                if service is None:
                    found.append(without_match(self._given, end))
                elif not _Chosen(self.cluster, rule, self.sets).service_ports():
                    ports = ", ".join(f"{port.port}/{port.protocol}" for port in service.ports) or "none"
                    found.append(f"Service {service.meta.key} has none of the rule's ports; its ports are {ports}")
            elif not selected(self.cluster, end):
                found.append(without_match(self.cluster, end))
        return "; ".join(dict.fromkeys(found))

    def _nothing(self, rule: InvariantRule, family: int) -> str:
        """Return why a rule that holds proves nothing in an IP family, "" if it proves something."""
        if rule.verdict == "deny":
            return "" if self._open_without_policies(rule, family) else "it holds without any policy too"
        for question in self.questions(rule, family):
            among = self.sets.sources(question.to, family, question.sources)
            if among and self.sets.judged(question.to, self.asked_port(question, family), among):
                return ""
        return "no policy selects either end, so nothing could forbid it"

    def _open_without_policies(self, rule: InvariantRule, family: int) -> bool:
        for question in self.questions(rule, family):
            among = self.sets.sources(question.to, family, question.sources)
            if among and self.sets.connected(question.to, self.asked_port(question, family), among):
                return True
        return False


class _Alike(NamedTuple):
    """Kinds of sources with one wrong verdict towards a destination."""

    to: Destinations
    verdict: Expected
    kinds: int
    sources: Selected

    @property
    def key(self) -> tuple[object, ...]:
        """A value that is equal for two of them about the same pairs with the same verdict."""
        return (
            *(self.to.kind, self.to.token, id(self.to.service), self.verdict),
            *(self.kinds, self.sources.token(self.kinds)),
        )


class _Chosen:
    """The endpoints of a rule's two ends by kind in an IP family; with ``only`` they depend on the port."""

    def __init__(self, cluster: Cluster, rule: InvariantRule, sets: VerdictSets, family: int = 0) -> None:
        self._rule = rule
        self._sets = sets
        self.service: Service | None = None
        self._fixed = {
            side: sets.selected(selected(cluster, end, family)) for side, end in _sides(rule) if end is not None
        }
        self._listed = [(one.ports, {id(end) for end in selected(cluster, one.end, family)}) for one in rule.only or ()]
        self._others = others(cluster, rule) if rule.only is not None else ()
        self._known: dict[tuple[int, ...], Selected] = {}
        for _, end in _sides(rule):
            if end is not None and end.kind == "service":
                self.service = service_of(cluster, end)

    def ends(self, span: PortSpan) -> tuple[Selected, Selected]:
        """Return the sources and the destinations on a class of ports."""
        if self._rule.only is None:
            return self._fixed["source"], self._fixed["destination"]
        covering = tuple(number for number, (ports, _) in enumerate(self._listed) if is_in(span, ports))
        if covering not in self._known:
            listed = set().union(*(self._listed[number][1] for number in covering))
            self._known[covering] = self._without(listed)
        return self._beside(self._known[covering])

    def every_end(self) -> tuple[Selected, Selected]:
        """Return the sources and the destinations of all classes of ports that were asked for, together."""
        if self._rule.only is None:
            return self._fixed["source"], self._fixed["destination"]
        always = [set().union(*(self._listed[number][1] for number in covering)) for covering in self._known]
        return self._beside(self._without(set.intersection(*always) if always else set()))

    def asks_service(self, family: int) -> bool:
        """Say whether a Service is asked in an IP family: it has an address of the family, or no address at all."""
        if self.service is None:
            return False
        addresses = self.service.cluster_ips
        return not addresses or any(address.version == family for address in addresses)

    def service_ports(self) -> list[PortSpan]:
        """Return the ports of the Service that the rule is about."""
        ports = self.service.ports if self.service is not None else ()
        spans = [PortSpan(port.protocol, port.port, port.port) for port in ports]
        return [span for span in spans if is_in(span, self._rule.ports)]

    def _without(self, listed: set[int]) -> Selected:
        return self._sets.selected(one for one in self._others if id(one) not in listed)

    def _beside(self, other: Selected) -> tuple[Selected, Selected]:
        if self._rule.source is None:
            return other, self._fixed["destination"]
        return self._fixed["source"], other


def _sides(rule: InvariantRule) -> tuple[tuple[str, RuleEnd | None], ...]:
    return ("source", rule.source), ("destination", rule.destination)


def _pairs(sources: Selected, to: Destinations, among: int) -> int:
    if to.service is not None:
        return sources.size(among)
    own = {id(one) for one in sources.of.get(to.kind, ())} if among >> to.kind & 1 else set()
    return sources.size(among) * len(to.members) - sum(id(one) in own for one in to.members)


def _wrong_pairs(alike: _Alike) -> int:
    return _pairs(alike.sources, alike.to, alike.kinds)


def pair_of(sources: Sequence[Endpoint], destinations: Sequence[Endpoint]) -> tuple[Endpoint, Endpoint] | None:
    """Return a source and another endpoint as destination, None if there is no such pair."""
    return next(((s, d) for s in sources[:2] for d in destinations[:2] if s is not d), None)


def _declares(end: Endpoint | Service, span: PortSpan) -> bool:
    if not isinstance(end, (Pod, Service)):
        return False
    return any(port.protocol == span.protocol and span.first <= port.port <= span.last for port in end.ports)
