"""Invariants as objects: what is read, and the error of each field that does not fit."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from netlab.objects import read_input
from netlab.objects.invariants import EVERY_PORT, Invariants, PortSpan

POD = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x}}\n"
HEAD = "apiVersion: netlab/v1alpha1\nkind: Invariants\nmetadata: {name: i}\nspec:\n  resources: [pods.yaml]\n  rules:\n"


@pytest.fixture
def write(tmp_path: Path) -> Path:
    (tmp_path / "pods.yaml").write_text(POD)
    return tmp_path / "i.yaml"


def read(file: Path, text: str) -> tuple[Invariants | None, list[str]]:
    file.write_text(text)
    found = read_input([str(file)])
    (one,) = found.objects.invariants or (None,)
    return one, [f"{p.line}: {p.path}: {p.message}" for p in found.problems if p.severity == "error"]


def test_rules_are_read_with_their_defaults(write: Path) -> None:
    """Without ports a rule is about every port, and an item of ``only`` about those of its rule."""
    found, problems = read(
        write,
        HEAD
        + "  - {name: a, from: {}, to: {cidr: 10.0.0.0/8}, verdict: deny}\n"
        + "  - {name: b, to: {namespace: x, pods: {app: z}}, ports: [443, 8000-8100/UDP, ICMP], vacuous: ok,\n"
        + "     only: [{from: {hosts: true}, ports: [53/UDP]}, {from: {host: h}}]}\n",
    )

    assert not problems
    assert found is not None
    first, second = found.rules
    assert first.source is not None
    assert first.destination is not None
    assert ("pods", "{}", EVERY_PORT) == (first.source.kind, first.source.text, first.ports)
    assert ip_network("10.0.0.0/8") == first.destination.cidr
    assert (PortSpan("TCP", 443, 443), PortSpan("UDP", 8000, 8100), PortSpan("ICMP", 0, 0)) == second.ports
    assert ("deny", True, 8) == (second.verdict, second.vacuous, second.line)
    assert ["{hosts: true}", "{host: h}"] == [str(one.end) for one in second.only or ()]
    assert [(PortSpan("UDP", 53, 53),), second.ports] == [one.ports for one in second.only or ()]


WRONG = [
    ("name", "{from: {}, to: {}, verdict: deny}", "7: spec.rules[0].name: Required value"),
    (
        "no verdict",
        "{name: a, from: {}, to: {}}",
        "7: spec.rules[0].verdict: Required value: a rule has either `verdict` or `only`",
    ),
    (
        "one end",
        "{name: a, to: {}, verdict: deny}",
        "7: spec.rules[0].from: Required value: a rule with a verdict has `from` and `to`; `{}` selects all pods",
    ),
    (
        "both",
        "{name: a, to: {}, verdict: deny, only: []}",
        "7: spec.rules[0].verdict: Forbidden: may not be specified beside `only`, which denies all others",
    ),
    (
        "only with two ends",
        "{name: a, from: {}, to: {}, only: []}",
        "7: spec.rules[0].only: Forbidden: a rule with `only` has either `from` or `to`; `only` lists the other end",
    ),
    (
        "the wrong end in only",
        "{name: a, to: {}, only: [{to: {}}]}",
        "7: spec.rules[0].only[0].to: Forbidden: the rule has `to`; an item of `only` has `from`",
    ),
    (
        "a Service as source",
        "{name: a, from: {service: x/y}, to: {}, verdict: deny}",
        "7: spec.rules[0].from.service: Forbidden: a Service is a destination only; select its pods",
    ),
    (
        "two kinds of ends",
        "{name: a, from: {nodes: true, namespace: x}, to: {}, verdict: deny}",
        "7: spec.rules[0].from.nodes: Forbidden: may not be specified beside `namespace`",
    ),
    (
        "false",
        "{name: a, from: {hosts: false}, to: {}, verdict: deny}",
        "7: spec.rules[0].from.hosts: Invalid value: false: must be true, or absent",
    ),
    (
        "CIDR",
        "{name: a, from: {}, to: {cidr: 10.0.0.0}, verdict: deny}",
        '7: spec.rules[0].to.cidr: Invalid value: "10.0.0.0": must be a valid CIDR value, (e.g. 10.9.8.0/24 or'
        " 2001:db8::/64)",
    ),
    (
        "port",
        "{name: a, from: {}, to: {}, verdict: deny, ports: [http]}",
        '7: spec.rules[0].ports[0]: Invalid value: "http": must be PORT/PROTO, FIRST-LAST/PROTO or ICMP, with ports'
        " from 1 to 65535, as in 443/TCP or 8000-8100/UDP",
    ),
    (
        "port 0",
        "{name: a, from: {}, to: {}, verdict: deny, ports: [0/TCP]}",
        '7: spec.rules[0].ports[0]: Invalid value: "0/TCP": must be PORT/PROTO, FIRST-LAST/PROTO or ICMP, with ports'
        " from 1 to 65535, as in 443/TCP or 8000-8100/UDP",
    ),
    (
        "no ports",
        "{name: a, from: {}, to: {}, verdict: deny, ports: []}",
        "7: spec.rules[0].ports: Required value: at least one port; leave it out for every port",
    ),
    (
        "unknown field",
        "{name: a, from: {namspace: x}, to: {}, verdict: deny}",
        '7: spec.rules[0].from.namspace: unknown field "namspace"; did you mean "namespace"?',
    ),
    (
        "duplicate field",
        "{name: a, name: b, from: {}, to: {}, verdict: deny}",
        "7: spec.rules[0].name: duplicate field",
    ),
    (
        "verdict",
        "{name: a, from: {}, to: {}, verdict: maybe}",
        '7: spec.rules[0].verdict: Unsupported value: "maybe": supported values: "allow", "deny", "some"',
    ),
    (
        "vacuous",
        "{name: a, from: {}, to: {}, verdict: deny, vacuous: true}",
        "7: spec.rules[0].vacuous: Invalid value: true: must be a string; put it in quotes (without them y, n, yes, no,"
        " on and off are booleans in YAML)",
    ),
]


@pytest.mark.parametrize(("rule", "message"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_a_rule_that_does_not_fit_is_an_error(write: Path, rule: str, message: str) -> None:
    """The error has the line and the path of the field."""
    assert [message] == read(write, f"{HEAD}  - {rule}\n")[1]


def test_two_rules_of_one_name_are_an_error(write: Path) -> None:
    """Reports name a rule by it."""
    rule = "  - {name: a, from: {}, to: {}, verdict: deny}\n"

    assert ['8: spec.rules[1].name: Duplicate value: "a"'] == read(write, f"{HEAD}{rule}{rule}")[1]


def test_rules_and_resources_are_required(write: Path) -> None:
    """Both are reported at once."""
    _, problems = read(write, "apiVersion: netlab/v1alpha1\nkind: Invariants\nmetadata: {name: i}\nspec: {}\n")

    assert [
        "4: spec.resources: Required value: names at least one file or folder of objects",
        "4: spec.rules: Required value: at least one rule",
    ] == problems


def test_errors_of_the_resources_are_reported(write: Path) -> None:
    """So are missing files, and files outside of the folder."""
    rule = "  - {name: a, from: {}, to: {}, verdict: deny}\n"
    (write.parent / "pods.yaml").write_text(POD.replace("name: a", "name: A_"))

    _, (problem,) = read(write, HEAD + rule)
    assert "metadata.name: Invalid value" in problem
    _, (problem,) = read(write, (HEAD + rule).replace("pods.yaml", "gone.yaml"))
    assert "spec.resources[0]: no such file" in problem
    _, (problem,) = read(write, (HEAD + rule).replace("pods.yaml", "/etc/passwd"))
    assert 'spec.resources[0]: "/etc/passwd" is outside of' in problem


def test_invariants_beside_their_objects_are_not_among_them(write: Path) -> None:
    """A folder that holds the Invariants too may be their resource; a file of them may not."""
    rule = "  - {name: a, from: {}, to: {}, verdict: deny}\n"

    found, problems = read(write, (HEAD + rule).replace("[pods.yaml]", "[.]"))
    assert not problems
    assert found is not None
    assert ["Pod"] == [document.kind for document in found.resources]
    _, (problem,) = read(write, (HEAD + rule).replace("[pods.yaml]", "[i.yaml]"))
    assert "the file includes itself; only objects can be included" in problem
