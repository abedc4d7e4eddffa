"""Groups of equivalent endpoints as a result: their members, and which groups reach which.

The document (``-o json``, ``-o yaml``) is::

    {"apiVersion": "netlab/v1alpha1", "kind": "ReachabilityGroups", "lab": NAME,
     "groups": [{"id": 1, "description": "shop app=web", "kind": "Pod", "namespaces": ["shop"],
                 "labels": {"app": "web"}, "count": 2, "members": ["shop/web-0", "shop/web-1"]}],
     "rows": [{"source": 1, "destinations": [2, 3], "family": 4, "protocol": "TCP", "port": 80,
               "expected": "allow", "pairs": 4}],
     "summary": {"groups": 3, "endpoints": 5, "pairs": 20, "allow": 5, "deny": 15, "some": 0,
                 "unknown": 0}}

With ``--services``, ``services`` has an item for each port of each Service: ``{"destination": "service:shop/db",
"family": 4, "protocol": "TCP", "port": 5432, "sources": {"allow": [1], "deny": [2, 3]}}``.

``labels`` are those that all members share. A row has one verdict: that of every pair of a member of ``source`` and
another endpoint in one of ``destinations``. ``destinations`` has all groups with this verdict, also the source's own if
its members have it with one another. ``pairs`` counts the pairs of the row. With ``--self``, a row with ``"self":
true`` is about each member with itself. So the rows expand to those of a Reachability document.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any

from netlab.cluster.flows import service_ref
from netlab.frozen import frozen
from netlab.policy.bitsets import members
from netlab.policy.group_names import FEW, GroupName, GroupNames
from netlab.policy.groups import Group
from netlab.report.documents import API_VERSION, Items, Streamed
from netlab.report.formats import Page
from netlab.report.rows import Row
from netlab.report.truth_table import Paint, TruthTable
from netlab.verdicts import Expected

if TYPE_CHECKING:
    from netlab.policy.groups import Groups, ServiceVerdicts
    from netlab.policy.tiers.tier import AskedPort

# The most entries of a list; then the number of others follows.
_MOST = 6
_WORDS: dict[Expected, str] = {"some": "some endpoints", "unknown": "unknown"}


class ReachabilityGroups:
    """Groups of endpoints with equal verdicts, as a result."""

    def __init__(self, found: Groups) -> None:
        self.found = found

    def table(self, page: Page) -> Iterator[str]:
        """Yield a truth table of groups if it fits the page, else a list for each group; then the counts."""
        yield from table(self.found, page.width, page.paint)
        yield summary(self.found)

    def wide(self, page: Page) -> Iterator[str]:
        """Yield a list for each group, and the counts."""
        yield from lists(self.found)
        yield summary(self.found)

    def document(self) -> Streamed:
        """Return the ReachabilityGroups document; its rows are made one by one."""
        found = self.found
        names = GroupNames(found.cluster)
        head = {"apiVersion": API_VERSION, "kind": "ReachabilityGroups", "lab": found.cluster.name}
        described = Items(lambda: (_data(group, names.name(group)) for group in found.groups))
        lists = {"groups": described, "rows": Items(lambda: _rows(found))}
        if found.to_services:
            lists["services"] = Items(lambda: map(_of_service, found.to_services))
        return Streamed(head, lists, lambda: {"summary": _summary(found)})


def _data(group: Group, name: GroupName) -> dict[str, Any]:
    from netlab.cluster.types import Pod
    from netlab.objects.controllers import known_labels

    pods = [member for member in group.members if isinstance(member, Pod)]
    labels = [{*known_labels(pod.labels).items()} for pod in pods]
    return {
        "id": group.number + 1,
        "description": str(name),
        "kind": type(group.members[0]).__name__,
        "namespaces": list(dict.fromkeys(pod.namespace for pod in pods)),
        "labels": dict(sorted(set.intersection(*labels))) if labels else {},
        "count": len(group.members),
        "members": [member.ref for member in group.members],
    }


def _rows(found: Groups) -> Iterator[dict[str, Any]]:
    for source in found.groups:
        size = len(source.members)
        for service in found.into:
            for verdict, of_verdict in found.verdicts(source, service):
                if numbers := members(of_verdict):
                    others = sum(len(found.groups[n].members) for n in numbers) - (source.number in numbers)
                    yield _row(source, [n + 1 for n in numbers], service, verdict, size * others)
        for service, verdict in zip(source.services, source.alone, strict=False):
            yield {**_row(source, [source.number + 1], service, verdict, size), "self": True}


def _row(source: Group, to: list[int], service: AskedPort, verdict: str, pairs: int) -> dict[str, Any]:
    family, protocol, port = service
    row = {"source": source.number + 1, "destinations": to, "family": family, "protocol": protocol, "port": port}
    return {**row, "expected": verdict, "pairs": pairs}


def _of_service(one: ServiceVerdicts) -> dict[str, Any]:
    service, family, protocol, port = one.question
    sources = {verdict: [n + 1 for n in members(having)] for verdict, having in one.having.items() if having}
    asked = {"family": family, "protocol": protocol, "port": port}
    return {"destination": service_ref(service), **asked, "sources": sources}


def _summary(found: Groups) -> dict[str, int]:
    count = found.tally()
    endpoints = sum(len(group.members) for group in found.groups)
    counts = {str(verdict): number for verdict, number in count.items()}
    return {"groups": len(found.groups), "endpoints": endpoints, "pairs": sum(count.values()), **counts}


def summary(found: Groups) -> str:
    """Return the counts as a line."""
    of = _summary(found)
    ends = " and ".join(part for part in (_kinds(found, "Pod"), _kinds(found, "Host"), _kinds(found, "Node")) if part)
    counts = f"{of['pairs']} pair{'' if of['pairs'] == 1 else 's'}: {of['allow']} allow, {of['deny']} deny"
    counts += "".join(f", {of[verdict]} {verdict}" for verdict in ("some", "unknown") if of[verdict])
    return f"{of['groups']} group{'' if of['groups'] == 1 else 's'} of {ends or 'no endpoints'}; {counts}"


def _kinds(found: Groups, kind: str) -> str:
    count = sum(len(group.members) for group in found.groups if type(group.members[0]).__name__ == kind)
    return f"{count} {kind.lower()}{'' if count == 1 else 's'}" if count else ""


def table(found: Groups, width: int, paint: Paint = lambda text, mark: text) -> Iterator[str]:
    """Yield a truth table of groups by groups if it fits the width, else the lists of every group.

    Groups with equal text in several namespaces are listed once.
    """
    namer = GroupNames(found.cluster)
    names = [namer.name(group) for group in found.groups]
    label = max((len(name.counted) for name in names), default=0) + 4
    columns = len(names) + len({id(one.question.service) for one in found.to_services})
    if label + columns * (1 + len(str(columns))) <= width:
        yield from TruthTable(_as_rows(found, names)).lines(width, paint)
    else:
        yield from lists(found, fold=True)


def _as_rows(found: Groups, names: Sequence[GroupName]) -> Iterator[Row]:
    for answer in found.answers():
        # The pair of a pod with itself has a mark only if its group has no other pod.
        if not answer.alone or answer.pairs == 1:
            source, destination = names[answer.source.number], names[answer.destination.number]
            family, protocol, port = answer.service
            yield Row(source.counted, destination.counted, family, protocol, port, expected=answer.verdict)
    for one in found.to_services:
        service, family, protocol, port = one.question
        for verdict, having in one.having.items():
            for number in members(having):
                yield Row(names[number].counted, service_ref(service), family, protocol, port, expected=verdict)


def lists(found: Groups, *, fold: bool = False) -> Iterator[str]:
    """Yield for every group what reaches it and what it reaches; ``fold`` lists equal text once."""
    writer = _Writer(found)
    blocks: dict[Any, tuple[_Block, list[str]]] = {}
    for group in found.groups:
        block = writer.block(group)
        same = (block.name.inside, block.asked, block.lines) if fold and block.name.namespace else group.number
        blocks.setdefault(same, (block, []))[1].append(block.name.namespace)
    for block, (_, *more) in blocks.values():
        too = f"; the same in {_spaces(more, 'more namespaces')}" if more else ""
        yield f"{block.name.counted}{block.asked}{too}"
        yield from block.lines
        yield ""
    yield from writer.services()


@frozen
class _Block:
    """One group as text: its name, its ports, and the lines below."""

    name: GroupName
    asked: str
    lines: tuple[str, ...]


@frozen
class _Asked:
    """One port of one group: the groups at the other end, and those among them with each verdict but deny."""

    service: AskedPort
    asked: int
    having: Mapping[Expected, int]


class _Writer:
    """Writes for each group what reaches it and what it reaches."""

    def __init__(self, found: Groups) -> None:
        self._found = found
        names = GroupNames(found.cluster)
        self._names = [names.name(group) for group in found.groups]
        self._both = len({family for family, _, _ in found.into}) > 1
        self._spaces: dict[str, int] = {}
        self._called: dict[str, list[int]] = {}
        for group in found.groups:
            name = self._names[group.number]
            if name.namespace:
                self._called.setdefault(name.inside, []).append(group.number)
            for member in group.members:
                space = getattr(member, "namespace", "")
                self._spaces[space] = self._spaces.get(space, 0) | 1 << group.number

    def block(self, group: Group) -> _Block:
        """Return a group as text."""
        found, own = self._found, group.number
        into = [
            _Asked(s, found.sources(group, s), {v: of[s][own] for v, of in found.having.items()})
            for s in group.services
        ]
        out = [
            _Asked(s, found.destinations(group, s), {v: of[s][own] for v, of in found.having_by_source.items()})
            for s in found.into
        ]
        asked = f", asked {self._services(group.services)}"
        return _Block(
            self._names[group.number], asked, (*self._lines("from", group, into), *self._lines("to", group, out))
        )

    def services(self) -> Iterator[str]:
        """Yield a block for each Service: the sources of each verdict."""
        found = self._found
        by_service: dict[int, list[ServiceVerdicts]] = {}
        for one in found.to_services:
            by_service.setdefault(id(one.question.service), []).append(one)
        for of in by_service.values():
            service = of[0].question.service
            # A Service is in no group, so it has a number that no group has.
            own = Group(len(self._names), (), tuple(one.question[1:] for one in of))
            self._names.append(GroupName(service.meta.namespace, service.meta.name, "", service.meta.namespace))
            asked = [_Asked(one.question[1:], one.asked, one.having) for one in of]
            yield f"{service_ref(service)}, asked {self._services(own.services)}"
            yield from self._lines("from", own, asked)
            yield ""

    def _lines(self, word: str, group: Group, asked: Sequence[_Asked]) -> Iterator[str]:
        """Yield the groups that may use all ports, those that may use some, and those with other verdicts."""
        texts: list[str] = []
        for verdict in self._found.having:
            having = [(one.service, one.asked, one.having[verdict]) for one in asked]
            if verdict == "allow":
                texts += self._parts(group, having)
            elif any(groups for _, _, groups in having):
                texts += [f"{_WORDS[verdict]}: {text}" for text in self._parts(group, having)]
        for number, text in enumerate(texts or ["none"]):
            yield f"  {word if not number else '':<4}  {text}"

    def _parts(self, group: Group, asked: Sequence[tuple[AskedPort, int, int]]) -> list[str]:
        """Name the groups with the verdict on all ports, then those with it on some.

        An item of ``asked`` is a port, the set of groups that are asked, and the set of groups with the verdict.
        """
        every_group = reduce(or_, (of for _, of, _ in asked), 0)
        complete = reduce(and_, (having | ~of for _, of, having in asked), every_group)
        parts: dict[tuple[AskedPort, ...], int] = {(): every_group & ~complete}
        for service, _, having in asked:
            for services, found in list(parts.items()):
                if found & having:
                    parts[*services, service] = found & having
                    parts[services] = found & ~having
        texts = [self._list(group, complete, every_group)] if complete else []
        texts += [
            f"{self._services(services)}: {self._list(group, found, every_group)}"
            for services, found in parts.items()
            if services and found
        ]
        return texts

    def _list(self, group: Group, found: int, every_group: int) -> str:
        """Name a set of groups from the view of one group: all, all but some, or some."""
        if found == every_group:
            return "all"
        rest = every_group & ~found
        if found.bit_count() > rest.bit_count():
            return f"all but {self._some(group, rest)}"
        return self._some(group, found)

    def _some(self, group: Group, found: int) -> str:
        """Name a set of groups: the group itself, whole namespaces, then the others by name over several namespaces."""
        own = self._names[group.number].namespace
        items = ["one another"] if found >> group.number & 1 else []
        left = found & ~(1 << group.number)
        spaces = dict.fromkeys(self._names[number].namespace for number in members(left))
        for space in sorted(spaces, key=lambda space: space != own):
            whole = self._spaces[space] & ~(1 << group.number) if space else 0
            if whole.bit_count() > 1 and whole & left == whole:
                items.append("all others of its namespace" if space == own else f"{space}/*")
                left &= ~whole
        alike: dict[str, list[int]] = {}
        for number in members(left):
            name = self._names[number]
            if own and name.namespace == own:
                items.append(f"{name.inside} of its namespace")
            else:
                alike.setdefault(name.inside if name.namespace else name.counted, []).append(number)
        items += [self._of_namespaces(inside, numbers, own) for inside, numbers in alike.items()]
        more = len(items) - _MOST
        return ", ".join(items) if more <= 1 else f"{', '.join(items[:_MOST])} and {more} more"

    def _of_namespaces(self, inside: str, numbers: Sequence[int], own: str) -> str:
        """Name groups that have one name in several namespaces."""
        if len(numbers) == 1:
            return self._names[numbers[0]].counted
        others = [number for number in self._called[inside] if self._names[number].namespace != own]
        if len(numbers) == len(others):
            return f"{inside} of every {'other ' if own else ''}namespace that has it"
        return f"{inside} of {_spaces([self._names[number].namespace for number in numbers])}"

    def _services(self, services: Iterable[AskedPort]) -> str:
        return ", ".join(
            (protocol if port is None else f"{port}/{protocol}") + (f" over IPv{family}" if self._both else "")
            for family, protocol, port in services
        )


def _spaces(names: Sequence[str], what: str = "namespaces") -> str:
    if len(names) <= FEW:
        return ", ".join(names)
    return f"{len(names)} {what} ({', '.join(names[:FEW])}, …)"
