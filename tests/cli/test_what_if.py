"""The options ``--with``, ``--without`` and ``--label`` of commands that ask about objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result

from netlab.cli.command_group import cli

Call = Callable[..., Result]
NAMES = {"with", "without", "label"}
# These commands change a lab, or read files to write others.
CHANGING = {"up", "apply", "delete", "init", "mirror"}
PODS = """\
apiVersion: v1
kind: Namespace
metadata: {name: x, labels: {team: a}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {tier: back}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: b, namespace: x}
spec:
  replicas: 2
  selector: {matchLabels: {app: b}}
  template:
    metadata: {labels: {app: b}}
    spec: {containers: [{name: c}]}
"""
DENY = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: x}
spec: {podSelector: {}}
"""
ALLOW = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow, namespace: x}
spec:
  podSelector: {matchLabels: {tier: front}}
  ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]
"""


def commands() -> dict[str, click.Command]:
    """Return the commands by name."""
    context = click.Context(cli)
    return {name: cli.get_command(context, name) or click.Command(name) for name in cli.list_commands(context)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "manifests"
    made.mkdir()
    (made / "pods.yaml").write_text(PODS)
    (made / "deny.yaml").write_text(DENY)
    (tmp_path / "allow.yaml").write_text(ALLOW)
    return tmp_path


@pytest.fixture
def allowed(netlab: Call, folder: Path) -> Callable[..., set[tuple[str, str]]]:
    """Return a function that asks ``reach`` with options and returns the allowed pairs."""

    def ask(*options: object) -> set[tuple[str, str]]:
        done = netlab("reach", "-f", folder / "manifests", *options, "-o", "json")
        assert 0 == done.exit_code, done.stderr
        rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
        return {(row["source"], row["destination"]) for row in rows if row["expected"] == "allow"}

    return ask


def test_every_command_that_asks_about_objects_has_the_options() -> None:
    """It has them, or it is one of those that change a lab."""
    options = {name: {p.name: p.expose_value for p in command.params} for name, command in commands().items()}
    reading = {name for name, known in options.items() if "files" in known}
    asking = {name for name, known in options.items() if NAMES <= {one for one, given in known.items() if not given}}

    assert reading - CHANGING == asking


def test_nothing_is_assumed_without_the_options(allowed: Callable[..., set[tuple[str, str]]]) -> None:
    """The policy of the input denies all."""

    assert set() == allowed()


def test_an_object_is_left_out(allowed: Callable[..., set[tuple[str, str]]]) -> None:
    """Without the policy, all pairs are allowed; a kind has all names that kubectl has for it."""

    assert 6 == len(allowed("--without", "netpol/x/deny"))
    assert 6 == len(allowed("--without", "NetworkPolicy/x/deny"))


def test_objects_are_added_and_labels_changed(allowed: Callable[..., set[tuple[str, str]]], folder: Path) -> None:
    """All changes are in force together: a policy, the label that it selects, and that of its peers."""
    found = allowed(
        *("--with", folder / "allow.yaml"), *("--label", "x/a", "tier=front"), *("--label", "namespace:x", "team=b")
    )

    assert {("x/b-0", "x/a"), ("x/b-1", "x/a")} == found


def test_a_file_replaces_an_object(allowed: Callable[..., set[tuple[str, str]]], folder: Path) -> None:
    """The object of the same name counts, as with ``apply``; an object can also be removed and added again."""
    other = folder / "other.yaml"
    other.write_text(DENY.replace("podSelector: {}", "podSelector: {matchLabels: {app: b}}"))

    assert {("x/b-0", "x/a"), ("x/b-1", "x/a")} == allowed("--with", other)
    assert {("x/b-0", "x/a"), ("x/b-1", "x/a")} == allowed("--with", other, "--without", "netpol/x/deny")


def test_a_workload_stands_for_its_first_pod(allowed: Callable[..., set[tuple[str, str]]], folder: Path) -> None:
    """As with ``netlab label``; each pod of a workload has labels of its own, and labels can be removed."""
    options = ("--with", folder / "allow.yaml", "--label", "namespace:x", "team=b")

    assert {("x/a", "x/b-0"), ("x/b-1", "x/b-0")} == allowed(*options, "--label", "x/b", "tier=front")
    assert {("x/a", "x/b-1"), ("x/b-0", "x/b-1")} == allowed(*options, "--label", "x/b-1", "tier=front")
    assert (
        4 == len(allowed("--without", "netpol/x/deny", "--label", "x/a", "tier-", "--with", folder / "allow.yaml")) - 2
    )


def test_what_is_assumed_is_said(netlab: Call, folder: Path) -> None:
    """One line on standard error has all changes."""
    done = netlab(
        *("reach", "-f", folder / "manifests", "--without", "netpol/x/deny", "--with", folder / "allow.yaml"),
        *("--label", "x/b", "tier=front", "--label", "namespace:x", "team-"),
    )

    expected = f"what if: without netpol/x/deny, with {folder / 'allow.yaml'}, with label tier=front on pod x/b, "
    assert f"{expected}without label team on namespace x" in done.stderr.splitlines()


def test_a_report_says_what_was_assumed(netlab: Call, folder: Path) -> None:
    """The command of a report has the options, and so have the commands that follow from it."""
    for command in ("reach", "check", "compare"):
        done = netlab(command, "-f", folder / "manifests", "--without", "netpol/x/deny", "-o", "markdown")

        assert "What if: without `netpol/x/deny`" in done.stdout
        assert "--without netpol/x/deny" in done.stdout.partition("Commands that show it again")[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--without", "netpol/x/dney"), "--without netpol/x/dney: no NetworkPolicy x/dney; did you mean x/deny?"),
        (("--without", "netpol/y/deny"), "--without netpol/y/deny: no NetworkPolicy y/deny; did you mean x/deny?"),
        (("--without", "netpol/deny"), "--without netpol/deny: no NetworkPolicy default/deny; did you mean x/deny?"),
        (("--without", "deny"), "--without deny: write KIND/NAMESPACE/NAME, or KIND/NAME for"),
        (
            ("--without", "nope/x/deny"),
            "--without nope/x/deny: no kind 'nope': write KIND/NAMESPACE/NAME; KIND is",
        ),
        (("--without", "ns/x/x"), "--without ns/x/x: a Namespace has no namespace: write ns/x"),
        (("--label", "x/aa", "k=v"), "--label x/aa: no pod or workload 'x/aa'; did you mean x/a"),
        (("--label", "node:node-1", "k=v"), "--label node:node-1: node:node-1 is not a pod"),
        (("--label", "namespace:y", "k=v"), "--label namespace:y: namespace y does not exist"),
        (("--label", "x/a", "k"), "Error: 'k': write KEY=VALUE to set a label, KEY- to remove it"),
        (("--label", "x/a", "k=?"), "Error: 'k=?': "),
        (("--with", "/nonexistent"), "/nonexistent: No such file or directory"),
    ],
)
def test_a_change_that_is_not_possible_is_one_line(
    netlab: Call, folder: Path, options: tuple[str, ...], message: str
) -> None:
    """The exit code is 2, and the line has similar names."""
    done = netlab("reach", "-f", folder / "manifests", *options)

    assert 2 == done.exit_code
    assert [message] == [line[: len(message)] for line in done.stderr.splitlines() if not line.startswith("what if: ")]


def test_all_problems_are_printed_at_once(netlab: Call, folder: Path) -> None:
    """Those of the input, of the added files, and of the options."""
    (folder / "manifests" / "wrong.yaml").write_text(DENY.replace("podSelector", "podSelecter"))
    (folder / "allow.yaml").write_text(ALLOW.replace("ingress", "ingres"))
    done = netlab(
        *("check", "-f", folder / "manifests", "--with", folder / "allow.yaml"),
        *("--without", "netpol/x/nope", "--label", "namespace:y", "k=v"),
    )

    assert 2 == done.exit_code
    for text in ("podSelecter", "allow.yaml:6", "--without netpol/x/nope", "--label namespace:y"):
        assert text in done.stderr


def test_packets_cannot_measure_what_would_be(netlab: Call) -> None:
    """``verify`` of a running lab refuses the options."""
    done = netlab("verify", "--without", "netpol/x/deny")

    assert 2 == done.exit_code
    assert "packets measure the lab that runs; name files with -f" in done.stderr
