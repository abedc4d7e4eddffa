"""``netlab diff``: its rows, its exit codes and its formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repositories import git

Netlab = Callable[..., Any]

PODS = "".join(
    f"""
apiVersion: v1
kind: Pod
metadata: {{namespace: {space}, name: {name}, labels: {{app: {name}}}}}
spec: {{containers: [{{name: c, image: c, ports: [{{containerPort: 80}}]}}]}}
---
"""
    for space, name in (("x", "a"), ("x", "b"), ("z", "c"))
)
DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: x, name: deny}
spec: {podSelector: {matchLabels: {app: a}}, policyTypes: [Ingress]}
---
"""
UNREAD = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: x, name: other}
spec: {endpointSelector: {matchLabels: {app: a}}, ingress: [{}]}
---
"""
OTHER = PODS.replace("name: c,", "name: d,").replace("app: c}", "app: d}")


@pytest.fixture
def sides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, the current one, with files of some sides."""
    texts = {"deny": PODS + DENY, "open": PODS, "unread": PODS + DENY + UNREAD, "other": OTHER}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def document(netlab: Netlab, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(netlab("diff", *words, "-o", "json").stdout)
    return found


@pytest.mark.usefixtures("sides")
def test_the_document_has_groups_causes_and_counts(netlab: Netlab) -> None:
    """Sources and destinations are groups; a cause after a removal is in the old file."""
    found = document(netlab, "deny.yaml", "open.yaml")

    assert ("netlab/v1alpha1", "ReachabilityDiff") == (found["apiVersion"], found["kind"])
    (row,) = found["changes"]
    because = row.pop("because")
    assert {
        "change": "opened",
        "source": {"group": "x,z: x/b, z/c", "pods": 2, "members": ["x/b", "z/c"]},
        "destination": {"group": "x/a", "pods": 1, "members": ["x/a"]},
        "family": 4,
        "protocol": "TCP",
        "port": 80,
        "pairs": 2,
        "old": "deny",
        "new": "allow",
    } == row
    message = "policy deleted: nothing isolates x/a for ingress any more"
    assert [
        {"object": "NetworkPolicy x/deny", "file": "deny.yaml", "line": 20, "path": "", "message": message}
    ] == because
    counts = {"opened": 2, "closed": 0, "changed": 0, "unchanged": 4, "appeared": 0, "vanished": 0}
    assert {**counts, "unknown": 0, "rows": 1, "unexplained": 0, "vacuous": 0} == found["summary"]


@pytest.mark.usefixtures("sides")
def test_with_pairs_rows_have_the_names_of_reach(netlab: Netlab) -> None:
    """Each pair is a row; its verdicts are those of reach on both sides."""
    found = document(netlab, "deny.yaml", "open.yaml", "--pairs")
    expected = [
        {(row["source"], row["destination"]): row["expected"] for row in json.loads(netlab(*words).stdout)["rows"]}
        for words in (["reach", "-f", f"{side}.yaml", "-o", "json"] for side in ("deny", "open"))
    ]

    changed = {pair for pair, verdict in expected[0].items() if expected[1][pair] != verdict}
    rows = {(row["source"], row["destination"]): (row["old"], row["new"]) for row in found["changes"]}
    assert {pair: (expected[0][pair], expected[1][pair]) for pair in changed} == rows
    assert "pairs" not in found["changes"][0]


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize(
    ("old", "new", "failing"),
    [
        ("deny", "deny", set()),
        ("deny", "open", {"any", "opened"}),
        ("open", "deny", {"any", "closed"}),
        ("deny", "unread", {"any", "opened"}),
        ("unread", "open", {"any", "opened"}),
    ],
)
def test_the_exit_code_is_that_of_fail_on(netlab: Netlab, old: str, new: str, failing: set[str]) -> None:
    """An unknown verdict may be an open one."""
    codes = {
        on: netlab("diff", f"{old}.yaml", f"{new}.yaml", "--fail-on", on).exit_code
        for on in ("any", "opened", "closed", "never")
    }

    assert {on: int(on in failing) for on in codes} == codes


@pytest.mark.usefixtures("sides")
def test_an_unread_policy_changes_verdicts_to_unknown(netlab: Netlab) -> None:
    """Such pairs are neither opened nor closed, and the policy is the cause."""
    found = document(netlab, "deny.yaml", "unread.yaml")

    assert {("changed", "deny", "unknown")} == {(one["change"], one["old"], one["new"]) for one in found["changes"]}
    assert {"CiliumNetworkPolicy x/other"} == {cause["object"] for one in found["changes"] for cause in one["because"]}
    assert (2, 2) == (found["summary"]["changed"], found["summary"]["unknown"])
    assert "unknown in unread.yaml: 2 pairs" in netlab("diff", "unread.yaml", "unread.yaml").stdout
    assert [] == document(netlab, "deny.yaml", "unread.yaml", "--ignore", "CiliumNetworkPolicy")["changes"]


@pytest.mark.usefixtures("sides")
def test_pods_that_come_and_go_are_listed_and_decide_nothing(netlab: Netlab) -> None:
    """With --new they are rows, whose absent side is null."""
    found = document(netlab, "open.yaml", "other.yaml")
    rows = document(netlab, "open.yaml", "other.yaml", "--new")["changes"]

    assert ([], ["z/d"], ["z/c"]) == (found["changes"], found["appeared"], found["vanished"])
    assert (1, 1) == (found["summary"]["appeared"], found["summary"]["vanished"])
    assert ["pods that only one side has are not compared: --new adds their rows"] == found["notes"]
    assert 0 == netlab("diff", "open.yaml", "other.yaml").exit_code
    assert {("opened", None, "allow", "Pod z/d"), ("closed", "allow", None, "Pod z/c")} == {
        (one["change"], one["old"], one["new"], one["because"][0]["object"]) for one in rows
    }


def test_a_revision_is_compared_with_the_working_tree(netlab: Netlab, sides: Path) -> None:
    """The old side names its file as git does."""
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git(sides, "init", "-q", "-b", "main")
    shutil.copy("deny.yaml", "set.yaml")
    git(sides, "add", "set.yaml")
    git(sides, "commit", "-q", "-m", "one")
    shutil.copy("open.yaml", "set.yaml")

    (row,) = document(netlab, "main:set.yaml", "set.yaml")["changes"]

    assert ["main:set.yaml"] == [cause["file"] for cause in row["because"]]


@pytest.mark.usefixtures("sides")
def test_what_would_be_changes_the_new_side_only(netlab: Netlab) -> None:
    """Without NEW it is OLD, changed."""
    found = document(netlab, "deny.yaml", "--without", "networkpolicy/x/deny")

    assert 2 == found["summary"]["opened"]
    assert 2 == netlab("diff", "deny.yaml").exit_code
    assert 2 == netlab("diff", "-", "-").exit_code


@pytest.mark.usefixtures("sides")
def test_problems_of_both_sides_are_printed(netlab: Netlab, sides: Path) -> None:
    """All at once, with exit code 2."""
    for name in ("bad-1", "bad-2"):
        (sides / f"{name}.yaml").write_text(PODS + DENY.replace("[Ingress]", "[Sideways]"))

    done = netlab("diff", "bad-1.yaml", "bad-2.yaml")

    assert 2 == done.exit_code
    assert ["bad-1.yaml", "bad-2.yaml"] == [line.partition(":")[0] for line in done.stderr.splitlines()]


@pytest.mark.usefixtures("sides")
def test_a_comment_has_at_most_20_rows_and_escapes_names(netlab: Netlab, sides: Path) -> None:
    """The counts say how many more there are."""
    spaces = [f"n{number}" for number in range(25)]
    pod = PODS.partition("---")[0]
    pods = "---".join(pod.replace("namespace: x", f"namespace: {space}") for space in spaces)
    denies = "---\n".join(DENY.replace("namespace: x", f"namespace: {space}").strip("-\n") + "\n" for space in spaces)
    (sides / "many.yaml").write_text(f"{pods}---\n{denies}")
    (sides / "none|<b>.yaml").write_text(pods)

    text = netlab("diff", "many.yaml", "none|<b>.yaml", "-o", "markdown").stdout

    assert 20 == sum(line.startswith("| ") and "---" not in line and "From" not in line for line in text.splitlines())
    assert "pairs: 600 opened" in text
    assert not any("<b>" in line for line in text.partition("```")[0].splitlines())


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize("output", ["markdown", "html"])
def test_a_report_says_what_is_assumed(netlab: Netlab, output: str) -> None:
    """Else both sides have one name."""
    text = netlab("diff", "deny.yaml", "--without", "networkpolicy/x/deny", "-o", output).stdout

    assert "What if: without" in text


@pytest.mark.usefixtures("sides")
def test_a_page_of_html_has_the_causes_and_both_pictures(netlab: Netlab, sides: Path) -> None:
    """It is written beside the table."""
    netlab("diff", "deny.yaml", "open.yaml", "--html", "page.html", "--markdown", "note.md")

    page = (sides / "page.html").read_text()
    assert "NetworkPolicy x/deny (deny.yaml:20): policy deleted" in page
    assert 2 == page.count("<svg")
    assert "policy deleted" in (sides / "note.md").read_text()


def test_a_changed_policy_that_no_cause_names_is_listed(netlab: Netlab, sides: Path) -> None:
    """It changes no verdict, as another policy does the same."""
    (sides / "twice.yaml").write_text(f"{PODS}{DENY}\n---\n{DENY.replace('name: deny', 'name: deny-2')}")

    assert "caused no row: NetworkPolicy x/deny-2" in netlab("diff", "deny.yaml", "twice.yaml").stdout
    assert 1 == document(netlab, "deny.yaml", "twice.yaml")["summary"]["vacuous"]


def test_a_side_that_is_no_file_may_be_meant_as_a_branch(netlab: Netlab, sides: Path) -> None:
    """The message has the other forms."""
    done = netlab("diff", "main", "deny.yaml")

    assert 2 == done.exit_code
    assert "main: No such file or directory; a git revision is main:PATH, a running lab lab:main" in done.stderr


def test_what_both_sides_skip_is_printed_once(netlab: Netlab, sides: Path) -> None:
    """As are warnings."""
    skipped = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: x}\n"
    for name in ("old.yaml", "new.yaml"):
        (sides / name).write_text(PODS + DENY + skipped)

    assert 1 == netlab("diff", "old.yaml", "new.yaml").stderr.count("skipped 1 object")


