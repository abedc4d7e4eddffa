"""pytest plugin: files of scenarios and invariants are tests, and fixtures build labs. docs/pytest.md is its manual.

``*.netlab.yaml`` files are collected without any option. ``--netlab`` collects every YAML file with a Scenario; globs
in the ini file (``netlab_scenarios = policies/*.yaml``) do the same without the option.

A scenario and each of its steps is a collector; each expectation is a test. Each rule of invariants is a test that
builds no lab unless an option says so. pytest loads the plugin in every run, so slow imports are inside functions.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.lab.lab import Lab
    from netlab.objects import Document
    from netlab.objects.documents import Reader
    from netlab.objects.invariants import InvariantRule, Invariants
    from netlab.objects.scenarios import Expectation, ProgramExpectation
    from netlab.scenario.dry_run import DryRun
    from netlab.scenario.in_steps import InSteps
    from netlab.scenario.invariants import ReadyInvariants, RuleRunner
    from netlab.scenario.rule_packets import RulePackets

_ALWAYS = (".netlab.yaml", ".netlab.yml")
_SUFFIXES = (".yaml", ".yml")
_GLOBBED = pytest.StashKey[frozenset[Path]]()
_FIXTURES = frozenset(("lab", "module_lab", "session_lab"))
_MARK = "netlab"


class MakeLab(Protocol):
    """What the fixtures are: a function that builds a lab of files, as a CNI of ``netlab profiles`` would."""

    def __call__(self, *files: str | os.PathLike[str], profile: str = "") -> Lab: ...


# --- options and files ------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("netlab")
    group.addoption(
        "--netlab",
        action="store_true",
        help="collect every YAML file with a Scenario or Invariants, not only *.netlab.yaml",
    )
    group.addoption(
        "--netlab-allow-outside",
        action="store_true",
        help="let scenarios name files outside of their repository (or own folder)",
    )
    group.addoption(
        "--netlab-no-skip", action="store_true", help="fail tests of labs that this host cannot build; do not skip them"
    )
    group.addoption(
        "--netlab-packets", action="store_true", help="judge invariants also by packets, in a lab of their own"
    )
    group.addoption(
        "--netlab-etcd",
        metavar="URL[,URL]",
        default=os.environ.get("NETLAB_ETCD", ""),
        help="build labs on the machines of this etcd, whose agents run; by default that of NETLAB_ETCD",
    )
    parser.addini("netlab_packets", "as --netlab-packets", type="bool", default=False)
    parser.addini("netlab_allow_outside", "as --netlab-allow-outside", type="bool", default=False)
    parser.addini("netlab_no_skip", "as --netlab-no-skip", type="bool", default=False)
    parser.addini("netlab_scenarios", "globs of Scenario files to collect as tests", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    if etcd := config.getoption("netlab_etcd"):
        from netlab.machines import labs

        labs.use_etcd(etcd)
    config.addinivalue_line(
        "markers", f"{_MARK}: builds a lab; set on scenarios, and on tests with a fixture of netlab"
    )


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that use a fixture of this plugin."""
    if not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker(_MARK)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """Collect a YAML file that may hold a Scenario, if its name or an option selects it."""
    if file_path.suffix not in _SUFFIXES or not _is_selected(file_path, parent.config):
        return None
    from netlab.scenario.files import may_hold_test

    return ScenarioFile.from_parent(parent, path=file_path) if may_hold_test(file_path) else None


def _is_selected(path: Path, config: pytest.Config) -> bool:
    if path.name.endswith(_ALWAYS) or config.getoption("--netlab"):
        return True
    if _GLOBBED not in config.stash:
        patterns: list[str] = config.getini("netlab_scenarios")
        config.stash[_GLOBBED] = frozenset(found for p in patterns for found in config.rootpath.glob(p))
    return path in config.stash[_GLOBBED]


def _is_set(config: pytest.Config, name: str) -> bool:
    """Say whether an option of the command line or of the ini file is set."""
    return bool(config.getoption(name) or config.getini(name))


# --- scenarios, steps, expectations -----------------------------------------------------------------------------------


class ScenarioFile(pytest.File):
    """A file with scenarios. Errors of its scenarios are errors of the collection."""

    def collect(self) -> Iterator[ScenarioCollector | InvariantsCollector]:
        from netlab.errors import InputError, in_order
        from netlab.objects.scenarios import Scenario
        from netlab.scenario.dry_run import DryRun, dry_run
        from netlab.scenario.files import read_tests

        outside = _is_set(self.config, "netlab_allow_outside")
        file = str(self.path.relative_to(here) if (here := Path.cwd()) in self.path.parents else self.path)
        tests, problems = read_tests([file], allow_outside=outside)
        errors = [problem for problem in problems if problem.severity == "error"]
        ready: list[DryRun | ReadyInvariants] = []
        for test in tests:
            try:
                ready.append(dry_run(test) if isinstance(test, Scenario) else _ready(test))
            except InputError as error:
                errors += error.problems
        if errors:
            raise self.CollectError("\n".join(map(str, in_order(errors, [file]))))
        names = _Names()
        for one in ready:
            if isinstance(one, DryRun):
                yield ScenarioCollector.from_parent(self, name=names.collector(one.scenario.meta.name), checked=one)
            else:
                name = names.collector(one.invariants.meta.name)
                yield InvariantsCollector.from_parent(self, name=name, ready=one)


