"""The matrix of namespaces: how many of their pairs are open. Namespaces alike share a row.

Two namespaces are alike if their groups have the same names, and no verdict changes when the two change places.
A click on a cell opens the matrices of the groups of both namespaces.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from netlab.cluster.types import Pod
from netlab.frozen import NamedTuple, frozen
from netlab.policy.groups import Group, Groups
from netlab.policy.reasons import service_text
from netlab.policy.tiers.tier import AskedPort
from netlab.quantity import quantity
from netlab.report.answers import Answers
from netlab.report.blocks import Answer, Cell, Header, Matrix
from netlab.report.interchangeable import alike
from netlab.report.isolation import flag_of, isolation_text
from netlab.report.matrices import Headers, alike_first
from netlab.report.namespace_counts import Counts, counts_text, mark_of
from netlab.report.truth_table import ALLOW, DENY, DIFFER, INCONCLUSIVE, PARTIAL, UNKNOWN
from netlab.verdicts import Expected

MOST_ROWS = 120
"""The most rows of the matrix. Of more namespaces, the first ones are shown."""

# The most matrices of groups in a page, and the most of their cells.
_INNER, _INNER_CELLS = 1_200, 20_000
_MEANING = {ALLOW: "all open", DENY: "none open", PARTIAL: "some open", UNKNOWN: "unknown"}
# The most members of a class that are named.
_NAMED = 200


@frozen
class _Namespace:
    """The groups of one namespace, outside host or node. Those whose groups have the same names have equal ``key``."""

    name: str
    groups: tuple[Group, ...]
    key: tuple[object, ...]

    @property
    def size(self) -> int:
        return sum(len(group.members) for group in self.groups)


class _Open(NamedTuple):
    """Questions between two namespaces that are not denied: the sources of ``verdict`` towards group ``at``."""

    at: int
    asked: AskedPort
    verdict: Expected
    sources: int


def namespace_matrix(answers: Answers, headers: Headers, isolated: Mapping[str, str]) -> Matrix:
    """Return the matrix of the namespaces of a cluster, and of its outside hosts and nodes."""
    return _Namespaces(answers, headers, isolated).matrix()


class _Namespaces:
    """The namespaces of a cluster and the counts between each two of them."""

    def __init__(self, answers: Answers, headers: Headers, isolated: Mapping[str, str]) -> None:
        self._answers = answers
        self._found = answers.found
        self._headers = headers
        self._isolated = isolated
        self._namespaces = _namespaces_of(self._found, headers)
        self._counts: list[Counts] = []
        self._known: dict[tuple[object, ...], int] = {}
        self._cells = self._between_all()

    def matrix(self) -> Matrix:
        """Return the matrix of classes of namespaces."""
        classes = alike(self._cells, [namespace.key for namespace in self._namespaces])
        order = alike_first([[self._mark(self._cells[of[0]][to[0]]) for to in classes] for of in classes])
        classes = [classes[number] for number in order]
        left = classes[MOST_ROWS:]
        classes = classes[:MOST_ROWS]
        kinds: list[Cell] = []
        opened = _Opened(self._inner)
        # Cells with something wrong come first, as there may not be room for all.
        for of in classes:
            for to in classes:
                for pair in _pairs(of, to):
                    if self._mark(self._cells[pair[0]][pair[1]]) in (DIFFER, INCONCLUSIVE):
                        opened.number(*(self._namespaces[at] for at in pair))
        cells = []
        for of in classes:
            line = []
            for to in classes:
                pairs = _pairs(of, to)
                found = [opened.number(*(self._namespaces[at] for at in pair)) for pair in pairs]
                line.append(len(kinds))
                kinds.append(self._cell(pairs, [number for number in found if number is not None]))
            cells.append(line)
        notes = []
        if left:
            notes.append(f"{len(left):,} more rows are left out; `netlab reach --group -o wide` prints all groups")
        if self._found.to_services:
            notes.append("Services are in the matrix of groups only, and in the output of `netlab reach --services`")
        if opened.left_out:
            notes.append(f"{opened.left_out:,} cells open no groups; `netlab reach --group -o wide` prints all groups")
        rows = [self._header(of) for of in classes]
        name = "namespaces" + (", those alike in one row" if any(len(of) > 1 for of in classes) else "")
        return Matrix(name, rows, rows, cells, kinds, opened.inner, notes, _MEANING)

    def _header(self, of: Sequence[int]) -> Header:
        namespaces = [self._namespaces[at] for at in of]
        first = namespaces[0]
        members = [member for namespace in namespaces for group in namespace.groups for member in group.members]
        pods = quantity(len(members), "pod") if isinstance(members[0], Pod) else ""
        name = first.name if len(of) == 1 else f"{first.name} and {len(of) - 1:,} alike"
        names = [namespace.name for namespace in namespaces]
        labels = {word for group in first.groups for word in self._headers.group(group).labels}
        own = self._found.cluster.namespaces.get(first.name, {})
        labels |= {f"{key}={value}" for key, value in own.items()}
        lines = []
        if len(of) > 1:
            more = len(names) - _NAMED
            lines.append(", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else ""))
        if pods:
            lines += [pods, isolation_text(self._isolated, members)]
        return Header(name, tuple(names), tuple(sorted(labels)[:40]), tuple(lines), flag_of(self._isolated, members))

    def _inner(self, source: _Namespace, destination: _Namespace) -> Matrix:
        kinds = [self._answers.between(one, other) for one in source.groups for other in destination.groups]
        width = len(destination.groups)
        cells = [[*range(at * width, (at + 1) * width)] for at in range(len(source.groups))]
        rows = [self._headers.group(group, inside=True) for group in source.groups]
        columns = [self._headers.group(group, inside=True) for group in destination.groups]
        return Matrix(f"{source.name} → {destination.name}", rows, columns, cells, kinds)

    def _cell(self, pairs: Sequence[tuple[int, int]], opens: Sequence[int]) -> Cell:
        each = [self._counts[self._cells[source][destination]] for source, destination in pairs]
        answers = []
        for counts, (source, destination) in zip(each, pairs, strict=True):
            names = f"{self._namespaces[source].name} → {self._namespaces[destination].name}"
            words = "inside each" if source == destination and len(pairs) > 1 else ""
            words = words or ("from each to each other" if len(pairs) > 1 else "")
            answers.append(Answer(words or "ports", counts_text(counts), "", names))
        marks = [mark_of(counts) for counts in each]
        flagged = next((flag for flag in (DIFFER, INCONCLUSIVE) if flag in marks), "")
        mark = flagged or (marks[0] if len({*marks}) == 1 else PARTIAL)
        text = " · ".join(f"{one.having.get('allow', 0):,}/{one.total:,}" if one.total else "-" for one in each)
        return Cell(mark, text, tuple(answers), tuple(opens))

    def _mark(self, number: int) -> str:
        return mark_of(self._counts[number])

    def _between_all(self) -> list[list[int]]:
        """Return the numbers of the counts between all namespaces: equal numbers stand for equal verdicts."""
        found = self._found
        flagged: dict[tuple[int, int], Counter[str]] = {}
        namespace_of = {group.number: at for at, namespace in enumerate(self._namespaces) for group in namespace.groups}
        for source, destination, outcome in self._answers.seen.flagged() if self._answers.seen else ():
            flagged.setdefault((namespace_of[source], namespace_of[destination]), Counter())[outcome] += 1
        size = len(self._namespaces)
        # By pair of namespaces: what is not denied, with numbers of groups within their namespaces.
        open_: dict[tuple[int, int], list[_Open]] = {}
        masks = [_mask(namespace) for namespace in self._namespaces]
        for to, namespace in enumerate(self._namespaces):
            for at, group in enumerate(namespace.groups):
                for asked in group.services:
                    for verdict, tables in found.having.items():
                        column = tables[asked][group.number] if asked in tables else 0
                        column &= found.sources(group, asked)
                        if not column:
                            continue
                        for of, (first, mask) in enumerate(masks):
                            bits = column >> first & mask
                            if bits:
                                open_.setdefault((of, to), []).append(_Open(at, asked, verdict, bits))
        cells = []
        for of in range(size):
            line = []
            for to in range(size):
                records = tuple(open_.get((of, to), ()))
                wrong = flagged.get((of, to), Counter())
                key = (
                    *(self._namespaces[of].key, self._namespaces[to].key, of == to),
                    *(records, wrong["differ"], wrong["inconclusive"]),
                )
                number = self._known.get(key)
                if number is None:
                    number = self._known[key] = len(self._counts)
                    counts = self._count(self._namespaces[of], self._namespaces[to], records, wrong, masks[of][0])
                    self._counts.append(counts)
                line.append(number)
            cells.append(line)
        return cells

    def _count(
        self, source: _Namespace, to: _Namespace, records: Sequence[_Open], wrong: Counter[str], first: int
    ) -> Counts:
        """Return the counts between two namespaces; ``first`` is the number of the source's first group."""
        total = 0
        for group in to.groups:
            for asked in group.services:
                sources = self._found.sources(group, asked)
                for one in source.groups:
                    if sources >> one.number & 1:
                        total += len(one.members) * (len(group.members) - (one is group))
        having: dict[Expected, int] = {}
        ports: dict[str, None] = {}
        by_number = {group.number: group for group in source.groups}
        for record in records:
            group = to.groups[record.at]
            for number, one in by_number.items():
                if record.sources >> number - first & 1:
                    pairs = len(one.members) * (len(group.members) - (one is group))
                    having[record.verdict] = having.get(record.verdict, 0) + pairs
            if record.verdict == "allow":
                ports[service_text(*record.asked[1:])] = None
        for group in to.groups if source is to else ():
            for verdict in group.alone:
                total += len(group.members)
                having[verdict] = having.get(verdict, 0) + len(group.members)
        return Counts(total, having, tuple(ports), wrong["differ"], wrong["inconclusive"])


