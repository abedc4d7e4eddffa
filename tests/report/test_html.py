"""The data of HTML reports: the matrices are the evaluator's verdicts, and a page is safe and bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import picture_inputs
import pytest
from click.testing import Result

from netlab.cluster import Cluster, try_resolve
from netlab.cluster.flows import FlowSelection
from netlab.objects import read_input
from netlab.policy.evaluate import evaluate
from netlab.policy.group_names import GroupNames
from netlab.policy.groups import groups
from netlab.report import formats
from netlab.report.answers import MARKS, Answers
from netlab.report.blocks import Block, Heading, Matrices, Matrix, Paragraph, Policies
from netlab.report.cluster_report import ClusterReport
from netlab.report.expected import Expected
from netlab.report.formats import Page, Run
from netlab.report.isolation import isolation
from netlab.report.kept import KeptRows, RowCounts
from netlab.report.matrices import Headers, alike_first
from netlab.report.namespace_matrix import namespace_matrix
from netlab.report.policy_blocks import policy_blocks
from netlab.report.reachability import Reachability
from netlab.report.rows import Row, row_of
from netlab.report.verification import Verification

ASKED = FlowSelection()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    """60 pods, as teams have them."""
    file = tmp_path_factory.mktemp("html") / "pods.yaml"
    file.write_text(picture_inputs.text(60), encoding="utf-8")
    found = read_input([str(file)])
    return try_resolve(found.objects, unknown=found.unknown)[0]


def matrices_of(blocks: Iterator[Block]) -> list[Matrix]:
    return [one for block in blocks if isinstance(block, Matrices) for one in block.items]


def test_the_matrix_of_pods_has_the_verdict_of_every_pair(cluster: Cluster) -> None:
    """It is made from groups; the evaluator is asked about each pair."""
    matrix = next(one for one in matrices_of(ClusterReport(cluster, ASKED).matrices()) if one.name == "pods")
    place = {unit.name: at for at, unit in enumerate(matrix.rows)}
    found: dict[tuple[str, str], set[str]] = {}
    for flow in ASKED.flows(cluster):
        found.setdefault((flow.source.ref, flow.target), set()).add(MARKS[evaluate(cluster, flow).verdict])

    assert len(place) == 60
    for (source, target), marks in found.items():
        mark = matrix.kinds[matrix.cells[place[source]][place[target]]].mark

        assert marks == {mark} if len(marks) == 1 else mark == "p"


def test_namespaces_alike_are_one_row_with_the_counts_of_each(cluster: Cluster) -> None:
    """The counts of a cell are those of one namespace; between two of a class they come second."""
    isolated = isolation(cluster)
    matrix = namespace_matrix(Answers(groups(cluster, ASKED)), Headers(GroupNames(cluster), isolated), isolated)
    of = {unit.name: at for at, unit in enumerate(matrix.rows)}
    shops = of["shop-01 and 2 alike"]
    allowed = {
        (source, target): sum(
            evaluate(cluster, flow).verdict == "allow"
            for flow in ASKED.flows(cluster)
            if flow.source.ref.startswith(source) and flow.target.startswith(target)
        )
        for source, target in (("shop-01/", "shop-01/"), ("shop-01/", "shop-03/"), ("ingress-nginx/", "shop-02/"))
    }
    own = matrix.kinds[matrix.cells[shops][shops]]
    inner = matrix.inner[own.opens[0]]

    assert f"{allowed['shop-01/', 'shop-01/']}/272 · {allowed['shop-01/', 'shop-03/']}/289" == own.text
    assert f"{allowed['ingress-nginx/', 'shop-02/']}/17" == (
        matrix.kinds[matrix.cells[of["ingress-nginx"]][shops]].text
    )
    assert ("shop-01", "shop-02", "shop-03") == matrix.rows[shops].namespaces
    assert "shop-01 → shop-01" == inner.name
    assert 5 == len(inner.rows) == len(inner.columns)


def test_a_namespace_with_one_other_rule_is_a_row_of_its_own(cluster: Cluster) -> None:
    """One policy less in one of three namespaces leaves two that are alike."""
    kept = tuple(policy for policy in cluster.policies if policy.meta.key != "shop-02/db-from-worker")
    changed = replace(cluster, policies=kept)
    isolated = isolation(changed)
    matrix = namespace_matrix(Answers(groups(changed, ASKED)), Headers(GroupNames(changed), isolated), isolated)

    assert {"shop-01 and 1 alike", "shop-02"} <= {unit.name for unit in matrix.rows}


def test_pairs_of_a_pod_with_itself_are_in_the_cell_of_its_group(cluster: Cluster) -> None:
    """They count in the matrix of namespaces too."""
    asked = FlowSelection(self_pairs=True)
    by_group, by_pod, by_space = matrices_of(ClusterReport(cluster, asked).matrices())
    at = next(number for number, unit in enumerate(by_pod.rows) if unit.name == "shop-01/db-0")
    own = by_pod.kinds[by_pod.cells[at][at]]
    group = next(number for number, unit in enumerate(by_group.rows) if unit.name == "shop-01/db-0")
    shops = next(number for number, unit in enumerate(by_space.rows) if unit.name == "shop-01 and 2 alike")

    assert own.answers[0].pair == "shop-01/db-0 -> shop-01/db-0"
    assert own.mark == by_group.kinds[by_group.cells[group][group]].mark == "."
    assert by_space.kinds[by_space.cells[shops][shops]].text == "57/289 · 0/289"


def test_equal_rows_touch_and_stand_where_the_first_one_stood() -> None:
    """All other rows keep their order."""

    assert [0, 2, 1, 3] == alike_first(["ab", "cd", "ab", "ef"])


def rows_of(cluster: Cluster, wrong: tuple[str, str]) -> Iterator[Row]:
    for flow in ASKED.flows(cluster):
        verdict = evaluate(cluster, flow).verdict
        measured: str = verdict
        if (flow.source.ref, flow.target) == wrong:
            measured = "deny" if verdict == "allow" else "allow"
        yield row_of(flow, verdict, measured, "seen at the pod" if measured != verdict else "")


def test_a_pair_that_differs_comes_first_and_flags_its_cells(cluster: Cluster) -> None:
    """The table names it, and the cells of its groups and of its namespaces have the sign, also if it was printed."""
    wrong = ("shop-02/web-0", "shop-02/db-0")
    kept = KeptRows(RowCounts(groups(cluster, ASKED)))
    result = Verification("lab", rows_of(cluster, wrong), cluster, ASKED, kept=kept)
    list(result.table(Page()))
    blocks = list(result.report())
    headings = [block.text for block in blocks if isinstance(block, Heading)]
    by_group, _, by_space = matrices_of(iter(blocks))
    flagged = [
        (by_group.rows[row].name, by_group.columns[column].name)
        for row, line in enumerate(by_group.cells)
        for column, kind in enumerate(line)
        if by_group.kinds[kind].mark == "!"
    ]
    spaces = [unit.name for unit in by_space.rows]

    assert 3540 == result.tally.pairs
    assert ["lab: expected and measured", "Packets and policies differ"] == headings[:2]
    assert [("shop-02 app=web (5 pods)", "shop-02/db-0")] == flagged
    assert "shop-02" in spaces
    assert "shop-01 and 1 alike" in spaces
    assert 1 == sum(kind.mark == "!" for kind in by_space.kinds)
    texts = [line for kind in by_group.kinds if kind.mark == "!" for one in kind.answers for line in one.lines]
    assert "shop-02/web-0 -> shop-02/db-0: expected deny, measured allow: seen at the pod" in texts
    words = [one.verdict for kind in by_group.kinds if kind.mark == "!" for one in kind.answers]
    assert ["expected deny, measured allow: 1 pair; expected deny, measured deny: 4 pairs"] == words


def test_a_report_of_rows_that_were_not_kept_is_refused(cluster: Cluster) -> None:
    """A command that prints a report must keep what it needs."""
    result = Verification("lab", (), cluster, ASKED)

    with pytest.raises(ValueError, match="not kept"):
        list(result.report())


def test_rows_are_counted_once_however_many_formats_print_them() -> None:
    """The stream of rows is read by the first format."""
    result = Reachability("lab", [Row("a", "b", 4, "TCP", 80, "allow", "deny", "why")], "verify", kept=KeptRows())
    list(result.table(Page()))
    result.read()

    assert 1 == result.tally.pairs
    assert result.kept is not None
    assert ["a"] == [row.source for row in result.kept.rows["differ"]]


def test_the_page_allows_nothing_but_its_own_style_and_script(cluster: Cluster) -> None:
    """Its policy has hashes and no host; nothing in it names an address to load from."""
    run = Run("netlab reach -f '<b>'", "1", datetime(2026, 1, 2, tzinfo=UTC), 0.0, "Linux")
    text = "\n".join(formats.lines(Expected(cluster, ASKED), "html", Page(run=run)))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)

    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert not re.search(r'\b(?:src|href)="(?!#)', text)
    assert not re.search(r"url\(|@import", text)
    assert "netlab reach -f &#x27;&lt;b&gt;&#x27;" in text
    assert data is not None
    assert not set("<>") & set(data[1])
    assert data[1].isascii()
    assert {"texts", "units", "cells", "blocks", "policies", "meaning"} == set(json.loads(data[1]))


def test_after_the_last_reason_a_cell_has_the_command(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page has room for a number of reasons; the verdicts are all there."""
    monkeypatch.setattr("netlab.report.answers._REASONS", 3)
    matrix, *_ = matrices_of(ClusterReport(cluster, ASKED).matrices())
    reasons = [one.reason for kind in matrix.kinds for one in kind.answers]

    assert reasons[3] == "this page has no room for the reason; `netlab explain SOURCE DESTINATION` prints it"
    assert "no room" not in reasons[2]


