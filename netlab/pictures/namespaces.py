"""Who reaches whom, by namespace: how many pairs are open, and which namespaces are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from netlab.cluster.types import Pod
from netlab.frozen import frozen_with_cache
from netlab.pictures.arrows import both_ways, decided, place_of_rule
from netlab.pictures.badges import Badge, badges_of, box_sets
from netlab.pictures.isolation import Isolated
from netlab.pictures.model import Arrow, Box, BoxKind, Picture
from netlab.pictures.namespace_counts import Likeness, NamespaceCounts, counted
from netlab.pictures.ports import ports_text
from netlab.pictures.texts import MOST
from netlab.pictures.units import Pair, Ports
from netlab.policy.decision import Decision
from netlab.policy.groups import Groups
from netlab.policy.tiers.tier import AskedPort
from netlab.quantity import quantity
from netlab.verdicts import Expected

MOST_NAMES = 40
"""The most namespaces alike that a box names; a larger box names the first and the last."""
MOST_CLASSES = 40
"""The most boxes of namespaces alike; if there are more classes, namespaces are together that share less."""
_MOST_LISTED = 12
_LIKENESS: dict[Likeness, str] = {
    "all": "Namespaces alike have equal workloads and equal numbers to and from all others.",
    "inside": "Namespaces alike have equal workloads and equal numbers inside; more classes are unreadable.",
    "isolation": "The namespaces are too different for a picture: a box has those whose pods are isolated alike.",
}


def picture_of_namespaces(found: Groups, links: bool = False, why: str = "") -> Picture:
    """Return the picture of namespaces and of classes of namespaces alike.

    Args:
      found: the groups of the cluster.
      links: whether boxes link to ``#namespace-NAME``.
      why: why the picture does not have smaller units, as text, "" if that needs no words.
    """
    drawing = Drawing(counted(found))
    cluster = found.cluster
    boxes = tuple(drawing.box(number, links) for number in range(len(drawing.classes)))
    return Picture(
        f"{cluster.name}: who reaches whom, by namespace",
        boxes,
        (),
        both_ways(drawing.arrows()),
        tuple(drawing.below(why)),
        "namespace",
    )


@frozen_with_cache
class _Between:
    """The pairs between two classes with one verdict: for each port, those with it and those in question."""

    having: Mapping[AskedPort, int]
    total: Mapping[AskedPort, int]
    pairs: int
    """The number of pairs of namespaces; 0 if they differ, so that counts are sums."""

    @property
    def label(self) -> str:
        having, total = sum(self.having.values()), sum(self.total.values())
        if self.pairs > 1:
            return f"{having // self.pairs}/{total // self.pairs} each"
        return f"{having}/{total}"

    @property
    def complete(self) -> Ports:
        """The ports of which all pairs have the verdict."""
        return frozenset(port for port, count in self.having.items() if count == self.total.get(port))


class Drawing:
    """A picture of namespaces in the making."""

    def __init__(self, counts: NamespaceCounts) -> None:
        self._counts = counts
        self.classes, self._likeness = counts.classes(MOST_CLASSES)
        self._class_of = {place: number for number, places in enumerate(self.classes) for place in places}
        self._families = len({family for family, _, _ in counts.found.into})
        self.between = {verdict: self._all_between(verdict) for verdict in counts.open}
        self._isolation = [self._of_class(number) for number in range(len(self.classes))]
        self.badges = self._all_badges()
        self._replaced = {one for badge in self.badges for one in badge.replaced}

    def _all_between(self, verdict: Expected) -> dict[Pair, _Between]:
        by_pair: dict[Pair, list[tuple[str, str]]] = {}
        for source, to in self._counts.open[verdict]:
            by_pair.setdefault((self._class_of[source], self._class_of[to]), []).append((source, to))
        return {pair: self._one_between(verdict, pair, of) for pair, of in by_pair.items()}

    def _one_between(self, verdict: Expected, pair: Pair, of: Sequence[tuple[str, str]]) -> _Between:
        """Return the counts of two classes; of one class, those between its different namespaces."""
        source, to = pair
        inner = source == to
        found = [self._counts.open[verdict][one] for one in of if one[0] != one[1]]
        total = self._counts.total_of(self.classes[source], self.classes[to])
        number = len(self.classes[source]) * (len(self.classes[to]) - inner)
        having: Counter[AskedPort] = Counter()
        for one in found:
            having.update(one)
        uniform = self._likeness != "isolation" and len(found) == number and all(one == found[0] for one in found)
        return _Between(having, total, number if uniform else 0)

    def _of_class(self, number: int) -> Isolated:
        total = Isolated(0, 0, 0, 0)
        for place in self.classes[number]:
            total += self._counts.isolation[place]
        return total

    def _all_badges(self) -> list[Badge]:
        numbers = range(len(self.classes))
        asked: dict[Pair, Ports] = {}
        for a in numbers:
            for b in numbers:
                if a != b and (ports := frozenset(self._counts.total_of(self.classes[a], self.classes[b]))):
                    asked[a, b] = ports
        sets = box_sets(len(numbers), filter(self._is_pods, numbers), self._isolation, "every namespace")
        found = []
        for verdict, of in self.between.items():
            complete = {pair: between.complete for pair, between in of.items() if pair[0] != pair[1]}
            found += badges_of(
                asked,
                {pair: ports for pair, ports in complete.items() if ports},
                sets,
                lambda of: [self._name(number) for number in of],
                self._families,
                verdict,
            )
        return found

    def _is_pods(self, number: int) -> bool:
        return isinstance(self._counts.endpoints[self.classes[number][0]][0], Pod)

    def _name(self, number: int) -> str:
        of = self.classes[number]
        return ", ".join(of) if len(of) < 3 else f"{of[0]} … {of[-1]}"

    def ident(self, number: int) -> str:
        """Return the ident of a class: the name of its first namespace."""
        return self.classes[number][0]

    def arrows(self) -> list[Arrow]:
        """Return an arrow for each pair of classes and verdict with ports that no badge has."""
        found = []
        for verdict, of in self.between.items():
            for pair, between in sorted(of.items()):
                if pair[0] == pair[1] or all((pair, port) in self._replaced for port in between.having):
                    continue
                label = f"{between.label} {self._ports(between)}"
                source, to = self.ident(pair[0]), self.ident(pair[1])
                decision = self._example(verdict, pair)
                note = (*self._note(between), *([_reason(decision)] if decision else []))
                place = place_of_rule(decision) if decision else ""
                found.append(Arrow(source, to, label, verdict, note=note, place=place))
        return found

    def _example(self, verdict: Expected, pair: Pair) -> Decision | None:
        """Return the decision about one pair of endpoints of two classes that has a verdict."""
        of = self._counts.open[verdict]
        places = ((a, b) for a in self.classes[pair[0]] for b in self.classes[pair[1]] if a != b and (a, b) in of)
        example = next((self._counts.example(verdict, *one) for one in places), None)
        return decided(self._counts.found.cluster, *example) if example is not None else None

    def _ports(self, between: _Between) -> str:
        return ports_text(between.having, self._families, 1) if len(between.having) < 3 else ""

    def _note(self, between: _Between) -> tuple[str, ...]:
        return tuple(
            f"{self._text(port)}: {count}/{between.total.get(port, 0)} pairs open"
            for port, count in sorted(between.having.items(), key=str)
        )

    def box(self, number: int, links: bool) -> Box:
        """Return the box of a class."""
        places = self.classes[number]
        first = self._counts.endpoints[places[0]][0]
        if not isinstance(first, Pod):
            kind: BoxKind = "host" if places[0].startswith("host:") else "node"
            return Box(places[0], kind, (places[0],), badges=self._texts(number))
        isolation = self._isolation[number]
        alike = self._likeness != "isolation" and len(places) > 1
        pods = len(self._counts.endpoints[places[0]]) if alike else isolation.pods
        size = f"{quantity(pods, 'pod')}{' each' if alike else ''}"
        lines = [self._name(number)]
        if len(places) > 1:
            lines.append(f"{len(places)} namespaces{' alike' if alike else ''}, {size}")
            lines += _in_rows(places) if 2 < len(places) <= MOST_NAMES else []
        else:
            lines.append(size)
        if isolation.mixed:
            lines.append(isolation.mixed)
        counted_places = places[:1] if alike else places
        inside, total = self._inside(counted_places)
        if total:
            lines.append(f"inside: {sum(inside.values())}/{sum(total.values())} open{' each' if alike else ''}")
        texts = list(self._texts(number))
        if (own := self.between["allow"].get((number, number))) and own.having:
            texts.append(f"one another: {own.label}")
        note = [f"{badge.text}: {_reason(one)}" for badge in self.badges if (one := self._of_badge(number, badge))]
        note += [f"{isolation.neither} of {isolation.pods} pods not isolated"]
        note += [f"inside: {self._text(port)}: {inside[port]}/{count}" for port, count in total.items()]
        note += [", ".join(places[at : at + 8]) for at in range(0, min(len(places), 200), 8)] if len(places) > 1 else []
        return Box(
            self.ident(number),
            "namespace",
            tuple(lines),
            "",
            isolation.pods,
            isolation.isolation,
            tuple(texts),
            tuple(note),
            first.source.place(),
            f"#namespace-{places[0]}" if links else "",
        )

    def _of_badge(self, number: int, badge: Badge) -> Decision | None:
        """Return the decision about one pair that a badge of a box stands for."""
        if badge.box != number:
            return None
        pair = min(pair for pair, _ in badge.replaced)
        return self._example(badge.verdict, pair)

    def _texts(self, number: int) -> tuple[str, ...]:
        return tuple(badge.text for badge in self.badges if badge.box == number)

    def _inside(self, places: Sequence[str]) -> tuple[Counter[AskedPort], Counter[AskedPort]]:
        """Return the open pairs inside namespaces, and those in question, for each port."""
        having: Counter[AskedPort] = Counter()
        total: Counter[AskedPort] = Counter()
        for place in places:
            having.update(self._counts.open["allow"].get((place, place), {}))
            total.update(self._counts.total(place, place))
        return having, total

    def _text(self, port: AskedPort) -> str:
        return ports_text([port], self._families)

    def below(self, why: str) -> list[str]:
        """Return the lines of text below: what a box and a number stand for, and what is not isolated."""
        lines = [why] if why else []
        lines.append(f"12/40: of 40 pairs of pods and ports in question, 12 are open. {_LIKENESS[self._likeness]}")
        if any("not isolated" in badge.text for badge in self.badges):
            lines.append(
                'In a badge, "all not isolated" are the namespaces without a pod that a policy isolates: for egress '
                'after "from", for ingress after "to".'
            )
        if self._counts.found.to_services:
            lines.append("Services are not in a picture of namespaces.")
        of = {n: one for n, one in enumerate(self._isolation) if one.neither}
        worst = sorted(of, key=lambda n: (-of[n].neither / of[n].pods, -of[n].neither))
        texts = [f"{self._name(n)} {of[n].neither} of {of[n].pods}" for n in worst[:_MOST_LISTED]]
        more = f", and {len(worst) - _MOST_LISTED} more" if len(worst) > _MOST_LISTED else ""
        lines.append(f"Pods that no policy isolates: {', '.join(texts)}{more}." if texts else "All pods are isolated.")
        return lines


def _reason(decision: Decision) -> str:
    return f"{decision.flow.source.ref} to {decision.flow.target}: {decision.reason}"


def _in_rows(names: Sequence[str]) -> list[str]:
    """Return names in rows as wide as a box."""
    rows: list[str] = []
    for name in names:
        if rows and len(rows[-1]) + len(name) + 2 <= MOST:
            rows[-1] += f"  {name}"
        else:
            rows.append(name)
    return rows
