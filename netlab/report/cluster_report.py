"""The whole report of a cluster's verdicts: the summary, the matrices, the pictures and the policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from netlab.policy.group_names import GroupNames
from netlab.policy.groups import Groups, groups
from netlab.report.answers import MARKS, Answers
from netlab.report.blocks import Block, Bullets, Details, Heading, Image, Matrices, Matrix, Number, Paragraph
from netlab.report.isolation import isolation
from netlab.report.matrices import Headers, group_matrix, pod_matrix
from netlab.report.namespace_matrix import namespace_matrix
from netlab.report.policy_blocks import policy_blocks, warning_rows
from netlab.verdicts import Expected

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.pictures.model import Picture
    from netlab.report.kept import RowCounts

# The most rows of a matrix of groups and of a matrix of pods.
MOST_GROUPS, MOST_PODS = 64, 60
# Of more pods, the pictures of the wiring and of the policies are left out.
_MOST_DRAWN = 120
# A larger picture is left out.
_MOST_BOXES, _MOST_ARROWS = 150, 600


def verdict_figures(tally: Mapping[Expected, int]) -> Iterator[Number]:
    """Yield the number of pairs, and those of each verdict that occurs."""
    yield Number(f"{sum(tally.values()):,}", "pairs")
    for verdict, number in tally.items():
        if number or verdict in ("allow", "deny"):
            yield Number(f"{number:,}", verdict, MARKS[verdict])


def _figure(number: int, one: str, many: str, mark: str = "") -> Number:
    return Number(f"{number:,}", one if number == 1 else many, mark)


class ClusterReport:
    """The parts of a report about a cluster; ``seen`` has what packets said."""

    def __init__(self, cluster: Cluster, asked: FlowSelection, seen: RowCounts | None = None) -> None:
        from netlab.policy.warnings import warnings

        self.cluster = cluster
        self.found: Groups = seen.groups if seen is not None else groups(cluster, asked)
        self._asked = asked
        self._isolated = isolation(cluster)
        self._warnings = warnings(cluster)
        self._answers = Answers(self.found, seen)
        self._matrices = self._made()

    @property
    def source(self) -> str:
        """What decides the expected verdicts, as a sentence without its full stop."""
        profile = self.cluster.profile
        if profile is None:
            return "Expected verdicts are those of the Kubernetes documentation"
        return f"Expected verdicts are those of the profile {profile.name}, a model of this CNI"

    def figures(self) -> Sequence[Number]:
        """Return the numbers that describe the input."""
        bare = sum(kind == "none" for kind in self._isolated.values())
        pods = self.cluster.asked_pods()
        # The namespace of DNS, unless the input has pods in it.
        system = {pod.namespace for pod in self.cluster.pods} - {pod.namespace for pod in pods}
        return (
            _figure(len(pods), "pod", "pods"),
            _figure(len(self.found.groups), "group", "groups"),
            _figure(len(set(self.cluster.namespaces) - system), "namespace", "namespaces"),
            _figure(len(self.cluster.policies) + len(self.cluster.cluster_policies), "policy", "policies"),
            _figure(bare, "pod that no policy isolates", "pods that no policy isolates", "warn" if bare else ""),
            _figure(len(self._warnings), "warning", "warnings", "warn" if self._warnings else ""),
        )

    def matrices(self) -> Iterator[Block]:
        """Yield the matrices."""
        yield Heading("Who reaches whom")
        yield Matrices(self._matrices)

    def rest(self) -> Iterator[Block]:
        """Yield the pictures, the warnings and the policies."""
        yield from self._pictures()
        if self._warnings:
            yield Heading("Warnings")
            yield warning_rows(self._warnings)
        yield Heading("Policies")
        yield from policy_blocks(self.cluster, self._warnings, self._used())

    def _made(self) -> list[Matrix]:
        headers = Headers(GroupNames(self.cluster), self._isolated)
        size = len(self.found.groups)
        ends = sum(len(group.members) for group in self.found.groups)
        made: list[Matrix] = []
        if size <= MOST_GROUPS:
            made.append(group_matrix(self._answers, headers))
            if size < ends <= MOST_PODS:
                made.append(pod_matrix(self._answers, headers, made[0]))
        if size > MOST_GROUPS or len(self.cluster.namespaces) > 2:
            made.append(namespace_matrix(self._answers, headers, self._isolated))
        return made

    def _used(self) -> dict[str, None]:
        """Return the names of the policies that the cells name."""
        every = [*self._matrices, *(one for matrix in self._matrices for one in matrix.inner)]
        return dict.fromkeys(
            name for matrix in every for cell in matrix.kinds for one in cell.answers for name in one.policies
        )

    def _pictures(self) -> Iterator[Block]:
        from netlab.pictures.reach import reach_picture

        yield Heading("Pictures")
        yield from _drawn(reach_picture(self.cluster, self._asked, links=True, found=self.found), folded=False)
        if len(self.cluster.pods) > _MOST_DRAWN:
            yield Paragraph("netlab graph topology and netlab graph policies draw the wiring and the policies.")
            return
        from netlab.pictures.policies import policies_picture
        from netlab.pictures.topology import topology_picture

        yield from _drawn(policies_picture(self.cluster))
        yield from _drawn(topology_picture(self.cluster))


def _drawn(picture: Picture, *, folded: bool = True) -> Iterator[Block]:
    if len(picture.boxes) > _MOST_BOXES or len(picture.arrows) > _MOST_ARROWS:
        yield Paragraph(f"{picture.title}: {len(picture.boxes):,} boxes are too many here; netlab graph draws them.")
        return
    blocks: list[Block] = [Image(picture)]
    if picture.below:
        blocks.append(Bullets(picture.below))
    if folded:
        yield Details(picture.title, blocks)
    else:
        yield from blocks
