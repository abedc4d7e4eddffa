"""``netlab trace`` on the real kernel: one packet, the rules that matched it, and their policies."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def traced(program: Program, lab: str, source: str, destination: str) -> Any:
    done = program("trace", source, destination, "--lab", lab, "-o", "json")
    assert 0 == done.returncode, done.stderr
    (one,) = json.loads(done.stdout)["traces"]
    return one


def tables(program: Program, lab: str) -> list[str]:
    done = program("exec", "node:node-1", "--lab", lab, "--", "nft", "list", "tables")
    return done.stdout.splitlines()


def test_an_allowed_packet_shows_the_elements_that_allow_it(program: Program, shared_lab: str) -> None:
    """One on each side, with the policy's name."""
    trace = traced(program, shared_lab, "shop/web", "shop/api:8080")
    allowing = {step["set"]: step["comment"] for step in trace["steps"] if step["verdict"] == "return"}

    assert ("allow", "allow", True) == (trace["expected"], trace["measured"], trace["agree"])
    assert {"eg_l3l4", "in_l3l4"} == set(allowing)
    assert allowing["eg_l3l4"].endswith("by shop/web")
    assert allowing["in_l3l4"].endswith("by shop/api")


def test_a_packet_that_ingress_denies_names_the_drop_and_the_policies(program: Program, shared_lab: str) -> None:
    """The last step is the drop, and its element the class of the pod that they isolate."""
    trace = traced(program, shared_lab, "other/stranger", "shop/api:8080")
    last = trace["steps"][-1]

    assert ("deny", "deny", True) == (trace["expected"], trace["measured"], trace["agree"])
    assert ("inet netlab deny_in", "counter drop", "drop") == (last["chain"], last["rule"], last["verdict"])
    assert "in4" == last["set"]
    assert last["comment"].startswith("shop/api-0 selected by shop/api")


def test_the_table_has_both_verdicts(program: Program, shared_lab: str) -> None:
    """The rules, the packet's verdict, the evaluator's verdict, and whether both agree."""
    lines = program("trace", "shop/db", "shop/api:8080", "--lab", shared_lab).stdout.splitlines()

    assert "shop/db-0 -> shop/api-0 8080/TCP, IPv4" == lines[0]
    assert ["NODE", "CHAIN", "RULE", "VERDICT", "ENTRY"] == lines[1].split()
    assert lines[-4].startswith("node-1   inet netlab deny_eg ")
    assert lines[-3].startswith("packet:  deny: never arrived")
    assert lines[-2].startswith("explain: deny: egress of shop/db-0: ")
    assert "both agree" == lines[-1]


def test_a_drift_from_the_policies_is_exit_code_1(program: Program, lab: str) -> None:
    """A foreign rule drops what the policies allow; the trace shows the rule."""
    rule = "table inet alien { chain c { type filter hook forward priority 10; tcp dport 8080 drop; }; }"
    assert 0 == program("exec", "node:node-1", "--lab", lab, "--", "nft", rule).returncode
    done = program("trace", "shop/web", "shop/api:8080", "--lab", lab)

    assert 1 == done.returncode
    assert "they do not agree" == done.stdout.splitlines()[-1]
    assert "inet alien c" in done.stdout


def test_no_table_stays(program: Program, shared_lab: str) -> None:
    """The node has the tables that it had before."""
    before = tables(program, shared_lab)
    traced(program, shared_lab, "shop/web", "shop/api:8080")

    assert before == tables(program, shared_lab)
    assert before
