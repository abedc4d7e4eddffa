"""``netlab conformance``: cases, judges, files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import Result

from netlab.cli.commands import conformance as command
from netlab.conformance.features import FEATURES

Call = Callable[..., Result]
Program = Callable[..., "subprocess.CompletedProcess[str]"]
TWO = ("upstream/default-deny-*", "upstream/endPort without port")
PAPER = ("--judges", "evaluator,tracer")


def test_summary_by_feature(netlab: Call) -> None:
    """Names select cases; the last line has the totals and the judges."""
    done = netlab("conformance", *TWO, *PAPER)

    assert (0, "5 cases, 288 cells by evaluator, tracer: 5 agree, 0 differ") == (
        done.exit_code,
        done.stdout.splitlines()[-1],
    )
    assert ["FEATURE", "CASES", "CELLS", "DIFFER"] == done.stdout.split()[:4]


@pytest.mark.kernel
def test_packets_in_two_processes(program: Program) -> None:
    """Packets are a judge by default; each process has a lab of its own."""
    done = program("conformance", *TWO, "--random", "2", "--jobs", "2", "-o", "json")
    document = json.loads(done.stdout)

    assert 0 == done.returncode
    assert ["evaluator", "tracer", "packets"] == document["judges"]
    assert {"cases": 7, "cells": 672, "agree": 7, "differ": 0} == document["summary"]


def test_junit(netlab: Call, tmp_path: Path) -> None:
    """Each feature is a test suite, each case a test case."""
    file = tmp_path / "junit.xml"
    netlab("conformance", *TWO, *PAPER, "--junit", file)
    suites = ET.parse(file).getroot()  # noqa: S314 - written by netlab just now

    assert {"name": "netlab conformance", "tests": "5", "failures": "0"} == suites.attrib
    assert 5 == len(suites.findall("testsuite/testcase"))


def exported(netlab: Call, tmp_path: Path, word: str) -> Path:
    """Export two cases, and fill in as measured what is expected, or the same word everywhere."""
    file = tmp_path / "table.json"
    netlab("conformance", "upstream/default-deny-ingress", "upstream/allow-all", "--export", file)
    table = json.loads(file.read_text())
    for item in table["cases"]:
        for row in item["rows"]:
            row["measured"] = word or row["expected"]
    file.write_text(json.dumps(table))
    return file


@pytest.mark.parametrize(("word", "code", "differ"), [("", 0, 0), ("allow", 1, 1), ("inconclusive", 1, 2)])
def test_against_measured_verdicts(netlab: Call, tmp_path: Path, word: str, code: int, differ: int) -> None:
    """Rows without ``measured`` are left out; an inconclusive row is a disagreement."""
    done = netlab("conformance", "--against", exported(netlab, tmp_path, word))

    assert (code, f"2 cases, 216 cells by measured: {2 - differ} agree, {differ} differ") == (
        done.exit_code,
        done.stdout.splitlines()[-1],
    )


def test_an_exported_stage_has_the_objects_to_apply(netlab: Call, tmp_path: Path) -> None:
    """Namespaces, pods and policies, and no Topology, which only netlab reads."""
    (item, _) = json.loads(exported(netlab, tmp_path, "").read_text())["cases"]

    assert {"Namespace", "Pod", "NetworkPolicy"} == {one["kind"] for one in item["objects"]}


ROW = '{"source": "x/a", "destination": "x/b", "protocol": "TCP", "port": 80, "expected": "deny"%s}'
CASE = '{"kind": "ConformanceTable", "cases": [{"case": "a", "stage": "b", "rows": [' + ROW + "]}]}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "not a truth table of --export: kind is None, not 'ConformanceTable'"),
        ("[", "not a truth table of --export: Expecting value"),
        ("[]", "not a truth table of --export: its form is another"),
        ('{"kind": "ConformanceTable"}', "not a truth table of --export: 'cases' is missing"),
        (CASE % "", 'no row has "measured"'),
        (CASE % ', "measured": "deny"', "no such case: a / b"),
    ],
)
def test_against_a_file_that_is_not_a_table(netlab: Call, tmp_path: Path, text: str, message: str) -> None:
    """One line, exit code 2."""
    file = tmp_path / "table.json"
    file.write_text(text)
    done = netlab("conformance", "upstream/allow-all", "--against", file)

    assert 2 == done.exit_code
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing-of-that-name"], "no case matches nothing-of-that-name"),
        (["--judges", "evaluator,oracle"], "no judge 'oracle'; they are evaluator, tracer, packets"),
        (["--junit", "/no/such/folder/x.xml"], "/no/such/folder/x.xml: no directory /no/such/folder"),
    ],
)
def test_mistakes(netlab: Call, arguments: list[str], message: str) -> None:
    """Exit code 2, and what would be right."""
    done = netlab("conformance", *arguments)

    assert 2 == done.exit_code
    assert message in done.stderr


def test_names(netlab: Call) -> None:
    """``--list`` prints the names that globs match."""
    done = netlab("conformance", "upstream/allow*", "--list")

    assert "upstream/allow-all\n" == done.stdout


def test_features_are_those_of_the_suite() -> None:
    """The choices of --feature are the names of ``conformance.features``, which only a run imports."""
    assert [*FEATURES] == [*command._FEATURES]


def test_the_cases_of_a_feature(netlab: Call) -> None:
    """--feature chooses the cases; -v lists those that are not judged."""
    done = netlab("conformance", "--feature", "cluster-network-policy", "edge/0[1-3]*", *PAPER, "-v")

    assert (0, "4 cases, 175 cells by evaluator, tracer: 4 agree, 0 differ") == (
        done.exit_code,
        done.stdout.splitlines()[-1],
    )
    assert "  edge/72 GRE and ESP under Deny: probes are TCP, UDP, SCTP and ICMP" in done.stderr.splitlines()


def test_a_feature_on_two_nodes_refuses_a_mode_of_one(netlab: Call) -> None:
    """The message names the mode."""
    done = netlab("conformance", "--feature", "cluster-network-policy", "--mode", "bridge")

    assert 2 == done.exit_code
    assert "cluster-network-policy needs two nodes, and the mode 'bridge' joins no nodes" in done.stderr