def test_the_outside_is_added_by_range(netlab: Netlab, sides: Path) -> None:
    """A range of an ipBlock and its exception are hosts of their own."""
    world = DENY.replace(
        "[Ingress]}", "[Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0, except: [192.0.2.0/24]}}]}]}"
    )
    (sides / "none.yaml").write_text(PODS + DENY.replace("Ingress", "Egress"))
    (sides / "world.yaml").write_text(PODS + world)

    rows = document(netlab, "none.yaml", "world.yaml", "--outside")["changes"]

    outside = [one["destination"]["members"] for one in rows if one["destination"]["group"].startswith("host:")]
    assert [["host:outside"], ["host:outside"]] == outside
    assert "note: policies change" in netlab("diff", "none.yaml", "world.yaml").stdout
    (note,) = document(netlab, "none.yaml", "world.yaml")["notes"]
    assert "--outside" in note


def test_the_outside_is_asked_about_the_ports_of_rules_for_addresses(netlab: Netlab, sides: Path) -> None:
    """Beside 80 and 443."""
    world = "[Egress], egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 8443}]}]}"
    (sides / "none.yaml").write_text(PODS + DENY.replace("Ingress", "Egress"))
    (sides / "world.yaml").write_text(PODS + DENY.replace("[Ingress]}", world))

    rows = document(netlab, "none.yaml", "world.yaml", "--outside")["changes"]

    assert {("host:outside", 8443)} == {(one["destination"]["group"], one["port"]) for one in rows}


