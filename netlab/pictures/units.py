"""The units of a picture of who reaches whom: workloads, groups of endpoints, or Services, and the verdicts between.

All pairs of two units have one verdict for each port, as a unit is a part of a behaviour group (``policy.groups``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from netlab.cluster.flows import service_ref
from netlab.cluster.types import Endpoint, Host, Node, Pod
from netlab.frozen import frozen
from netlab.objects.services import Service
from netlab.pictures.texts import in_numbers, workload_name
from netlab.policy.bitsets import members
from netlab.policy.group_names import FEW, GroupNames
from netlab.policy.groups import Group, Groups
from netlab.policy.tiers.tier import AskedPort
from netlab.verdicts import Expected

Unit = Literal["auto", "workload", "group", "namespace"]
"""What a box stands for; ``auto`` chooses by the number of boxes."""

Ports = frozenset[AskedPort]
Pair = tuple[int, int]


@frozen
class Part:
    """One unit: endpoints of one group, or a Service, which is a destination only (``group`` is None).

    ``ident`` names it in the picture. ``namespace`` is "" for hosts and nodes, and for pods of several namespaces.
    ``name`` is its name inside its namespace.
    """

    ident: str
    name: str
    namespace: str
    members: tuple[Endpoint, ...]
    group: Group | None
    service: Service | None = None

    @property
    def is_pods(self) -> bool:
        """Whether it stands for pods."""
        return bool(self.members) and isinstance(self.members[0], Pod)


@frozen
class Verdicts:
    """The verdicts between units, by the numbers of source and destination; denied ports are in ``asked`` only."""

    asked: Mapping[Pair, Ports]
    having: Mapping[Expected, Mapping[Pair, Ports]]


def parts_of(found: Groups, unit: Literal["workload", "group"], label: str = "", most: int = 0) -> list[Part]:
    """Return the units in reading order: outside hosts, then pods by namespace, then nodes.

    Args:
      found: the groups.
      unit: ``workload``: pods of one workload and one group; ``group``: pods of one group and one namespace.
      label: the key of the label that names units; pods with other values are other units.
      most: if there are more units, those of one group in several namespaces are one; 0 for no bound.
    """
    names = GroupNames(found.cluster)
    keyed: dict[tuple[int, tuple[str, ...]], list[Endpoint]] = {}
    for by_namespace in (True, False):
        keyed = {}
        for group in found.groups:
            for member in group.members:
                keyed.setdefault((group.number, _key(member, unit, label, by_namespace)), []).append(member)
        if not most or len(keyed) <= most:
            break
    idents: dict[str, int] = {}
    parts = []
    for (number, _), of in keyed.items():
        group = found.groups[number]
        ident, name, namespace = _names(names, group, of, label)
        idents[ident] = idents.get(ident, 0) + 1
        if idents[ident] > 1:
            ident = f"{ident} ({of[0].ref})"
        parts.append(Part(ident, name, namespace, tuple(of), group))
    services = {id(one.question.service): one.question.service for one in found.to_services}
    parts += [Part(service_ref(one), one.meta.name, one.meta.namespace, (), None, one) for one in services.values()]
    return sorted(parts, key=_order)


def _key(member: Endpoint, unit: str, label: str, by_namespace: bool) -> tuple[str, ...]:
    if not isinstance(member, Pod):
        return (member.ref,)
    namespace = member.namespace if by_namespace else ""
    if label:
        return namespace, member.labels.get(label, "")
    if unit == "workload":
        return member.namespace, member.workload or member.ref
    return (namespace,)


def _names(names: GroupNames, group: Group, of: Sequence[Endpoint], label: str) -> tuple[str, str, str]:
    """Return the ident, the name and the namespace of a unit."""
    first = of[0]
    if not isinstance(first, Pod):
        return first.ref, first.ref, ""
    namespaces = list(dict.fromkeys(member.namespace for member in of if isinstance(member, Pod)))
    namespace = namespaces[0] if len(namespaces) == 1 else ""
    named = names.name(Group(group.number, tuple(of), group.services))
    where = namespace or named.where.rstrip(":")
    if label:
        name = first.labels.get(label) or f"without {label}"
    elif first.workload and all(isinstance(one, Pod) and one.workload == first.workload for one in of):
        name = workload_name(first)
    elif len(of) == 1:
        name = first.name
    else:
        name = "all" if named.what == "*" else named.what
    return f"{where}/{name}", name if namespace else f"{where}: {name}", namespace


def _order(part: Part) -> tuple[int, list[tuple[int, str]], str]:
    first = part.members[0] if part.members else None
    rank = 0 if isinstance(first, Host) else 2 if isinstance(first, Node) else 1
    return rank, in_numbers(part.namespace), part.ident


def verdicts_of(found: Groups, parts: Sequence[Part]) -> Verdicts:
    """Return the verdicts between units."""
    of_group: dict[int, list[int]] = {}
    for number, part in enumerate(parts):
        if part.group is not None:
            of_group.setdefault(part.group.number, []).append(number)
    asked: dict[Pair, set[AskedPort]] = {}
    having: dict[Expected, dict[Pair, set[AskedPort]]] = {"allow": {}, "some": {}, "unknown": {}}

    def numbers(bits: int) -> Iterator[int]:
        for group in members(bits):
            yield from of_group.get(group, ())

    def add(into: dict[Pair, set[AskedPort]], bits: int, to: int, service: AskedPort) -> None:
        for number in numbers(bits):
            if number != to or len(parts[to].members) > 1:
                into.setdefault((number, to), set()).add(service)

    for number, part in enumerate(parts):
        if part.group is None:
            continue
        for service in part.group.services:
            add(asked, found.sources(part.group, service), number, service)
            for verdict, tables in found.having.items():
                if service in tables:
                    add(having[verdict], tables[service][part.group.number], number, service)
    place = {id(part.service): number for number, part in enumerate(parts) if part.service is not None}
    for one in found.to_services:
        add(asked, one.asked, place[id(one.question.service)], one.question[1:])
        for verdict in having:
            add(having[verdict], one.having.get(verdict, 0), place[id(one.question.service)], one.question[1:])
    kept = {v: {pair: frozenset(ports) for pair, ports in of.items()} for v, of in having.items()}
    return Verdicts({pair: frozenset(ports) for pair, ports in asked.items()}, kept)


def some_names(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    return ", ".join(names) if len(names) <= FEW else f"{', '.join(names[:FEW])} and {len(names) - FEW} more"
