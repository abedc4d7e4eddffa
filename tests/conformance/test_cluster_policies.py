"""The cases of cluster-wide policies before the judges: without a kernel, and some of them before packets."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from cluster_policy_model import Model
from sizes import samples, some

from netlab import profiles
from netlab.cluster import Cluster
from netlab.cluster.flows import Flow
from netlab.conformance.cases import Case, Cell, Stage
from netlab.conformance.cluster_policies import edges, product, random_sets, upstream
from netlab.conformance.cluster_policies.clusters import cluster
from netlab.conformance.cluster_policies.edge import DENY_ALL_IN, admin, baseline, np
from netlab.conformance.cluster_policies.random_sets import with_settings
from netlab.conformance.cluster_policies.shorthand import KINDS, OLD, Policy, rule
from netlab.conformance.dual_stack import dual_stack
from netlab.conformance.features import CLUSTER_NETWORK_POLICY as FEATURE
from netlab.conformance.judges import Judge, JudgeName, evaluator, tracer
from netlab.conformance.run import CaseResult, Selection, judges, run, run_selection
from netlab.conformance.under_profile import UnderProfile
from netlab.errors import UsageError
from netlab.objects import Document
from netlab.report.yaml_text import lines

MODE = "overlay"
UPSTREAM = list(upstream.cases(MODE))
EDGES = list(edges.cases(MODE))
# ``make verify-cluster-policies`` chooses a larger number.
SETS = int(os.environ.get("NETLAB_SETS", "0")) or samples(8)
# The most sets of one test, so that no test takes long.
PART = 100
WITHOUT_KERNEL: tuple[JudgeName, ...] = ("evaluator", "tracer")


@pytest.fixture(scope="module")
def whole() -> list[Case]:
    """The whole product."""
    return list(product.cases(MODE))


def three() -> dict[str, Judge]:
    """Return the judges that need no kernel, and the model that reads documents."""
    return {"evaluator": evaluator, "tracer": tracer(), "model": Model()}


def wrong(results: Sequence[CaseResult]) -> list[str]:
    return [f"{result.name}: {one}" for result in results for one in result.disagreements]


@pytest.mark.parametrize("case", UPSTREAM, ids=lambda case: case.name)
def test_case_of_upstream(case: Case) -> None:
    """Evaluator and tracer give the verdicts of the API's own suite."""
    with judges(WITHOUT_KERNEL, MODE) as panel:
        assert [] == wrong(list(run([case], panel)))


@pytest.mark.parametrize("case", EDGES, ids=lambda case: case.name)
def test_edge_case(case: Case) -> None:
    """Evaluator and tracer give the stated verdicts; what the CRDs refuse is refused."""
    with judges(WITHOUT_KERNEL, MODE) as panel:
        assert [] == wrong(list(run([case], panel)))


def test_samples_of_the_product(whole: list[Case]) -> None:
    """Evaluator, tracer and the model that reads documents give the enumerated verdicts."""
    assert [] == wrong(list(run(some(whole[::41]), three())))


