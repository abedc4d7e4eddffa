"""Commands refuse input that is too large, or outside of a scenario's folder, before they build a lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from netlab.cluster import pods
from netlab.objects.bounds import MANY_PODS, MOST_PODS

Call = Callable[..., Result]
WIDE = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: wide}
spec: {networks: [{name: default, mode: bridge, podCIDRs: [10.0.0.0/8]}]}
---
"""
WORKLOAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: NAME}\nspec: {replicas: COUNT, template: {}}\n"
SCENARIO = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: s}
spec:
  resources: [pods.yaml]
  steps:
  - apply: [RESOURCE]
    expect: [{from: default/a-0, to: default/a-1, verdict: allow}]
"""


def workload(name: str, count: int) -> str:
    return WORKLOAD.replace("NAME", name).replace("COUNT", str(count))


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Workloads of more pods than are built without a question."""
    path = tmp_path / "many.yaml"
    path.write_text(f"{WIDE}{workload('a', MANY_PODS - 1)}---\n{workload('b', 2)}")
    return path


@pytest.mark.parametrize("command", ["up", "verify"])
def test_many_pods_are_built_only_with_yes(netlab: Call, many: Path, command: str) -> None:
    """One line, exit code 2, and nothing half-built."""
    done = netlab(command, "-f", many)

    assert 2 == done.exit_code
    assert "Error: this builds 5,001 pods; say --yes to build more than 5,000\n" == done.stderr


def test_a_scenario_counts_the_pods_of_all_its_steps(netlab: Call, many: Path, tmp_path: Path) -> None:
    """A step may apply them."""
    (tmp_path / "pods.yaml").write_text(workload("a", 2))
    (tmp_path / "s.yaml").write_text(SCENARIO.replace("RESOURCE", "b.yaml"))
    (tmp_path / "b.yaml").write_text(workload("b", MANY_PODS))
    done = netlab("test", tmp_path / "s.yaml")

    assert 2 == done.exit_code
    assert "Error: this builds 5,002 pods; say --yes to build more than 5,000\n" == done.stderr


def test_the_bound_is_that_of_the_documentation() -> None:
    """It is the same for all workloads together as for one."""
    assert 100_000 == MOST_PODS == vars(pods)["MOST_PODS"]


def test_commands_that_build_no_lab_need_no_yes(netlab: Call, many: Path) -> None:
    """Commands that build no lab have no such bound."""
    done = netlab("check", "-f", many)

    assert (0, "") == (done.exit_code, done.stderr)


def test_pods_are_counted_over_the_whole_input(netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No workload alone is too large. The bound is lower here, as 100,000 pods take seconds."""
    monkeypatch.setattr(pods, "MOST_PODS", 100)
    path = tmp_path / "x.yaml"
    path.write_text(WIDE + "---\n".join(workload(name, 60) for name in "ab"))
    done = netlab("check", "-f", path)

    assert 2 == done.exit_code
    assert "Deployment default/b: spec.replicas: too many pods: a lab has at most 100 in all" in done.stderr


@pytest.mark.parametrize("resource", ["../outside.yaml", "../gone.yaml", "../outside", "/etc/passwd", "link.yaml"])
def test_a_scenario_does_not_reveal_files_outside(netlab: Call, tmp_path: Path, resource: str) -> None:
    """The message is the same whether the file exists or not."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "outside.yaml").write_text("secret: [")
    (tmp_path / "outside").mkdir()
    (home / "link.yaml").symlink_to("../outside.yaml")
    (home / "pods.yaml").write_text(workload("a", 2))
    (home / "s.yaml").write_text(SCENARIO.replace("RESOURCE", resource))
    done = netlab("test", home / "s.yaml")

    assert 2 == done.exit_code
    assert (
        f'{home}/s.yaml:7: Scenario s: spec.steps[0].apply[0]: "{resource}" is outside of {home};'
        " a scenario reads nothing outside of its git repository, or without one its folder,"
        " unless it is run with --allow-outside (pytest: --netlab-allow-outside)\n"
    ) == done.stderr


def test_allow_outside_lets_a_scenario_read_anywhere(netlab: Call, tmp_path: Path) -> None:
    """The errors of those files are reported."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "outside.yaml").write_text("secret: [")
    (home / "pods.yaml").write_text(workload("a", 2))
    (home / "s.yaml").write_text(SCENARIO.replace("RESOURCE", "../outside.yaml"))
    done = netlab("test", "--allow-outside", home / "s.yaml")

    assert 2 == done.exit_code
    assert f"{tmp_path}/outside.yaml:1: not YAML" in done.stderr


def test_beyond_a_thousand_problems_are_counted(netlab: Call, tmp_path: Path) -> None:
    """Errors and warnings are counted separately."""
    path = tmp_path / "x.yaml"
    path.write_text("---\n".join(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: A{n}}}\n" for n in range(1200)))
    done = netlab("check", "-f", path)

    assert 2 == done.exit_code
    assert 1001 == len(done.stderr.splitlines())
    assert "and 200 more errors" == done.stderr.splitlines()[-1]


@pytest.mark.parametrize("kinds", [60])
def test_a_line_names_few_kinds(netlab: Call, tmp_path: Path, kinds: int) -> None:
    """The others are counted."""
    path = tmp_path / "x.yaml"
    path.write_text("---\n".join(f"apiVersion: x.example/v1\nkind: K{n}\n" for n in range(kinds)))
    done = netlab("check", "-f", path)

    assert 0 == done.exit_code
    assert done.stderr.endswith(" and 10 more kinds\n")