class _Opened:
    """The matrices that cells open, at most ``_INNER`` with ``_INNER_CELLS`` cells; ``make`` makes one."""

    def __init__(self, make: Callable[[_Namespace, _Namespace], Matrix]) -> None:
        self.inner: list[Matrix] = []
        self.left_out = 0
        self._make = make
        self._room = _INNER_CELLS
        self._known: dict[tuple[str, str], int] = {}

    def number(self, source: _Namespace, destination: _Namespace) -> int | None:
        """Return the number of the matrix of two namespaces; None if there is no room for it."""
        key = (source.name, destination.name)
        size = len(source.groups) * len(destination.groups)
        if key not in self._known and (len(self.inner) >= _INNER or size > self._room):
            self.left_out += 1
            return None
        if key not in self._known:
            self._room -= size
            self._known[key] = len(self.inner)
            self.inner.append(self._make(source, destination))
        return self._known[key]


def _pairs(of: Sequence[int], to: Sequence[int]) -> list[tuple[int, int]]:
    """Return the pairs of namespaces that a cell is about: a class and itself also has a pair of two members."""
    return [(of[0], to[0]), *([(of[0], of[1])] if of is to and len(of) > 1 else [])]


def _mask(namespace: _Namespace) -> tuple[int, int]:
    """Return the lowest number of a namespace's groups, and the set of its groups shifted by it."""
    numbers = [group.number for group in namespace.groups]
    first = min(numbers)
    return first, sum(1 << number - first for number in numbers)


def _namespaces_of(found: Groups, headers: Headers) -> list[_Namespace]:
    by_name: dict[str, list[Group]] = {}
    named = {group.number: headers.group(group, inside=True) for group in found.groups}
    for group in found.groups:
        namespaces = named[group.number].namespaces
        name = namespaces[0] if len(namespaces) == 1 else named[group.number].name
        by_name.setdefault(name, []).append(group)
    shapes = {
        name: tuple((named[group.number].name, group.services, group.alone, len(group.members)) for group in of)
        for name, of in by_name.items()
    }
    # The places of the groups count too: the bits of two namespaces alike are the same.
    places = {name: _mask(_Namespace(name, tuple(of), ()))[1] for name, of in by_name.items()}
    return [_Namespace(name, tuple(of), (shapes[name], places[name])) for name, of in by_name.items()]
