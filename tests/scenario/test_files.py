"""Which files hold scenarios."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_files import scenarios_of

SCENARIO = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: NAME}
spec: {steps: [{expect: [{oracle: true}]}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scenarios, one of them in a folder, a manifest and a file that is no YAML."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.yaml").write_text(SCENARIO.replace("NAME", "b"))
    (tmp_path / "deep" / "a.yml").write_text(SCENARIO.replace("NAME", "a"))
    (tmp_path / "pod.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n")
    (tmp_path / "broken.yaml").write_text("a: [")
    return tmp_path


def test_only_scenarios_of_a_directory_are_read(folder: Path) -> None:
    """Manifests beside them are not read, also broken ones."""
    found, problems = scenarios_of([str(folder)])

    assert ["b", "a"] == [scenario.meta.name for scenario in found]
    assert [] == problems


def test_a_named_file_must_hold_a_scenario(folder: Path) -> None:
    """The user expects it to run."""
    found, problems = scenarios_of([str(folder / "pod.yaml"), str(folder / "b.yaml"), str(folder / "gone.yaml")])

    assert ["b"] == [scenario.meta.name for scenario in found]
    assert ["no Scenario and no Invariants in it", "No such file or directory"] == [
        problem.message for problem in problems
    ]


def test_a_broken_scenario_in_a_directory_is_an_error(folder: Path) -> None:
    """A scenario that cannot be read must not count as one that is not there."""
    (folder / "c.yaml").write_text("kind: Scenario\nspec: [")

    _, problems = scenarios_of([str(folder)])

    assert [str(folder / "c.yaml")] == [problem.file for problem in problems]


def test_an_object_beside_a_scenario_is_an_error(tmp_path: Path) -> None:
    """It would not be in the lab: a Topology of the same file, for example."""
    file = tmp_path / "s.yaml"
    file.write_text(
        f"apiVersion: netlab/v1alpha1\nkind: Topology\nmetadata: {{name: t}}\n---\n{SCENARIO.replace('NAME', 's')}"
    )

    _, (problem,) = scenarios_of([str(file)])

    assert ("error", 1, "Topology") == (problem.severity, problem.line, problem.object)
    assert "put this in a file of its own, and name it in spec.resources" in problem.message