@pytest.mark.kernel
@pytest.mark.usefixtures("sides")
def test_packets_prove_the_changed_pairs_in_both_labs(netlab: Netlab) -> None:
    """Each row has what was measured, and the counts are of changed pairs only."""
    found = document(netlab, "deny.yaml", "open.yaml", "--prove")

    assert [{"old": "deny", "new": "allow"}] == [one["measured"] for one in found["changes"]]
    assert [(2, 2), (2, 2)] == [(of["pairs"], of["agree"]) for of in found["measured"].values()]


@pytest.mark.kernel
def test_a_running_lab_is_a_side(program: Callable[..., Any], sides: Path) -> None:
    """Its documents are compared, and it stays as it is."""
    program("up", "-f", sides / "deny.yaml", "--lab", "diff-of-a-lab")
    try:
        done = program("diff", "lab:diff-of-a-lab", sides / "open.yaml", "-o", "json")
    finally:
        program("down", "diff-of-a-lab")

    assert 2 == json.loads(done.stdout)["summary"]["opened"]


@pytest.mark.usefixtures("sides")
def test_packets_that_differ_fail(netlab: Netlab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever --fail-on says."""
    from netlab.cli.commands import diff
    from netlab.report.reachability_diff import SideProof

    wrong = SideProof({"pairs": 2, "agree": 1, "differ": 1, "inconclusive": 0}, ["x/b -> x/a"], {})
    monkeypatch.setattr(diff, "_side_proof", lambda *_: wrong)

    done = netlab("diff", "deny.yaml", "open.yaml", "--prove", "--fail-on", "never")

    assert 1 == done.exit_code
    assert "old: 2 changed pairs by packets: 1 agree, 1 differ, 0 inconclusive" in done.stdout


def test_a_host_network_pod_stays_on_its_node(netlab: Netlab, tmp_path: Path) -> None:
    """A pod that vanishes moves no other pod, so no verdict changes."""
    topology = (
        "apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {name: t}\n"
        "spec: {nodes: [{name: n0}, {name: n1}], networks: [{name: default, mode: routed}]}\n---\n"
    )
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec: {containers: [{name: c, image: c}]HOST}\n---\n"
    first, second = (pod.replace("NAME", name).replace("HOST", "") for name in "ab")
    last = pod.replace("NAME", "c").replace("HOST", ", hostNetwork: true")
    deny = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}}\n"
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(topology + first + second + last + deny)
    new.write_text(topology + first + last + deny)

    found = document(netlab, str(old), str(new), "--port", "80")

    assert [] == found["changes"]
    assert ["default/b"] == found["vanished"]


def test_a_problem_of_what_both_sides_read_is_printed_once(netlab: Netlab, sides: Path) -> None:
    """As are the problems of one input that both sides are."""
    (sides / "wrong.yaml").write_text(DENY.replace("[Ingress]", "[In]"))

    for words in (("deny.yaml", "open.yaml", "-f", "wrong.yaml"), ("wrong.yaml", "wrong.yaml")):
        done = netlab("diff", *words)
        lines = done.stderr.splitlines()
        assert 2 == done.exit_code
        assert lines
        assert len({*lines}) == len(lines)
