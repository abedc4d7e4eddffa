"""What comes with netlab has no finding of severity error, so that users can copy it."""

from __future__ import annotations

from pathlib import Path

import pytest
from linting import given_of

from netlab.objects.input import input_of, read_input
from netlab.policy.lint import all_rules
from netlab.policy.lint.findings import lint

REPOSITORY = Path(__file__).parents[3]
INPUTS = [
    *(path for path in (REPOSITORY / "examples").iterdir() if path.name != "gitlab"),
    *(REPOSITORY / "topologies").iterdir(),
    REPOSITORY / "scenarios" / "manifests",
]
SCENARIOS = sorted((REPOSITORY / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_an_example_has_no_error(path: Path) -> None:
    """Warnings and remarks may be what an example is about."""
    found = lint(given_of(read_input([str(path)])), all_rules())

    assert [] == [one for one in found.found if one.severity == "error"]


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_objects_of_a_scenario_have_no_error(path: Path) -> None:
    """They are not part of the input that has the scenario."""
    for scenario in read_input([str(path)]).objects.scenarios:
        found = lint(given_of(input_of(scenario.resources)), all_rules())

        assert [] == [one for one in found.found if one.severity == "error"]
