"""The pytest plugin: it collects scenario files as tests, and has a fixture that builds labs.

``pytest --netlab`` collects every YAML file below its arguments that holds a Scenario. The ini option
``netlab_scenarios`` collects files by globs, relative to the root directory::

    [tool.pytest.ini_options]
    netlab_scenarios = ["scenarios/*.yaml"]

A scenario may name files of its repository; without a repository, those below its folder. ``--netlab-allow-outside``
and the ini option ``netlab_allow_outside`` allow any file.

A scenario is a collector; each of its steps is a test. pytest loads the plugin in every run, so slow imports are inside
functions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netlab.lab.lab import Lab
    from netlab.objects.scenarios import Step
    from netlab.scenario.dry_run import DryRun
    from netlab.scenario.results import Failure, ProgramFailure
    from netlab.scenario.run import StepRunner

_SUFFIXES = (".yaml", ".yml")
_GLOBBED = pytest.StashKey[frozenset[Path]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netlab")
    group.addoption("--netlab", action="store_true", help="collect netlab's Scenario files (*.yaml) as tests")
    group.addoption(
        "--netlab-allow-outside",
        action="store_true",
        help="let scenarios name files outside of their repository (or own folder)",
    )
    parser.addini("netlab_allow_outside", "as --netlab-allow-outside", type="bool", default=False)
    parser.addini("netlab_scenarios", "globs of Scenario files to collect as tests", type="args", default=[])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a YAML file that may hold a Scenario, if an option selects it."""
    if file_path.suffix not in _SUFFIXES or not _is_selected(file_path, parent.config):
        return None
    from netlab.scenario.files import may_hold_scenario

    return ScenarioFile.from_parent(parent, path=file_path) if may_hold_scenario(file_path) else None


def _is_selected(path: Path, config: pytest.Config) -> bool:
    if config.getoption("--netlab"):
        return True
    if _GLOBBED not in config.stash:
        patterns: list[str] = config.getini("netlab_scenarios")
        config.stash[_GLOBBED] = frozenset(found for p in patterns for found in config.rootpath.glob(p))
    return path in config.stash[_GLOBBED]


class ScenarioFile(pytest.File):
    """A file with scenarios. Errors of its scenarios are errors of the collection."""

    def collect(self) -> Iterator[ScenarioCollector]:
        from netlab.errors import InputError, in_order
        from netlab.scenario.dry_run import dry_run
        from netlab.scenario.files import scenarios_of

        outside = self.config.getoption("--netlab-allow-outside") or self.config.getini("netlab_allow_outside")
        scenarios, problems = scenarios_of([str(self.path)], allow_outside=bool(outside))
        errors = [problem for problem in problems if problem.severity == "error"]
        ready = []
        for scenario in scenarios:
            try:
                ready.append(dry_run(scenario))
            except InputError as error:
                errors += error.problems
        if errors:
            raise self.CollectError("\n".join(map(str, in_order(errors, [str(self.path)]))))
        for one in ready:
            yield ScenarioCollector.from_parent(self, name=one.scenario.meta.name, checked=one)


class ScenarioCollector(pytest.Collector):
    """One scenario. Its lab is built before its first step and removed after its last."""

    def __init__(self, *, checked: DryRun, **more: Any) -> None:
        super().__init__(**more)
        self.scenario = checked.scenario
        self._checked = checked
        self._stack = contextlib.ExitStack()
        self._runner: StepRunner | None = None
        self._done = 0

    def collect(self) -> Iterator[StepItem]:
        from netlab.errors import printable

        names: set[str] = set()
        for number, step in enumerate(self.scenario.steps):
            name = printable(step.name)
            name = name if name not in names else f"{name} [{number + 1}]"
            names.add(name)
            yield StepItem.from_parent(self, name=name, number=number)

    def setup(self) -> None:
        from netlab.lab.lab import temporary
        from netlab.scenario.run import StepRunner

        found = self._checked
        lab = self._stack.enter_context(temporary(found.objects, cluster=found.cluster))
        self._runner, self._done = StepRunner(self.scenario, lab), 0

    def teardown(self) -> None:
        self._runner = None
        self._stack.close()

    def carry_out(self, number: int) -> tuple[Failure | ProgramFailure, ...]:
        """Carry out a step. First make the changes of earlier steps that did not run in this process."""
        if self._runner is None:
            raise RuntimeError("the scenario's lab is not built")
        for step in self.scenario.steps[self._done : number]:
            self._runner.change(step)
        self._done = number + 1
        return self._runner.step(self.scenario.steps[number]).failures


class WrongVerdictError(Exception):
    """The wrong verdicts of a step."""

    def __init__(self, failures: Iterable[Failure | ProgramFailure]) -> None:
        self.failures = tuple(failures)
        super().__init__(f"{len(self.failures)} wrong verdicts")


class StepItem(pytest.Item):
    """One step of a scenario."""

    def __init__(self, *, number: int, **more: Any) -> None:
        super().__init__(**more)
        self._number = number

    @property
    def _scenario(self) -> ScenarioCollector:
        parent = self.parent
        assert isinstance(parent, ScenarioCollector)
        return parent

    @property
    def _step(self) -> Step:
        return self._scenario.scenario.steps[self._number]

    def runtest(self) -> None:
        failures = self._scenario.carry_out(self._number)
        if failures:
            raise WrongVerdictError(failures)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return wrong verdicts and errors of netlab as lines, without a traceback."""
        from netlab.errors import NetlabError, printable

        if isinstance(excinfo.value, WrongVerdictError):
            return "\n".join(map(_line, excinfo.value.failures))
        if isinstance(excinfo.value, NetlabError):
            return "\n".join(map(printable, str(excinfo.value).split("\n")))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        line = self._scenario.scenario.source.line(self._step.path)
        return self.path, line - 1 if line else None, f"{self._scenario.name}: {self.name}"


def _line(failure: Failure | ProgramFailure) -> str:
    from netlab.errors import printable
    from netlab.report.scenarios import failure_line

    return printable(failure_line(failure))


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Callable[..., Lab]]:
    """Build labs: ``lab("shop.yaml", "policies.yaml")`` returns one that is removed after the test.

    Paths are relative to the test's file. A test may probe Services, and run programs that find Services by name::

        made = lab("shop.yaml")
        web, api = made.find("shop/web"), netlab.find_service(made.cluster, "shop/api")
        (measured,) = made.probe([netlab.service_flow(web, api, "TCP", 8080, 4)])
        assert made.run(web, ["getent", "hosts", "api"], 5).status == 0
    """
    from netlab.cluster import resolve_input
    from netlab.lab.lab import temporary
    from netlab.objects import read_input

    with contextlib.ExitStack() as stack:

        def build(*files: str) -> Lab:
            found = read_input([str(request.path.parent / file) for file in files])
            cluster, _ = resolve_input(found)
            own: AbstractContextManager[Lab] = temporary(found.objects, cluster=cluster)
            return stack.enter_context(own)

        yield build
