"""``netlab init``: write a first scenario, a workflow and a hook into a repository."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import options, terminal
from netlab.cli.option import option
from netlab.errors import UsageError
from netlab.frozen import NamedTuple
from netlab.patterns import pattern
from netlab.quantity import quantity

if TYPE_CHECKING:
    from netlab.cluster import Cluster

# The account that has netlab's repository, and a release of it.
_ACTION = "OWNER/netlab@v0.1.0"
_ACTION_FORM = pattern(r"[\w.-]+/[\w.-]+@[\w./-]+")
_HOOKS = ".pre-commit-config.yaml"
_MOST_NAMED = 5


class _File(NamedTuple):
    """A file to write: its path in the repository, its lines, and what it is."""

    path: str
    lines: Sequence[str]
    what: str


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path())
@option("--dry-run", is_flag=True, help="Print the files, and write nothing.")
@option(
    "--action",
    metavar="OWNER/NAME@REF",
    default=_ACTION,
    show_default=True,
    help="The repository of netlab, for the workflow and the hook.",
)
@options.verbose
def init_command(folder: str, dry_run: bool, action: str) -> None:
    """Write a first scenario, a workflow of GitHub Actions and a hook of pre-commit into the repository DIR.

    The scenario has the manifests of DIR, and expects what their policies allow and deny today, so it passes. Without
    manifests it has an example. A file that exists is left as it is.
    """
    from netlab.kernel import output
    from netlab.objects.files import is_inside

    if not os.path.isdir(folder):
        raise UsageError(f"no directory {folder}")
    if _ACTION_FORM.fullmatch(action) is None:
        raise UsageError(f"--action {action!r}: it is written OWNER/NAME@REF")
    files = list(_files(folder, action))
    home = os.path.realpath(folder)
    for file in files:
        # The links of a repository are a stranger's, whoever owns the files.
        if not is_inside(os.path.join(folder, os.path.dirname(file.path)), home):
            raise UsageError(f"{os.path.dirname(file.path)} leads outside of {folder}; remove this link")
    for file in files:
        path = os.path.normpath(os.path.join(folder, file.path))
        if dry_run and not os.path.lexists(path):
            terminal.emit([f"would write {path}: {file.what}", *(f"    {line}" for line in _short(file))])
            continue
        if not os.path.lexists(path):
            output.make_directories(os.path.dirname(path) or ".")
            if output.create(path, (f"{line}\n" for line in file.lines)):
                terminal.emit([f"wrote {path}: {file.what}"])
                continue
        terminal.emit([f"{path} exists, and stays as it is"])
        if file.path == _HOOKS:
            terminal.emit(["  add to it:", *(f"    {line}" for line in file.lines[1:])])
    terminal.emit([f"Next: netlab test {os.path.normpath(os.path.join(folder, files[0].path))}"])
    if action == _ACTION:
        terminal.say("OWNER in the workflow and in the hook is the account with netlab's repository: replace it")


def _short(file: _File) -> Sequence[str]:
    return file.lines if not file.path.endswith(".json") else [f"({len(file.lines)} lines)"]


def _files(folder: str, action: str) -> Iterator[_File]:
    """Yield the files for a repository, the scenario first."""
    from netlab.cli import first_files, inputs
    from netlab.objects import schema
    from netlab.objects.files import home_of
    from netlab.policy.warnings import warnings
    from netlab.scenario.first import manifests

    found = manifests(folder)
    _say_left_out([str(one) for one in found.left_out])
    if found.cluster is not None:
        # The scenario expects what the policies do now, so a mistake in them would pass.
        inputs.warn(warnings(found.cluster), found.paths)
    # Outside of a repository, a scenario reads its own folder only.
    place = "scenarios" if os.path.exists(os.path.join(home_of(os.path.join(folder, "x")), ".git")) else ""
    paths: Sequence[str] = [os.path.relpath(path, folder) for path in found.paths]
    example = _example(place) if not (found.cluster and found.cluster.asked_pods()) else None
    if example is not None:
        paths = [example.path]
    yield _scenario(place, found.cluster, paths, example)
    if example is not None:
        yield example
    scenario_kind = next(one for one in schema.described() if one.name == "Scenario")
    text = schema.text_of(schema.schema_of(scenario_kind)).rstrip("\n").split("\n")
    yield _File(first_files.SCHEMA, text, "the schema of scenarios, for editors")
    # The workflow has a path a line, and evaluates expressions in them.
    listed = [path for path in paths if path.isprintable() and path == path.strip() and "${{" not in path]
    scenarios = place or "first.netlab.yaml"
    workflow = first_files.workflow(action, listed, scenarios)
    yield _File(".github/workflows/netlab.yml", list(workflow), "a workflow of GitHub Actions")
    yield _File(_HOOKS, list(first_files.hooks(action, paths)), "a hook of pre-commit, netlab-check")


def _say_left_out(problems: Sequence[str]) -> None:
    for one in problems[:_MOST_NAMED]:
        terminal.say(f"left out: {one}")
    if len(problems) > _MOST_NAMED:
        terminal.say(f"left out: {len(problems) - _MOST_NAMED} more files")


def _example(place: str) -> _File:
    from netlab.cli import first_files

    path = os.path.join(place, "manifests", "shop.yaml")
    return _File(
        path, first_files.MANIFESTS.rstrip("\n").split("\n"), "an example, as there are no manifests with pods"
    )


def _scenario(place: str, cluster: Cluster | None, paths: Sequence[str], example: _File | None) -> _File:
    from netlab.cli import first_files
    from netlab.scenario.first import expectations

    if example is not None:
        from netlab.cluster import resolve
        from netlab.objects import decode
        from netlab.objects.documents import parse

        objects, _ = decode(parse(first_files.MANIFESTS, example.path)[0])
        cluster = resolve(objects)
    assert cluster is not None
    expect = expectations(cluster)
    pods = quantity(len(cluster.asked_pods()), "pod")
    resources = [os.path.relpath(path, place or ".") for path in paths]
    schema = os.path.relpath(first_files.SCHEMA, place or ".")
    lines = first_files.scenario(schema, "What the policies allow and deny today.", resources, expect)
    several = quantity(len(expect), "expectation")
    return _File(os.path.join(place, "first.netlab.yaml"), list(lines), f"a scenario with {pods} and {several}")
