"""``netlab reach``, ``explain`` and ``compile``: answers without a kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Call = Callable[..., Any]
SHOP = ("-f", "examples/shop/shop.yaml", "-f", "examples/shop/policies.yaml")
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _from_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def rows(done: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


def test_the_table_is_a_truth_table(netlab: Call) -> None:
    """Sources by destinations: in the shop, web is open to all, and each tier only to the one before it."""
    done = netlab("reach", *SHOP, env={"COLUMNS": "120"})

    assert 0 == done.exit_code
    assert (
        """\
SOURCE          other/stranger  shop/api-0  shop/db-0  shop/web-0  shop/web-1
other/stranger  -               X           X          .           .
shop/api-0      X               -           .          X           X
shop/db-0       X               X           -          X           X
shop/web-0      X               .           X          -           X
shop/web-1      X               .           X          X           -
. allow   X deny   - not asked
20 pairs: 5 allow, 15 deny
"""
        == done.stdout
    )


@pytest.mark.parametrize("output", ["table", "wide", "json", "yaml"])
@pytest.mark.parametrize("options", [(), ("--nodes", "--self", "--port", "80", "--port", "ICMP")])
def test_many_pairs_are_printed_like_few(
    netlab: Call, monkeypatch: pytest.MonkeyPatch, output: str, options: tuple[str, ...]
) -> None:
    """Byte for byte, though they are not evaluated pair by pair."""
    few = netlab("reach", *SHOP, "-o", output, *options)
    monkeypatch.setattr("netlab.report.expected._FEW", 0)
    many = netlab("reach", *SHOP, "-o", output, *options)

    assert (0, few.stdout) == (many.exit_code, many.stdout)


def test_a_very_wide_table_says_that_there_are_groups(netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line on standard error for a table; none for documents."""
    monkeypatch.setattr("netlab.report.expected._FEW", 0)
    monkeypatch.setattr("netlab.report.expected._WIDE", 4)

    assert "a table of 5 columns: --group prints pods that behave alike as one\n" in netlab("reach", *SHOP).stderr
    assert "--group" not in netlab("reach", *SHOP, "-o", "json").stderr


def test_groups_are_lines_of_the_table(netlab: Call) -> None:
    """With ``--group``, equivalent pods are one line with their shared label and their number."""
    done = netlab("reach", "--group", *SHOP, env={"COLUMNS": "120"})

    assert 0 == done.exit_code
    assert (
        """\
SOURCE                 other/stranger  shop/api-0  shop/db-0  shop app=web (2 pods)
other/stranger         -               X           X          .
shop/api-0             X               -           .          X
shop/db-0              X               X           -          X
shop app=web (2 pods)  X               .           X          X
. allow   X deny   - not asked
4 groups of 5 pods; 20 pairs: 5 allow, 15 deny
"""
        == done.stdout
    )


def test_groups_as_lists_and_documents(netlab: Call) -> None:
    """Lists say what reaches a group and what it reaches; ``-o json`` is for programs."""
    narrow = netlab("reach", "--group", *SHOP, env={"COLUMNS": "20"}).stdout

    assert "shop/db-0, asked 5432/TCP\n  from  api-0 of its namespace\n  to    none\n" in narrow
    assert narrow == netlab("reach", "--group", "-o", "wide", *SHOP).stdout
    document = json.loads(netlab("reach", "--group", "--nodes", *SHOP, "-o", "json").stdout)
    assert ("ReachabilityGroups", {"Pod", "Node"}) == (
        document["kind"],
        {group["kind"] for group in document["groups"]},
    )


