"""Cases of cluster-wide policies find every weak model: proof that the cases can fail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import pytest
from cluster_policy_model import Model
from weak_cluster_policy_models import WEAK

from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.conformance.cases import Case
from netlab.conformance.cluster_policies import edges, upstream
from netlab.conformance.judges import SERVICE, cluster_of, flow_of
from netlab.objects import Document

MODE = "overlay"


class Asked(NamedTuple):
    """A stage of a case: its name, what a judge gets, and the right answers."""

    name: str
    documents: Sequence[Document]
    cluster: Cluster
    flows: Sequence[Flow]
    expected: list[str | None]


def asked(cases: Iterable[Case]) -> tuple[Asked, ...]:
    """Return the stages of cases; cells to Services are left out, as the models do not read them."""
    found = []
    for case in cases:
        for stage in case.stages if not case.refusal else ():
            cells = [cell for cell in stage.table if not cell.destination.startswith(SERVICE)]
            cluster = cluster_of(stage.documents)
            flows = [flow_of(cluster, cell) for cell in cells]
            found.append(Asked(case.name, stage.documents, cluster, flows, [stage.table[cell] for cell in cells]))
    return tuple(found)


@cache
def upstream_probes() -> tuple[Asked, ...]:
    return asked(case for case in upstream.cases(MODE) if "/v1beta1/" in case.name)


@cache
def edge_cases() -> tuple[Asked, ...]:
    return asked(edges.cases(MODE))


def first_wrong(model: Model, stages: Iterable[Asked]) -> str:
    """Return the name of the first case that a model answers wrongly, or ""."""
    wrong = (one.name for one in stages if model(one.documents, one.cluster, one.flows) != one.expected)
    return next(wrong, "")


def test_the_model_answers_every_case() -> None:
    """The model that the weak ones change answers all probes of upstream and all edge cases."""
    assert "" == first_wrong(Model(), upstream_probes())
    assert "" == first_wrong(Model(), edge_cases())


@pytest.mark.parametrize(("weak", "noticed"), WEAK, ids=[model.__name__ for model, _ in WEAK])
def test_a_weak_model_is_found(weak: type[Model], noticed: bool) -> None:
    """An edge case finds each model; upstream's probes find those that the list says, and no others."""
    assert first_wrong(weak(), edge_cases())
    assert noticed == bool(first_wrong(weak(), upstream_probes()))
