"""The matrices of a report: of groups, and of pods. ``namespace_matrix`` has that of namespaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netlab.cluster.flows import service_ref
from netlab.cluster.types import Pod
from netlab.objects.controllers import known_labels
from netlab.policy.group_names import GroupNames
from netlab.policy.groups import Group, ServiceVerdicts
from netlab.report.answers import Answers
from netlab.report.blocks import Cell, Header, Matrix
from netlab.report.isolation import flag_of, isolation_text
from netlab.report.truth_table import NOT_ASKED

# The most members of a group that are named, and the most labels.
_NAMED, _LABELS = 10, 12


class Headers:
    """Makes the headers of groups and their members. ``isolated`` is what ``isolation`` returns."""

    def __init__(self, names: GroupNames, isolated: Mapping[str, str]) -> None:
        self._names = names
        self._isolated = isolated

    def group(self, group: Group, *, inside: bool = False) -> Header:
        """Return the header of a group; ``inside`` leaves the namespace out of its name."""
        name = self._names.name(group)
        pods = [member for member in group.members if isinstance(member, Pod)]
        spaces = tuple(dict.fromkeys(pod.namespace for pod in pods))
        shared = set.intersection(*({*_labels(pod)} for pod in pods)) if pods else set()
        refs = [member.ref for member in group.members]
        more = len(refs) - _NAMED
        lines = [", ".join(refs[:_NAMED]) + (f" and {more} more" if more > 0 else "")]
        if text := isolation_text(self._isolated, pods):
            lines.append(text)
        text = name.inside if inside and name.namespace else name.counted
        return Header(
            text,
            spaces,
            tuple(sorted(shared)[:_LABELS]),
            tuple(lines),
            flag_of(self._isolated, pods),
            f"group-{group.number + 1}",
        )

    def endpoint(self, group: Group, number: int) -> Header:
        """Return the header of a member of a group."""
        member = group.members[number]
        if not isinstance(member, Pod):
            return Header(member.ref)
        lines = [text] if (text := isolation_text(self._isolated, [member])) else []
        return Header(
            member.ref,
            (member.namespace,),
            tuple(sorted(_labels(member))[:_LABELS]),
            lines,
            flag_of(self._isolated, [member]),
        )


def _labels(pod: Pod) -> list[str]:
    return [f"{key}={value}" for key, value in known_labels(pod.labels).items()]


def group_matrix(answers: Answers, headers: Headers) -> Matrix:
    """Return the matrix of all groups, and of the Services that are asked about."""
    found = answers.found
    kinds: list[Cell] = []
    cells = []
    services = services_of(answers)
    for source in found.groups:
        line = [answers.between(source, destination) for destination in found.groups]
        line += [answers.to_service(source, ports) for ports in services.values()]
        cells.append([*range(len(kinds), len(kinds) + len(line))])
        kinds += line
    order = alike_first([[kinds[cell].mark for cell in line] for line in cells])
    columns = [*order, *range(len(found.groups), len(found.groups) + len(services))]
    rows = [headers.group(found.groups[number]) for number in order]
    return Matrix(
        "groups of pods with equal verdicts",
        rows,
        [*rows, *map(Header, services)],
        [[cells[source][column] for column in columns] for source in order],
        kinds,
    )


def pod_matrix(answers: Answers, headers: Headers, groups: Matrix) -> Matrix:
    """Return the matrix of all endpoints with the cells of their groups."""
    found = answers.found
    # Cells are numbered by group, whatever the order of rows is.
    width = len(found.groups) + len(services_of(answers))
    kinds = list(groups.kinds)
    ends = [(group, number) for group in found.groups for number in range(len(group.members))]
    own = [len(kinds) + number for number in range(len(found.groups))]
    kinds += [answers.alone(group) if group.alone else Cell(NOT_ASKED) for group in found.groups]
    order = alike_first([[kinds[group.number * width + to.number].mark for to, _ in ends] for group, _ in ends])
    ends = [ends[at] for at in order]
    cells = [
        [
            own[group.number] if (group, number) == (to, other) else group.number * width + to.number
            for to, other in ends
        ]
        + [*range(group.number * width + len(found.groups), (group.number + 1) * width)]
        for group, number in ends
    ]
    rows = [headers.endpoint(group, number) for group, number in ends]
    return Matrix("pods", rows, [*rows, *map(Header, services_of(answers))], cells, kinds)


def services_of(answers: Answers) -> dict[str, list[ServiceVerdicts]]:
    """Return the questions about each Service by its name."""
    found: dict[str, list[ServiceVerdicts]] = {}
    for one in answers.found.to_services:
        found.setdefault(service_ref(one.question.service), []).append(one)
    return found


def alike_first(rows: Sequence[Sequence[str]]) -> list[int]:
    """Return the order of rows in which equal ones touch; each stands where the first row that equals it stood."""
    found: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        found.setdefault(tuple(row), []).append(number)
    return [number for alike in found.values() for number in alike]
