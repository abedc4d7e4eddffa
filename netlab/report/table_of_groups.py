"""The truth table of every pair, from groups of equivalent endpoints: all sources of a group have one line."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from netlab.cluster.flows import service_ref
from netlab.cluster.types import Endpoint
from netlab.policy.bitsets import members
from netlab.policy.groups import Group, Groups, ServiceVerdicts
from netlab.policy.tiers.tier import AskedPort
from netlab.report.truth_table import Cell, TruthTable
from netlab.verdicts import EXPECTED, Expected

# The bits of a verdict for one port: 0 if the port is not asked.
_BITS = len(EXPECTED).bit_length()


def truth_table(found: Groups, endpoints: Sequence[Endpoint]) -> TruthTable:
    """Return the table of all selected pairs; ``endpoints`` is in the order of the table."""
    group_of = {id(member): group for group in found.groups for member in group.members}
    asked = [one for one in endpoints if group_of[id(one)].services]
    services: dict[str, list[ServiceVerdicts]] = {}
    for one in found.to_services:
        services.setdefault(service_ref(one.question.service), []).append(one)
    table = TruthTable(destinations=(*(one.ref for one in asked), *services))
    cells = _Cells(found, table)
    columns = [group_of[id(one)].number for one in asked]
    lines: dict[int, array[int]] = {}
    for at, source in enumerate(asked):
        group = group_of[id(source)]
        if group.number not in lines:
            of_group = cells.to_groups(group)
            to_services = [cells.to_service(group, of) for of in services.values()]
            lines[group.number] = array("I", [*(of_group[number] for number in columns), *to_services])
        line = array("I", lines[group.number])
        line[at] = cells.alone(group)
        if source is group.members[-1]:
            del lines[group.number]
        if any(line):
            table.fill(source.ref, line)
    return table


class _Cells:
    """The numbers of cells by the groups of their ends."""

    def __init__(self, found: Groups, table: TruthTable) -> None:
        self._found = found
        self._table = table
        self._place = {service: _BITS * at for at, service in enumerate(found.into)}
        lists: dict[tuple[AskedPort, ...], int] = {}
        self._lists = [lists.setdefault(group.services, len(lists)) for group in found.groups]
        self._known: dict[tuple[int, int], int] = {}

    def to_groups(self, source: Group) -> list[int]:
        """Return the numbers of the cells from a group to each group."""
        # ``_BITS`` bits for each port: the number of its verdict from 1, or 0.
        codes = [0] * len(self._found.groups)
        for service, place in self._place.items():
            for verdict, groups in self._found.verdicts(source, service):
                bits = (EXPECTED.index(verdict) + 1) << place
                for number in members(groups):
                    codes[number] |= bits
        keys = zip(self._lists, codes, strict=True)
        known = self._known
        return [known[key] if key in known else self._number(at, key) for at, key in enumerate(keys)]

    def to_service(self, group: Group, of: Sequence[ServiceVerdicts]) -> int:
        """Return the number of the cell from a group to a Service."""
        return self._table.number(
            _cell(
                (one.question[1:], verdict)
                for one in of
                for verdict, having in one.having.items()
                if having >> group.number & 1
            )
        )

    def alone(self, group: Group) -> int:
        """Return the number of the cell of a member with itself."""
        return self._table.number(_cell(zip(group.services, group.alone, strict=False)))

    def _number(self, group: int, key: tuple[int, int]) -> int:
        bits = (1 << _BITS) - 1
        services = self._found.groups[group].services
        verdicts = ((service, key[1] >> self._place[service] & bits) for service in services)
        cell = _cell((service, EXPECTED[verdict - 1]) for service, verdict in verdicts if verdict)
        number = self._known[key] = self._table.number(cell)
        return number


def _cell(answers: Iterable[tuple[AskedPort, Expected]]) -> Cell:
    found: dict[Expected, list[AskedPort]] = {verdict: [] for verdict in EXPECTED}
    for service, verdict in answers:
        found[verdict].append(service)
    allowed, denied, some, unknown = (tuple(found[verdict]) for verdict in EXPECTED)
    return Cell(allowed, denied, some, unknown)