def test_the_summary_counts_the_namespaces_of_the_input() -> None:
    """The namespace of the lab's DNS is not one of them, and a number of one has a singular."""
    found = read_input(["examples/shop", "examples/services"])
    cluster, _ = try_resolve(found.objects, unknown=found.unknown)
    figures = {figure.name: figure.value for figure in ClusterReport(cluster, ASKED).figures()}

    assert "2" == figures["namespaces"]
    assert "1" == figures["pod that no policy isolates"]


def test_without_policies_the_report_says_so() -> None:
    """There are no rules to list."""
    found = read_input(["examples/shop"])
    cluster, _ = try_resolve(found.objects, unknown=found.unknown)
    (block,) = policy_blocks(replace(cluster, policies=()), ())

    assert isinstance(block, Paragraph)
    assert "no NetworkPolicy" in block.text


def test_cluster_wide_policies_are_listed_in_the_order_in_which_they_decide() -> None:
    """Each has its tier, its pods, its rules with their lines, and its elements; answers lead to it by its name."""
    found = read_input(["examples/cluster-policies"])
    cluster, _ = try_resolve(found.objects, unknown=found.unknown)
    wide, others = (block for block in policy_blocks(cluster, ()) if isinstance(block, Policies))
    first = wide.items[0]

    assert ["ClusterNetworkPolicy sales-is-closed", "ClusterNetworkPolicy closed-by-default"] == [
        one.name for one in wide.items
    ]
    assert "tier Admin, priority 10, selects 2 pods: sales/db, sales/web" == first.lines[0]
    assert first.lines[-1].endswith(
        "in: deny every port from every pod of every namespace (examples/cluster-policies/admin.yaml:17)"
    )
    assert any("by Admin ClusterNetworkPolicy sales-is-closed ingress[2]" in line for line in first.rules)
    assert ["sales/open-db"] == [one.name for one in others.items]


def test_commands_write_the_page_beside_their_output(netlab: Callable[..., Result], tmp_path: Path) -> None:
    """The table is printed, and the file is the page."""
    file = tmp_path / "page.html"
    shop = ("-f", "examples/shop")
    reach = netlab("reach", *shop, "--html", str(file))
    compare = netlab("compare", *shop, "--as", "calico", "--as", "flannel", "-o", "html")

    assert "SOURCE" in reach.stdout
    assert "expected reachability</h1>" in file.read_text(encoding="utf-8")
    assert "what CNIs do differently</h1>" in compare.stdout