class ScenarioCollector(pytest.Collector):
    """One scenario. Its lab is built before its first test and removed after its last."""

    def __init__(self, *, checked: DryRun, **more: Any) -> None:
        super().__init__(**more)
        self.scenario = checked.scenario
        self._checked = checked
        self._running: InSteps | None = None
        self.add_marker(_MARK)
        # The tests of a scenario share a lab: with --dist loadgroup they run in one worker.
        if any(map(self.config.pluginmanager.hasplugin, ("xdist", "xdist.plugin"))):
            self.add_marker(pytest.mark.xdist_group(self.scenario.meta.name))

    def collect(self) -> Iterator[StepCollector]:
        names = _Names()
        for number, step in enumerate(self.scenario.steps):
            yield StepCollector.from_parent(self, name=names.collector(step.name), number=number)

    def setup(self) -> None:
        from netlab.scenario.in_steps import InSteps

        running = InSteps(self._checked)
        with _skipping(self.config):
            running.build()
        self._running = running

    def teardown(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None

    @property
    def running(self) -> InSteps:
        """The scenario in its lab."""
        if self._running is None:
            raise RuntimeError("the scenario's lab is not built")
        return self._running


class StepCollector(pytest.Collector):
    """One step of a scenario."""

    parent: ScenarioCollector

    def __init__(self, *, number: int, **more: Any) -> None:
        super().__init__(**more)
        self.number = number

    def collect(self) -> Iterator[ExpectationItem]:
        from netlab.scenario.titles import title

        names = _Names()
        step = self.parent.scenario.steps[self.number]
        for asked in step.expect:
            yield ExpectationItem.from_parent(self, name=names.item(title(asked)), asked=asked, field=asked.path)
        if not step.expect:
            yield ExpectationItem.from_parent(self, name="changes", asked=None, field=step.path)


class WrongError(Exception):
    """An expectation does not hold; the message says what is wrong."""


class ExpectationItem(pytest.Item):
    """One expectation of a step, or the changes of a step that expects nothing."""

    parent: StepCollector

    def __init__(self, *, asked: Expectation | ProgramExpectation | None, field: str, **more: Any) -> None:
        super().__init__(**more)
        self._asked = asked
        self._field = field

    def runtest(self) -> None:
        running = self.parent.parent.running
        result = running.ask(self.parent.number, self._asked)
        if result.unknown:
            why = "a policy that netlab does not read could change the verdict"
            self.add_report_section("call", _MARK, f"{result.unknown} of {result.pairs} pairs not compared: {why}")
        if result.failures:
            from netlab.report.wrong import lines

            raise WrongError("\n".join(map(_printable, lines(running.lab, result.failures))))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return wrong verdicts and errors of netlab as lines, without a traceback."""
        if isinstance(excinfo.value, WrongError):
            return str(excinfo.value)
        return _lines_of(excinfo.value) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        scenario = self.parent.parent
        line = scenario.scenario.source.line(self._field)
        return self.path, line - 1 if line else None, f"{scenario.name}: {self.parent.name}: {self.name}"


# --- invariants -------------------------------------------------------------------------------------------------------


def _ready(invariants: Invariants) -> ReadyInvariants:
    from netlab.scenario.invariants import ready

    return ready(invariants)


class InvariantsCollector(pytest.Collector):
    """Invariants. The evaluator judges their rules; with ``--netlab-packets`` packets do too, in a lab."""

    def __init__(self, *, ready: ReadyInvariants, **more: Any) -> None:
        super().__init__(**more)
        self.ready = ready
        self._runner: RuleRunner | None = None
        self._stack = contextlib.ExitStack()
        self.packets: RulePackets | None = None

    def collect(self) -> Iterator[RuleItem]:
        names = _Names()
        for rule in self.ready.invariants.rules:
            yield RuleItem.from_parent(self, name=names.item(rule.name), rule=rule)

    def setup(self) -> None:
        from netlab.scenario.invariants import RuleRunner

        self._runner = RuleRunner(self.ready)
        if _is_set(self.config, "netlab_packets"):
            from netlab.scenario.rule_packets import RulePackets

            sending = RulePackets(self._runner.judge, self.ready.objects, self.ready.invariants.source.file)
            with _skipping(self.config):
                self.packets = self._stack.enter_context(sending)

    def teardown(self) -> None:
        self._runner = self.packets = None
        self._stack.close()

    @property
    def runner(self) -> RuleRunner:
        """What judges the rules."""
        if self._runner is None:
            raise RuntimeError("the rules have no cluster")
        return self._runner


class RuleItem(pytest.Item):
    """One rule of invariants."""

    parent: InvariantsCollector

    def __init__(self, *, rule: InvariantRule, **more: Any) -> None:
        super().__init__(**more)
        self._rule = rule

    def runtest(self) -> None:
        from netlab.report.scenarios import failure_line

        runner, packets = self.parent.runner, self.parent.packets
        failures = [
            *runner.failures(runner.result(self._rule)),
            *(packets.failures(self._rule) if packets is not None else ()),
        ]
        if failures:
            raise WrongError("\n".join(_printable(failure_line(one)) for one in failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return what breaks the rule as lines, without a traceback."""
        if isinstance(excinfo.value, WrongError):
            return str(excinfo.value)
        return _lines_of(excinfo.value) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        line = self._rule.line
        return self.path, line - 1 if line else None, f"{self.parent.name}: {self.name}"


class _Names:
    """Names of nodes beside one another: each once, and such that pytest can select them by their ids."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def collector(self, text: str) -> str:
        """Return a name for a collector. What follows a ``[`` in an id is no part of the id for pytest."""
        return self._once(_printable(text).replace("::", ":").replace("[", "(").replace("]", ")"))

    def item(self, text: str) -> str:
        """Return a name for an item, which may have a ``[``; only before it ``::`` divides an id."""
        before, bracket, after = _printable(text).partition("[")
        return self._once(f"{before.replace('::', ':')}{bracket}{after}")

    def _once(self, name: str) -> str:
        number, found = 1, name
        while found in self._taken:
            number += 1
            found = f"{name} ({number})"
        self._taken.add(found)
        return found


def _printable(text: str) -> str:
    from netlab.errors import printable

    return printable(text)


def _lines_of(error: BaseException) -> str:
    """Return an error of netlab as printable lines, "" for any other one."""
    from netlab.errors import NetlabError

    return "\n".join(map(_printable, str(error).split("\n"))) if isinstance(error, NetlabError) else ""


@contextlib.contextmanager
def _skipping(config: pytest.Config) -> Iterator[None]:
    """Skip the test if this host cannot build a lab, unless an option says that it must."""
    from netlab.errors import HostError

    try:
        yield
    except HostError as error:
        if _is_set(config, "netlab_no_skip"):
            raise
        pytest.skip(_lines_of(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
    """Report an error of netlab as lines, without a traceback, and the place of a test that this host cannot run."""
    report = yield
    ours = isinstance(item, (ExpectationItem, RuleItem)) or not _FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))
    if call.excinfo is None or not ours:
        return report
    if report.skipped and isinstance(report.longrepr, tuple) and report.longrepr[0] == __file__:
        report.longrepr = (str(item.path), (item.location[1] or 0) + 1, report.longrepr[2])
    elif report.failed and (lines := _lines_of(call.excinfo.value)):
        place = next((one for one in reversed(call.excinfo.traceback) if Path(one.path) == item.path), None)
        report.longrepr = lines if place is None else f"{item.path.name}:{place.lineno + 1}:\n{lines}"
    return report


# --- fixtures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """Build labs: ``lab("shop.yaml", "policies.yaml")`` returns one that is removed after the test.

    Paths are relative to the test's file. A test may probe Services, and run programs that find Services by name::

        made = lab("shop.yaml")
        web, api = made.find("shop/web"), netlab.find_service(made.cluster, "shop/api")
        (measured,) = made.probe([netlab.service_flow(web, api, "TCP", 8080, 4)])
        assert made.run(web, ["getent", "hosts", "api"], 5).status == 0
    """
    with _labs(request, request.path.parent) as build:
        yield build


@pytest.fixture(scope="module")
def module_lab(request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """Build labs as ``lab`` does; each is removed after the last test of the module.

    Changes that a test makes stay for the tests after it. Use it in a fixture of scope ``module``::

        @pytest.fixture(scope="module")
        def shop(module_lab):
            return module_lab("shop.yaml")
    """
    with _labs(request, request.path.parent) as build:
        yield build


@pytest.fixture(scope="session")
def session_lab(request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """Build labs as ``lab`` does; each is removed after the last test. Paths are relative to pytest's root directory.

    With xdist, each worker builds its own.
    """
    with _labs(request, request.config.rootpath) as build:
        yield build


@contextlib.contextmanager
def _labs(request: pytest.FixtureRequest, folder: Path) -> Iterator[MakeLab]:
    """Yield a function that builds labs from files of a folder; they are removed after the block."""
    from netlab.cluster import resolve_input
    from netlab.machines.labs import temporary
    from netlab.objects import read_input

    with contextlib.ExitStack() as stack:

        def build(*files: str | os.PathLike[str], profile: str = "") -> Lab:
            change = None
            if profile:
                from netlab.profiles.documents import with_profile

                def change(documents: list[Document], reader: Reader) -> tuple[list[Document], list[Problem]]:
                    return with_profile(documents, profile, ()), []

            found = read_input([str(folder / file) for file in files], change=change)
            cluster, _ = resolve_input(found)
            own: AbstractContextManager[Lab] = temporary(found.objects, cluster=cluster)
            with _skipping(request.config):
                return stack.enter_context(own)

        yield build
