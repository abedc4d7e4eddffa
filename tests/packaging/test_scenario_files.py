"""The files in scenarios/, topologies/ and examples/: complete, in order, and all in use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SCENARIOS = sorted((REPOSITORY / "scenarios").glob("*.yaml"))
MANIFESTS = sorted((REPOSITORY / "scenarios" / "manifests").glob("*.yaml"))


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def used_files(path: Path) -> set[Path]:
    """Return the files that a scenario names, as resources or in a step."""
    spec = load(path)["spec"]
    named = [
        *spec.get("resources", []),
        *(item for step in spec["steps"] for field in ("apply", "rollout") for item in step.get(field, [])),
    ]
    return {(path.parent / name).resolve() for name in named if isinstance(name, str)}


def test_scenarios_are_numbered_without_a_gap() -> None:
    """The numbers give the order to read them in."""

    assert [f"{number:02}" for number in range(len(SCENARIOS))] == [path.name[:2] for path in SCENARIOS]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_has_a_name_and_one_sentence(path: Path) -> None:
    """A scenario has its file's name. Its description is one sentence."""
    scenario = load(path)

    assert path.stem[3:] == scenario["metadata"]["name"]
    assert re.fullmatch(r"[A-Z].{20,}\.", scenario["spec"]["description"])


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_step_states_its_lesson_and_ends_with_the_oracle(path: Path) -> None:
    """A step has expectations of its own, and then that packets and evaluator agree on every pair."""
    kinds = ({"from", "to", "verdict"}, {"from", "to", "status"}, {"from", "lookup"})
    for step in load(path)["spec"]["steps"]:
        *lesson, last = step["expect"]

        assert {"oracle": True} == last, step["name"]
        assert lesson, step["name"]
        assert all(any(kind <= one.keys() for kind in kinds) for one in lesson), step["name"]


def test_every_manifest_is_used_by_a_scenario() -> None:
    """Every manifest is used, but for the namespaces that kubectl needs; every file that a scenario names exists."""
    used = set().union(*map(used_files, SCENARIOS))

    lessons = {path for path in MANIFESTS if path.name != "00-namespaces.yaml"}

    assert lessons == {path for path in used if path.parent.name == "manifests"}
    assert [] == [path for path in used if not path.is_file()]


@pytest.mark.parametrize(
    "path", [*MANIFESTS, *sorted((REPOSITORY / "topologies").glob("*.yaml"))], ids=lambda path: path.stem
)
def test_a_file_opens_with_a_sentence_about_itself(path: Path) -> None:
    """A comment says what the file is there to show."""

    assert re.match(r"# [A-Z].*[.]\n", path.read_text())