@pytest.mark.parametrize(("output", "load"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_documents_have_expected_verdicts_and_no_measured_ones(netlab: Call, output: str, load: Any) -> None:
    """``reach`` sends no packet."""
    document = load(netlab("reach", *SHOP, "-o", output).stdout)

    assert ("netlab/v1alpha1", "Reachability", "default") == tuple(
        document[name] for name in ("apiVersion", "kind", "lab")
    )
    assert {"source", "destination", "family", "protocol", "port", "expected", "reason"} == set(document["rows"][0])
    assert 20 == document["summary"]["pairs"] == len(document["rows"])


@pytest.mark.parametrize(
    ("options", "services"),
    [
        ([], {("TCP", 80), ("TCP", 8080), ("TCP", 5432)}),
        (["--port", "53/udp"], {("UDP", 53)}),
        (["--port", "80", "--port", "ICMP", "--port", "80/TCP"], {("TCP", 80), ("ICMP", None)}),
    ],
    ids=["declared", "one", "several"],
)
def test_ports(netlab: Call, options: list[str], services: set[tuple[str, int | None]]) -> None:
    """``--port`` replaces the declared ports of every destination."""
    found = rows(netlab("reach", *SHOP, "-o", "json", *options))

    assert services == {(row["protocol"], row["port"]) for row in found}


@pytest.mark.parametrize(("options", "count"), [([], 20), (["--self"], 25), (["--nodes"], 30), (["--family", "4"], 20)])
def test_the_pairs_of_the_options(netlab: Call, options: list[str], count: int) -> None:
    """Every pod with every other; options add nodes, and pods with themselves."""

    assert count == len(rows(netlab("reach", *SHOP, "-o", "json", *options)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--port", "http"], "Error: 'http': a port is a number from 1 to 65535, as in 80, 53/UDP or ICMP"),
        (["--port", "0"], "Error: '0': a port is a number from 1 to 65535, as in 80, 53/UDP or ICMP"),
        (["--port", "80/FOO"], "Error: '80/FOO': no protocol 'FOO'; it is one of TCP, UDP, SCTP, ICMP"),
        (["--family", "6"], "Error: lab default has no IPv6 pod network"),
        (["-f", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
    ],
)
def test_mistakes(netlab: Call, options: list[str], message: str) -> None:
    """Exit code 2, and what would be right."""
    done = netlab("reach", *SHOP, *options)

    assert (2, "", [message]) == (done.exit_code, done.stdout, done.stderr.splitlines())


def test_explain_names_policy_rule_and_line(netlab: Call) -> None:
    """It does so for both sides. A workload stands for its first pod, with its declared port."""
    done = netlab("explain", "shop/api", "shop/db", *SHOP)

    assert 0 == done.exit_code
    assert done.stdout.startswith("shop/api-0 -> shop/db-0 5432/TCP, IPv4: allow\n")
    assert "NetworkPolicy shop/db (policies.yaml:" in done.stdout
    assert "NetworkPolicy shop/api (policies.yaml:" in done.stdout


def test_explain_takes_names_from_the_namespace(netlab: Call) -> None:
    """``-n`` is the namespace of names without one."""
    done = netlab("explain", "web", "db/ICMP", "-n", "shop", *SHOP)

    assert done.stdout.startswith("shop/web-0 -> shop/db-0 ICMP, IPv4: deny\n")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (["shop/wbe", "shop/db"], "Error: no pod or workload 'shop/wbe'; did you mean shop/web"),
        (["shop/web", "shop/db:x"], "Error: 'x': a port is a number from 1 to 65535"),
        (["shop/web"], "Error: explain shop/web: write SRC DST:PORT, or a URL and its client"),
    ],
)
def test_explain_of_a_missing_endpoint(netlab: Call, pair: list[str], message: str) -> None:
    """Exit code 2, and a suggestion."""
    done = netlab("explain", *pair, *SHOP)

    assert 2 == done.exit_code
    assert done.stderr.startswith(message)


def test_compile_prints_what_nft_reads(netlab: Call) -> None:
    """One ruleset for each node, or that of one."""
    two = ("-f", "topologies/two-nodes.yaml", *SHOP)
    both, one = netlab("compile", *two).stdout, netlab("compile", *two, "--node", "node-b").stdout

    assert 2 == both.count("\ntable inet netlab {")
    assert 1 == one.count("\ntable inet netlab {")
    assert both.endswith(one)


def test_compile_of_a_missing_node(netlab: Call) -> None:
    """Exit code 2, and the names of the nodes."""
    done = netlab("compile", *SHOP, "--node", "moon")

    assert (2, "Error: no node 'moon' (known: node-1)\n") == (done.exit_code, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("reach", "--html", "pod.yaml"),
        ("graph", "policies", "-o", "svg", "--output-file", "pod.yaml"),
        ("check", "--markdown", "pod.yaml"),
    ],
)
def test_a_report_replaces_no_manifest(
    netlab: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """A name that is mistyped, or completed by the shell, must not cost a file."""
    monkeypatch.chdir(tmp_path)
    text = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}"
    Path("pod.yaml").write_text(text)

    done = netlab(*arguments, "-f", "pod.yaml")

    assert 2 == done.exit_code
    assert "pod.yaml: this file exists and may be a manifest, which is not replaced" in done.stderr
    assert text == Path("pod.yaml").read_text()


def test_two_reports_are_two_files(netlab: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one would replace the first."""
    monkeypatch.chdir(tmp_path)
    Path("pod.yaml").write_text("{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}")

    done = netlab("reach", "-f", "pod.yaml", "--html", "x", "--markdown", "./x")

    assert (2, False) == (done.exit_code, Path("x").exists())
    assert "name one file" in done.stderr
    assert 0 == netlab("reach", "-f", "pod.yaml", "--html", "/dev/null", "--markdown", "/dev/null").exit_code
