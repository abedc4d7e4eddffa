"""Random histories of failures: after each step the lab is what its documents say, and an error changes nothing."""

from __future__ import annotations

import pytest
from failing import document, topology, workload
from lab.random_failures import History, objects_of
from sizes import samples

from netlab.cluster.flows import FlowSelection
from netlab.dataplane.node_rulesets import compiler
from netlab.errors import InputError, UsageError
from netlab.lab.lab import Lab
from netlab.lab.state import State
from netlab.lab.temporary import temporary
from netlab.policy.evaluate import evaluate
from netlab.ruleset import difference
from netlab.testing import FakeKernel

ALL = FlowSelection(nodes=True, self_pairs=True, services=True)


def wrong(lab: Lab) -> list[str]:
    """Return what of a lab does not follow from its documents: its cluster, its rulesets, its network."""
    record = lab.records.load(lab.name)
    assert record is not None
    anew = compiler().compile(lab.cluster)
    same = State.of_record(record).cluster == lab.cluster
    found = [] if same else ["the cluster is not that of the record"]
    for node, ruleset in lab._now.state.rulesets.items():
        found += [line for line in difference(ruleset, anew[node]).text.splitlines() if line]
    return found + lab.drift()


def go(history: History, lab: Lab, done: list[str]) -> None:
    """Do the next step of a history; one that is refused changes nothing."""
    text, do = history.step(lab)
    done.append(text)
    before = lab.documents
    try:
        do()
    except (InputError, UsageError):
        assert before == lab.documents, done[-5:]
    if text == "up":
        # Another value changed the lab, as another command does.
        lab.label([])


@pytest.mark.parametrize("seed", range(4))
def test_a_lab_is_what_its_documents_say(seed: int) -> None:
    """After changes, kills, stops, starts and rolling updates, in four modes."""
    history, done = History(seed), []  # type: ignore[var-annotated]
    with Lab.temporary(history.objects, machine=FakeKernel()) as lab:
        for _ in range(samples(25)):
            go(history, lab, done)
            assert [] == wrong(lab), done[-5:]


@pytest.mark.kernel
@pytest.mark.parametrize("seed", [4])
def test_packets_agree_through_a_history(seed: int) -> None:
    """What the evaluator says of the lab after each step is what packets do."""
    history, done = History(seed), []  # type: ignore[var-annotated]
    with temporary(history.objects) as lab:
        for _ in range(samples(6)):
            go(history, lab, done)
            rows = ((one, evaluate(lab.cluster, one.flow).verdict) for one in lab.probe(ALL.flows(lab.cluster)))
            differ = [(one.flow.source.ref, one.flow.target, one.reason) for one, said in rows if one.verdict != said]
            assert [] == differ + wrong(lab), done[-5:]


def test_a_kill_whose_replacement_does_not_fit_changes_nothing() -> None:
    """The host port of the only other node is taken since the pod began."""
    taken = workload("Deployment", "web", 2)
    taken["spec"]["template"]["spec"]["containers"][0]["ports"][0]["hostPort"] = 8000
    with Lab.temporary(objects_of(topology("n1", "n2"), taken), machine=FakeKernel()) as lab:
        lab.stop_node("n2")
        before = lab.documents, lab.cluster.pods
        here = next(pod.ref for pod in lab.cluster.pods if pod.node == "n2")
        with pytest.raises(InputError, match="8000/TCP"):
            lab.kill([here])

        assert before == (lab.documents, lab.cluster.pods)
        assert [] == wrong(lab)


def test_a_pod_that_moves_to_another_parent_stays_when_its_first_node_stops() -> None:
    """Its macvlan link is on the node that it moved to."""
    objects = objects_of(topology("n1", "n2", mode="macvlan"), workload("Deployment", "web", 1))
    with Lab.temporary(objects, machine=FakeKernel()) as lab:
        first = next(pod.node for pod in lab.cluster.pods)
        other = next(node.name for node in lab.cluster.nodes if node.name != first)
        moved = workload("Deployment", "web", 1, of_pods={"nodeSelector": {"own": other}})
        lab.apply([document(moved)])
        lab.stop_node(first)

        assert [] == wrong(lab)
