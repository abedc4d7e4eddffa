"""Policies that netlab does not read, from file to verdict: a warning, an unknown verdict, and ``--ignore``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]
Program = Callable[..., "subprocess.CompletedProcess[str]"]

PODS = """\
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
"""
CILIUM = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: l7, namespace: shop}
spec: {endpointSelector: {matchLabels: {k8s:app: db}}, ingressDeny: [{fromEntities: [all]}]}
"""
CALICO = """\
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: same, namespace: shop}
spec: {selector: app == 'db', types: [Egress]}
"""
OWN = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: same, namespace: shop}
spec: {podSelector: {matchLabels: {app: web}}}
"""
TOLD = "Warning: all.yaml:5: CiliumNetworkPolicy shop/l7"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all.yaml").write_text(f"{PODS}---\n{CILIUM}")
    return "-f", "all.yaml"


def expected(done: Any) -> dict[str, str]:
    rows = json.loads(done.stdout)["rows"]
    return {f"{row['source']} {row['destination']}": row["expected"] for row in rows}


def test_check_lists_every_one(netlab: Call, files: tuple[str, str], tmp_path: Path) -> None:
    """A warning for each object, which ``--strict`` makes exit code 1."""
    (tmp_path / "all.yaml").write_text(f"{PODS}---\n{CILIUM}---\n{CILIUM.replace('l7', 'l8')}---\n{CALICO}")
    done, strict = netlab("check", *files), netlab("check", "--strict", *files)

    assert (0, 3, 1) == (done.exit_code, done.stderr.count("Warning: "), strict.exit_code)
    assert "lab default: 1 node, 2 pods, 0 NetworkPolicies: 0 errors, 3 warnings\n" == done.stdout
    problems = json.loads(netlab("check", *files, "-o", "json").stdout)["problems"]
    assert {"warning"} == {problem["severity"] for problem in problems}


@pytest.mark.parametrize("command", [["reach"], ["compile"], ["explain", "shop/web", "shop/db"]])
def test_other_commands_print_one_line_for_each_kind(
    netlab: Call, files: tuple[str, str], tmp_path: Path, command: list[str]
) -> None:
    """With ``--strict`` it is an error."""
    one = netlab(*command, *files)
    (tmp_path / "all.yaml").write_text(f"{PODS}---\n{CILIUM}---\n{CILIUM.replace('l7', 'l8')}")
    two, strict = netlab(*command, *files), netlab(*command, "--strict", *files)

    assert (0, 1, 1) == (one.exit_code, len(one.stderr.splitlines()), len(two.stderr.splitlines()))
    assert one.stderr.startswith(f"{TOLD}: netlab does not read CiliumNetworkPolicy of cilium.io; ")
    assert two.stderr.startswith(f"{TOLD} and 1 more: netlab does not read CiliumNetworkPolicy of cilium")
    assert (2, 2) == (strict.exit_code, len(strict.stderr.splitlines()))


def test_reach_says_unknown(netlab: Call, files: tuple[str, str]) -> None:
    """In the rows, the summary, the table and the groups."""
    done = netlab("reach", *files, "-o", "json")
    table = netlab("reach", *files)

    assert {"shop/web shop/db": "unknown", "shop/db shop/web": "allow"} == expected(done)
    assert 1 == json.loads(done.stdout)["summary"]["unknown"]
    assert "shop/web  u        -" in table.stdout
    assert "u unknown: a policy that netlab does not read could change it" in table.stdout
    assert table.stdout.endswith("2 pairs: 1 allow, 0 deny, 1 unknown\n")
    assert "  from  unknown: all\n" in netlab("reach", "--group", "-o", "wide", *files).stdout


@pytest.mark.parametrize("command", ["check", "reach", "compile"])
def test_ignored_kinds_are_as_if_absent(netlab: Call, files: tuple[str, str], command: str) -> None:
    """Only the line of skipped kinds counts them; ``--strict`` accepts them."""
    done = netlab(command, "--strict", *files, "--ignore", "CiliumNetworkPolicy.cilium.io")
    other = netlab(command, *files, "--ignore", "NetworkPolicy")

    assert 0 == done.exit_code, done.stderr
    assert command == "check" or "skipped 1 object that netlab does not read: 1 CiliumNetworkPolicy\n" == done.stderr
    assert TOLD in other.stderr


def test_explain_leaves_out_ignored_kinds(netlab: Call, files: tuple[str, str]) -> None:
    """The text does not name the kind."""
    done = netlab("explain", "shop/web", "shop/db", *files, "--ignore", "CiliumNetworkPolicy")

    assert done.stdout.startswith("shop/web -> shop/db 80/TCP, IPv4: allow\n")
    assert "Cilium" not in done.stdout


def test_an_unknown_kind_to_ignore_is_an_error(netlab: Call, files: tuple[str, str]) -> None:
    """Exit code 2, and how to write it."""
    done = netlab("reach", *files, "--ignore", "a/b")

    assert (2, "Error: --ignore 'a/b': write KIND or KIND.GROUP, as in CiliumNetworkPolicy.cilium.io\n") == (
        done.exit_code,
        done.stderr,
    )


def test_a_foreign_service_is_no_service_of_the_lab(netlab: Call, tmp_path: Path) -> None:
    """``apply`` takes objects of the kinds that netlab reads, and not those of other APIs with the same name."""
    from netlab.cli.commands.apply import _documents_of

    file = tmp_path / "s.yaml"
    file.write_text(
        "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: fn}}\n---\n"
        "{apiVersion: v1, kind: Service, metadata: {name: own}, spec: {ports: [{port: 80}]}}\n"
    )

    assert ["own"] == [document.data["metadata"]["name"] for document in _documents_of([str(file)], False, [])]


@pytest.mark.kernel
def test_verify_counts_pairs_that_it_cannot_compare(program: Program, tmp_path: Path) -> None:
    """Exit code 0 and a line on standard error; with the kind ignored everything is compared."""
    file = tmp_path / "all.yaml"
    file.write_text(f"{PODS}---\n{CILIUM}")
    done = program("verify", "-f", file, "-o", "json")
    ignored = program("verify", "-f", file, "-o", "json", "--ignore", "CiliumNetworkPolicy")
    document = json.loads(done.stdout)

    assert (0, 0) == (done.returncode, ignored.returncode)
    assert {"pairs": 2, "agree": 1, "differ": 0, "inconclusive": 0, "unknown": 1} == document["summary"]
    (row,) = [row for row in document["rows"] if row["expected"] == "unknown"]
    assert "allow" == row["measured"]
    assert (
        "1 pair not compared: a policy that netlab does not read could change the verdict"
        == done.stderr.splitlines()[-1]
    )
    assert {"pairs": 2, "agree": 2, "differ": 0, "inconclusive": 0, "unknown": 0} == json.loads(ignored.stdout)[
        "summary"
    ]


def test_a_running_lab_knows_its_unread_policies(program: Program, unique: Callable[[str], str]) -> None:
    """``up`` and ``apply`` warn, commands on the lab say unknown, ``delete`` by its file takes the policy away."""
    lab = unique("unread")
    try:
        up = program("up", "-f", "-", "--lab", lab, text=PODS)
        applied = program("apply", "-f", "-", "--lab", lab, text=f"{CILIUM}---\n{CALICO}---\n{OWN}")
        reach = program("reach", "--lab", lab, "-o", "json")
        verify = program("verify", "--lab", lab, "-o", "json")
        trace = program("trace", "shop/web", "shop/db:80", "--lab", lab)
        listed = program("get", "networkpolicies", "--lab", lab, "-o", "json")
        asked = program("reach", "--lab", lab, "-o", "json", "--ignore", "CiliumNetworkPolicy")
        deleted = program("delete", "-f", "-", "--lab", lab, text=f"{CILIUM}---\n{CALICO}")
        after = program("reach", "--lab", lab, "-o", "json")
    finally:
        program("down", lab)

    assert (0, 0) == (up.returncode, applied.returncode), applied.stderr
    assert 2 == applied.stderr.count("Warning: <stdin>:")
    assert {"shop/web shop/db": "unknown", "shop/db shop/web": "deny"} == expected(reach)
    assert 2 == reach.stderr.count("Warning: ")
    assert (0, 1) == (verify.returncode, json.loads(verify.stdout)["summary"]["unknown"])
    assert (0, "nothing to compare: the verdict is not known") == (trace.returncode, trace.stdout.splitlines()[-1])
    assert ["networking.k8s.io/v1"] == [item["apiVersion"] for item in json.loads(listed.stdout)["items"]]
    assert {"shop/web shop/db": "allow", "shop/db shop/web": "deny"} == expected(asked)
    assert 0 == deleted.returncode, deleted.stderr
    assert {"shop/web shop/db": "allow", "shop/db shop/web": "deny"} == expected(after)
    assert "" == after.stderr


def test_a_running_lab_keeps_its_ignored_kinds(program: Program, unique: Callable[[str], str]) -> None:
    """Also for what is applied later; ``up`` without the option ends it."""
    lab = unique("ignore")
    try:
        up = program("up", "-f", "-", "--lab", lab, "--ignore", "CiliumNetworkPolicy", text=f"{PODS}---\n{CILIUM}")
        reach = program("reach", "--lab", lab, "-o", "json")
        applied = program("apply", "-f", "-", "--lab", lab, text=CILIUM.replace("l7", "l8"))
        later = program("reach", "--lab", lab, "-o", "json")
        more = program("apply", "-f", "-", "--lab", lab, "--ignore", "NetworkPolicy", text=CALICO)
        again = program("up", "-f", "-", "--lab", lab, text=f"{PODS}---\n{CILIUM}")
        after = program("reach", "--lab", lab, "-o", "json")
    finally:
        program("down", lab)

    known = {"shop/web shop/db": "allow", "shop/db shop/web": "allow"}
    assert (0, 0, 0, 0) == (up.returncode, applied.returncode, more.returncode, again.returncode), applied.stderr
    assert "skipped 1 object that netlab does not read: 1 CiliumNetworkPolicy" == up.stderr.splitlines()[0]
    assert "IgnoredKind" not in up.stdout + more.stdout
    assert "ignoredkind" not in up.stdout + more.stdout
    assert (known, "") == (expected(reach), reach.stderr)
    assert known == expected(later)
    assert "unknown" == expected(after)["shop/web shop/db"]


def test_an_ignored_kind_that_no_object_has_gets_a_warning(netlab: Call, files: tuple[str, str]) -> None:
    """It is misspelt, or the policies are not in these files; NetworkPolicy of Kubernetes' own is always read."""
    names = ("CiliumNetworkPolicy", "CiliumNetworkPolicies", "NetworkPolicy")
    done = netlab("reach", *files, *(word for name in names for word in ("--ignore", name)))

    assert [
        f"Warning: --ignore {name}: the input has no such policy that netlab does not read" for name in names[1:]
    ] == [line for line in done.stderr.splitlines() if "--ignore" in line]


def test_apply_does_not_warn_about_ignored_kinds(program: Program, unique: Callable[[str], str]) -> None:
    """``up --ignore`` holds for later objects."""
    lab = unique("ignore")
    try:
        up = program("up", "-f", "-", "--lab", lab, "--ignore", "CiliumNetworkPolicy", text=f"{PODS}---\n{CILIUM}")
        more = program("apply", "-f", "-", "--lab", lab, text=CILIUM.replace("l7", "l8"))
        wrong = program("apply", "-f", "-", "--lab", unique("none"), text="{apiVersion: v1, kind: Pod}")
    finally:
        program("down", lab)

    assert (0, 0, 2) == (up.returncode, more.returncode, wrong.returncode)
    assert "Warning" not in more.stderr
    assert "metadata.name: Required value" in wrong.stderr
