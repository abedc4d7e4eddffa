"""The cases with the choices of a CNI: what it answers differently from the documentation, and which choice is why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace

from netlab import modes
from netlab.cluster import Cluster, resolve
from netlab.conformance.cases import Cell, Stage
from netlab.conformance.judges import cluster_of, evaluator, flow_of
from netlab.frozen import frozen
from netlab.modes.wiring import Wiring
from netlab.objects import decode
from netlab.objects.profiles import Choice, Profile
from netlab.objects.topology import Topology
from netlab.objects.topology_shapes import WiringShape
from netlab.objects.types import Document
from netlab.policy.deciding import deciding
from netlab.policy.evaluate import evaluate


@frozen
class Deviation:
    """A cell that a CNI answers differently from the documentation of Kubernetes.

    ``causes`` are the choices that make the difference, each by itself; none if only several make it together.
    """

    stage: str
    cell: Cell
    documented: str
    verdict: str
    causes: tuple[Choice, ...]


@frozen
class UnderProfile:
    """A profile that cases are judged with; ``documents`` has the Profile of a user's own file, if it is one."""

    profile: Profile
    documents: tuple[Document, ...] = ()

    @property
    def mode(self) -> str:
        """The mode whose cases fit: that of several nodes if the CNI joins nodes."""
        return modes.SEVERAL_NODES if self._traits.transport.joins_nodes else modes.ONE_NODE

    @property
    def _traits(self) -> modes.Mode:
        return modes.wired(modes.of(modes.SEVERAL_NODES), self.profile.wiring)

    def changed(self, documents: Sequence[Document]) -> tuple[Document, ...]:
        """Return documents with the profile in their Topology, which no longer writes the mode."""
        return (*self.documents, *(self._topology(one) if one.kind == "Topology" else one for one in documents))

    def _topology(self, document: Document) -> Document:
        spec = dict(document.data["spec"])
        spec["networks"] = [
            {field: value for field, value in one.items() if field != "mode"} for one in spec.get("networks", ())
        ]
        return replace(document, data={**document.data, "spec": {**spec, "profile": self.profile.name}})

    def stage(self, stage: Stage) -> Stage:
        """Return a stage under the profile; it states no verdict, as judges only have to agree.

        Cells of an IP family that the CNI does not have are left out.
        """
        families = self.profile.families or (4, 6)
        cells = (cell for cell in stage.table if cell.family in families)
        return replace(stage, documents=self.changed(stage.documents), table=dict.fromkeys(cells))

    def deviations(self, stage: Stage) -> Iterator[Deviation]:
        """Yield the cells that the CNI answers differently, by the evaluator; ``stage`` is without the profile."""
        documented = documented_of(stage)
        under = self.stage(stage)
        cluster = cluster_of(under.documents)
        verdicts = evaluator(under.documents, cluster, [flow_of(cluster, cell) for cell in under.table])
        others: list[tuple[Choice, Cluster]] | None = None
        for cell, verdict in zip(under.table, verdicts, strict=True):
            if verdict == documented[cell] or "unknown" in (verdict, documented[cell]):
                continue
            causes = deciding(cluster, evaluate(cluster, flow_of(cluster, cell)))
            if not causes:
                others = list(self._without_wiring(under.documents)) if others is None else others
                usual = documented[cell]
                causes = tuple(one for one, of in others if evaluator((), of, [flow_of(of, cell)]) == [usual])
            yield Deviation(stage.name, cell, documented[cell], verdict, causes)

    def _without_wiring(self, documents: Sequence[Document]) -> Iterator[tuple[Choice, Cluster]]:
        """Yield each choice of wiring that may change a verdict, and the cluster of the documents without it."""
        objects, _ = decode(documents)
        topology = objects.topology
        assert topology is not None
        for choice, without in _variants(self.profile):
            named = replace(topology, profile=without.name)
            yield choice, resolve(replace(objects, found={**objects.found, Topology: (named,), Profile: (without,)}))


def documented_of(stage: Stage) -> Mapping[Cell, str]:
    """Return the verdict of each cell by the documentation: the stated one, or the evaluator's without a profile."""
    found: dict[Cell, str] = {cell: verdict for cell, verdict in stage.table.items() if verdict is not None}
    left = [cell for cell in stage.table if cell not in found]
    if left:
        cluster = cluster_of(stage.documents)
        found |= zip(left, evaluator(stage.documents, cluster, [flow_of(cluster, cell) for cell in left]), strict=True)
    return found


def _variants(profile: Profile) -> Iterator[tuple[Choice, Profile]]:
    """Yield each choice of wiring that a verdict may depend on, and the profile without it."""
    # Another name: one of netlab's own would stand for the profile as it is.
    profile = replace(profile, name=f"{profile.name}-without-one")
    attributes = {one.name: attribute for attribute, one in WiringShape.attributes().items()}
    for choice in profile.choices:
        if (attribute := attributes.get(choice.name)) in _TRAITS:
            kept = {one.name: getattr(profile.wiring, one.name) for one in fields(Wiring) if one.name != attribute}
            yield choice, replace(profile, wiring=Wiring(**kept))


# The wiring that a verdict may depend on, beside attachment and transport, which need one another.
_TRAITS = frozenset({"masquerade", "outside_routes", "remote_node_source"})
