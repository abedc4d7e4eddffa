"""The scenarios of files, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netlab.errors import Problem
from netlab.objects.scenarios import Scenario
from netlab.scenario.files import read_tests


def scenarios_of(paths: Sequence[str], **options: Any) -> tuple[list[Scenario], list[Problem]]:
    """Return the scenarios among the tests of files and directories, with all problems; as ``read_tests``."""
    found, problems = read_tests(paths, **options)
    return [one for one in found if isinstance(one, Scenario)], problems