@pytest.mark.parametrize("part", range(-(-SETS // PART)))
def test_judges_agree_on_random_sets(part: int) -> None:
    """Evaluator, tracer and the model that reads documents give equal verdicts."""
    assert [] == wrong(list(run(random_sets.cases(min(SETS, PART), 21 + part, MODE), three())))


def test_judges_agree_on_random_sets_with_services() -> None:
    """Evaluator and tracer give equal verdicts for each endpoint of each Service."""
    selection = Selection(("random/*",), random=samples(4), seed=22, services=True, feature=FEATURE)

    assert [] == wrong(list(run_selection(selection)))


@pytest.mark.kernel
@pytest.mark.parametrize("dual", [False, True])
def test_packets_on_samples(whole: list[Case], dual: bool) -> None:
    """One lab is changed from case to case; packets of every protocol agree."""
    cases = [*UPSTREAM[dual::12], *EDGES[dual::11], *whole[dual::151], *random_sets.cases(4, 23 + dual, MODE)]
    with judges(("evaluator", "packets"), MODE, feature=FEATURE) as panel:
        assert [] == wrong(list(run(map(dual_stack, cases) if dual else cases, panel)))


@pytest.mark.kernel
def test_packets_on_random_sets_with_services() -> None:
    """Packets give the verdicts of evaluator and tracer."""
    panel: tuple[JudgeName, ...] = ("evaluator", "tracer", "packets")
    selection = Selection(("random/*",), panel, random=4, seed=24, services=True, feature=FEATURE)

    assert [] == wrong(list(run_selection(selection)))


# --- the data ---------------------------------------------------------------------------------------------------------


def test_upstream_has_30_tests_with_397_probes() -> None:
    """They are all asked in v1beta1; those of the older suite are asked in v1alpha1 too."""
    tests, probes = Counter(case.feature for case in UPSTREAM), Counter[str]()
    for case in UPSTREAM:
        probes[case.feature] += sum(len(stage.table) for stage in case.stages)

    assert {"upstream v1beta1": 30, "upstream v1alpha1": 24} == tests
    assert {"upstream v1beta1": 397, "upstream v1alpha1": 289} == probes


def test_each_version_has_its_own_kinds() -> None:
    """The cases of v1alpha1 have the older kinds, and no others."""
    kinds = {
        case.feature: {d.kind for stage in case.stages for d in stage.documents if d.kind in KINDS} for case in UPSTREAM
    }

    assert {"ClusterNetworkPolicy"} == kinds["upstream v1beta1"]
    assert set(KINDS) - {"ClusterNetworkPolicy"} >= kinds["upstream v1alpha1"]


def test_every_edge_case_is_judged_or_has_a_reason() -> None:
    """There are 73; a case that no judge can answer says why."""
    judged = {int(case.name[5:7]) for case in EDGES}
    unjudged = {int(one.name[5:7]) for one in edges.UNJUDGED}

    assert set(range(1, 74)) == judged | unjudged
    assert not judged & unjudged


def test_names_are_unique(whole: list[Case]) -> None:
    """Users select cases by name."""
    names = [case.name for case in (*UPSTREAM, *EDGES, *whole)]

    assert 1000 <= len(whole)
    assert len(names) == len(set(names))


def test_every_cell_of_a_subject_has_both_verdicts_in_the_product(whole: list[Case]) -> None:
    """A cell with one verdict in all cases would prove nothing. Nodes and hosts match no ingress peer."""
    seen: dict[Cell, set[str | None]] = {}
    for case in whole:
        for cell, verdict in case.stages[0].table.items():
            seen.setdefault(cell, set()).add(verdict)
    one = {cell for cell, verdicts in seen.items() if len(verdicts) == 1}

    assert {(source, "x/a") for source in ("x/h",)} | {("x/h", "x/b")} == {(c.source, c.destination) for c in one}


def test_random_sets_have_every_part() -> None:
    """All kinds, tiers, actions, peers and ports are drawn, and equal priorities."""
    documents = [d for case in random_sets.cases(60, 1, MODE) for d in case.stages[0].documents]
    specs = [d.data["spec"] for d in documents if d.kind in KINDS]
    rules = [one for spec in specs for way in ("ingress", "egress") for one in spec.get(way, ())]
    peers = {key for one in rules for peer in one.get("from", one.get("to")) for key in peer}
    ports = {key for one in rules for port in (*one.get("ports", ()), *one.get("protocols", ())) for key in port}

    assert {*KINDS, "NetworkPolicy"} <= {d.kind for d in documents}
    assert {"Accept", "Allow", "Deny", "Pass"} == {one["action"] for one in rules}
    assert {"namespaces", "pods", "networks", "nodes", "domainNames"} == peers
    assert {"tcp", "udp", "sctp", "destinationNamedPort", "portNumber", "portRange", "namedPort"} == ports


def test_a_seed_gives_the_same_sets() -> None:
    """A case depends on the seed and its number only."""
    few, many, others = (list(random_sets.cases(n, seed, MODE)) for n, seed in ((3, 7), (5, 7), (3, 8)))

    assert few == many[:3]
    assert few[0].stages[0].documents != others[0].stages[0].documents


def blind_to_pass(documents: Sequence[Document], cluster: Cluster, flows: Sequence[Flow]) -> list[str]:
    """A faulty judge: it reads Pass as Accept."""

    def changed(document: Document) -> Document:
        if document.kind not in KINDS:
            return document
        spec = document.data["spec"]
        rules = {
            way: [{**one, "action": "Accept" if one["action"] == "Pass" else one["action"]} for one in spec[way]]
            for way in ("ingress", "egress")
            if way in spec
        }
        return replace(document, data={**document.data, "spec": {**spec, **rules}})

    return Model()(list(map(changed, documents)), cluster, flows)


def test_a_disagreement_is_shrunk_to_the_policies_that_matter() -> None:
    """What is left is a rule that passes, and a policy of a later tier that denies; as a scenario it is YAML."""
    panel = {"evaluator": evaluator, "model": blind_to_pass}
    result = next(result for result in run(random_sets.cases(200, 1, MODE), panel) if not result.passed)
    assert result.scenario is not None
    (step,) = result.scenario["spec"]["steps"]
    policies = [item for item in step["apply"] if item["kind"] in (*KINDS, "NetworkPolicy")]
    rules = [one for item in policies for way in ("ingress", "egress") for one in item["spec"].get(way, ())]

    assert 2 == len(policies)
    assert "Pass" in {one.get("action") for one in rules}
    assert list(lines(result.scenario))


# --- settings, families, modes ----------------------------------------------------------------------------------------

SETTINGS: list[tuple[dict[str, str], Sequence[Policy | Document], str]] = [
    ({"baseline": "per-direction"}, [baseline(egress=["Deny ns *"]), np("x/n", ingress="pod")], "deny"),
    ({"baseline": "unselected-pods"}, [baseline(egress=["Deny ns *"]), np("x/n", ingress="pod")], "allow"),
    (
        {"baselineAdmin": "first"},
        [baseline(egress=["Accept ns *"]).document(OLD), baseline(egress=["Deny ns *"], at=0, name="a")],
        "allow",
    ),
    (
        {"baselineAdmin": "last"},
        [baseline(egress=["Accept ns *"]).document(OLD), baseline(egress=["Deny ns *"], at=1000, name="z")],
        "deny",
    ),
]


@pytest.mark.parametrize(("settings", "given", "verdict"), SETTINGS, ids=lambda value: str(value)[:40])
def test_settings(settings: Mapping[str, Any], given: Sequence[Policy | Document], verdict: str) -> None:
    """Evaluator and tracer follow the settings of what the API leaves open."""
    first, *others = cluster(MODE)
    policies = [one.document() if isinstance(one, Policy) else one for one in given]
    documents = (with_settings(first, dict(settings)), *others, *policies)
    case = Case("settings", "none", (Stage("s", documents, {Cell("x/a", "y/a"): verdict}),))
    with judges(WITHOUT_KERNEL, MODE) as panel:
        assert [] == wrong(list(run([case], panel)))


def test_each_network_gets_its_twin() -> None:
    """With ``--dual-stack`` a network of IPv4 has the same meaning in IPv6."""
    given = admin(egress=["Deny net 10.244.1.0/24 192.0.2.10/32"])
    case = Case("t", "t", (Stage("s", (*cluster(MODE), given.document()), {Cell("x/a", "y/a"): "deny"}),))
    (stage,) = dual_stack(case).stages
    networks = stage.documents[-1].data["spec"]["egress"][0]["to"][0]["networks"]

    assert ["10.244.1.0/24", "192.0.2.10/32", "fd00:10:244:1::/64", "2001:db8::c000:20a/128"] == networks
    assert [4, 6] == [cell.family for cell in stage.table]
    assert [] == wrong(list(run([dual_stack(case)], {"evaluator": evaluator})))


def test_edge_cases_hold_in_both_families() -> None:
    """The twin of a verdict that names addresses is left to the judges."""
    with judges(WITHOUT_KERNEL, MODE) as panel:
        assert [] == wrong(list(run(map(dual_stack, EDGES[::4]), panel)))


def test_a_profile_without_ipv6_is_not_asked_about_it() -> None:
    """Calico's profile has IPv4 only."""
    under = UnderProfile(profiles.named("calico"))
    selection = Selection(("edge/37*",), feature=FEATURE, profile=under)
    cells = [sum(cell.family == 4 for stage in case.stages for cell in stage.table) for case in selection.cases()]
    results = list(run_selection(selection))

    assert [] == wrong(results)
    assert cells == [result.cells for result in results]


def test_a_rule_in_each_version() -> None:
    """Both forms of a rule mean the same."""
    text = "Accept pods ns=x / pod=a | ns *: 80/TCP,80-90/UDP,web"
    old = rule(text, "from", OLD)

    assert "Allow" == old["action"]
    assert rule(text, "from", "v1beta1")["from"] == old["from"]
    assert [
        {"portNumber": {"protocol": "TCP", "port": 80}},
        {"portRange": {"protocol": "UDP", "start": 80, "end": 90}},
        {"namedPort": "web"},
    ] == old["ports"]
    assert [
        {"tcp": {"destinationPort": {"number": 80}}},
        {"udp": {"destinationPort": {"range": {"start": 80, "end": 90}}}},
        {"destinationNamedPort": "web"},
    ] == rule(text, "from", "v1alpha2")["protocols"]


def test_a_mode_that_joins_no_nodes_is_refused() -> None:
    """The cases have two nodes."""
    with pytest.raises(UsageError, match="needs two nodes, and the mode 'bridge' joins no nodes"):
        Selection(mode="bridge", feature=FEATURE)

    assert MODE == Selection(feature=FEATURE).mode_of_cases


def test_routed_labs_give_the_same_verdicts() -> None:
    """Verdicts do not depend on the mode, but a host reaches pods there; no ingress peer matches it."""
    given = admin(DENY_ALL_IN)
    case = Case("r", "r", (Stage("s", (*cluster("routed"), given.document()), {Cell("host:out", "x/a"): "allow"}),))
    some_of = [*upstream.cases("routed")][::6]
    with judges(WITHOUT_KERNEL, "routed") as panel:
        assert [] == wrong(list(run([case, *some_of], panel)))
