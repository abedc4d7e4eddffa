"""Warnings: ``check`` prints all, every other command a few lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: x, labels: {app: web}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: x, labels: {app: db}}
"""
POLICY = """\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: NAME, namespace: x}
spec: {podSelector: {matchLabels: {app: none}}}
"""
UNSTATED = """\
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: NAME, namespace: x}
spec: {podSelector: {}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]}
"""


def policies(text: str, number: int) -> str:
    return "".join(text.replace("NAME", f"p{i}") for i in range(number))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "a file.yaml"


def test_few_warnings_are_printed_by_every_command(netlab: Call, file: Path) -> None:
    """A line each."""
    file.write_text(PODS + policies(POLICY, 3))

    assert netlab("check", "-f", file).stderr == netlab("reach", "-f", file).stderr
    assert 3 == len(netlab("reach", "-f", file).stderr.splitlines())


@pytest.mark.parametrize("command", [["reach"], ["compile"], ["explain", "x/web", "x/db"]])
def test_many_warnings_are_one_line(netlab: Call, file: Path, command: list[str]) -> None:
    """The line names the command that lists them; ``-v`` lists them too."""
    file.write_text(PODS + policies(POLICY, 23))
    listed = netlab("check", "-f", file.name).stderr

    assert 23 == listed.count("Warning: ")
    assert "23 warnings: netlab check -f 'a file.yaml' lists them\n" == netlab(*command, "-f", file.name).stderr
    assert listed == netlab(*command, "-f", file.name, "-v").stderr


def test_warnings_that_change_verdicts_are_always_printed(netlab: Call, file: Path) -> None:
    """One line for each rule, and a line with the number of the others."""
    file.write_text(PODS + policies(POLICY, 4) + policies(UNSTATED, 9).replace("name: p", "name: u"))
    printed = netlab("reach", "-f", file.name).stderr.splitlines()

    assert "4 warnings: netlab check -f 'a file.yaml' lists them" == printed[0]
    assert printed[1].startswith("Warning: a file.yaml:32: NetworkPolicy x/u0 and 8 more: spec.ingress[0].from[0].")
    assert 2 == len(printed)


def test_errors_come_with_the_number_of_warnings(netlab: Call, file: Path) -> None:
    """``check`` lists both."""
    without_type = POLICY.replace("}}}", "}}, policyTypes: [Egress], ingress: [{}]}")
    file.write_text(f"{PODS}spec: {{nodeName: 5}}\n{policies(without_type, 5)}")
    printed = netlab("reach", "-f", file).stderr.splitlines()

    assert ["a file.yaml:8: Pod x/db: spec.nodeName: Invalid value: 5"] == [
        line.removeprefix(f"{file.parent}/").split(": must")[0] for line in printed[:-1]
    ]
    assert "5 warnings: netlab check -f FILE lists them" == printed[-1]
    assert 5 == netlab("check", "-f", file).stderr.count("Warning: ")


def test_a_policy_in_a_namespace_without_pods_is_one_warning(netlab: Call, file: Path) -> None:
    """Its rules get no further warnings."""
    peers = "{podSelector: {matchLabels: {a: b}}}, {podSelector: {matchLabels: {c: d}}}"
    elsewhere = policies(POLICY, 1).replace("namespace: x", "namespace: other")
    file.write_text(PODS + elsewhere.replace("}}}", f"}}}}, egress: [{{to: [{peers}], ports: [{{port: web}}]}}]}}"))
    printed = netlab("check", "-f", file).stderr

    assert printed.endswith(
        "metadata.namespace: namespace 'other' has no pods in the input, so the policy does nothing: "
        "add its workloads\n"
    )
    assert 1 == printed.count("Warning: ")


def test_objects_of_two_files_are_one_line_a_pair_of_files(netlab: Call, tmp_path: Path) -> None:
    """``-v`` and JSON have every object."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(PODS.replace("labels: {", f"labels: {{of: {name}, "))
    done, whole = netlab("check", "-f", tmp_path), netlab("check", "-f", tmp_path, "-v")
    problems = json.loads(netlab("check", "-f", tmp_path, "-o", "json").stdout)["problems"]

    assert [
        f"Warning: {tmp_path}/{of}.yaml:1: Pod x/web and 1 more: defined twice: this one counts, "
        f"the one at {tmp_path}/{other}.yaml:1 does not"
        for other, of in (("a", "b"), ("b", "c"))
    ] == done.stderr.splitlines()
    assert 4 == whole.stderr.count("defined twice") == len(problems)
    assert {"defined-twice"} == {problem["rule"] for problem in problems}


def other(kind: str, version: str = "v1") -> str:
    return f"---\napiVersion: {version}\nkind: {kind}\nmetadata: {{name: x}}\n"


def test_the_skipped_line_names_what_matters(netlab: Call, file: Path) -> None:
    """Policies, Gateways and the like, and kinds of other APIs with a known name; ``check`` names all."""
    kinds = [other(kind) for kind in ("RoleBinding", "ConfigMap", "ServiceAccount", "Role")]
    file.write_text(PODS + "".join(kinds))
    few = netlab("reach", "-f", file).stderr
    doors = [other("Gateway", "gateway.networking.k8s.io/v1"), other("Service", "serving.knative.dev/v1")]
    file.write_text(PODS + "".join([*kinds, *doors]))
    many, listed = netlab("reach", "-f", file).stderr, netlab("check", "-f", file).stderr

    assert "skipped 4 objects that netlab does not read: 4 kinds\n" == few
    assert (
        "skipped 6 objects that netlab does not read: 1 Gateway, 1 Service.serving.knative.dev and 4 more kinds\n"
        == many
    )
    assert (
        "skipped 6 objects that netlab does not read: "
        "1 ConfigMap, 1 Gateway, 1 Role, 1 RoleBinding, 1 Service.serving.knative.dev, 1 ServiceAccount\n"
    ) == listed
    assert listed == netlab("reach", "-f", file, "-v").stderr


@pytest.mark.parametrize("folder", ["some/folder/of/manifests", "/absolute/folder", "-"])
def test_explain_leaves_out_the_common_folder(
    netlab: Call, tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It prints the folder. It keeps full names if a short one is ambiguous, and for standard input."""
    monkeypatch.chdir(tmp_path)
    if folder == "-":
        assert "(<stdin>:1)" in netlab("explain", "x/web", "x/db", "-f", "-", input=PODS).stdout
        return
    below = tmp_path / folder.lstrip("/")
    given = str(below) if folder.startswith("/") else folder
    (below / "sub").mkdir(parents=True)
    (below / "pods.yaml").write_text(PODS)
    (below / "sub" / "policies.yaml").write_text(policies(POLICY, 1).replace("app: none", "app: db"))
    ask = ("explain", "x/web", "x/db", "-f", given)
    short = netlab(*ask).stdout
    (tmp_path / "pods.yaml").touch()
    whole = netlab(*ask).stdout

    assert "labels app=web (pods.yaml:1)" in short
    assert "NetworkPolicy x/p0 (sub/policies.yaml:2) isolates it" in short
    assert short.endswith(f"\n\nFiles are in {given}\n")
    assert f"labels app=web ({given}/pods.yaml:1)" in whole
    assert "Files are in" not in whole
