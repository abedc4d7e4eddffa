"""The tables and examples of the reference agree with the program."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from netlab.cli import lint_rules, reference
from netlab.cli import settings as settings_page
from netlab.cli.command_group import cli
from netlab.objects import decode
from netlab.objects.documents import parse
from netlab.objects.kind import written
from netlab.report import formats
from netlab.scenario import dry_run

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "reference.md").read_text()
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
SETTINGS = re.findall(r"^\| `(\w+)` \| (`[\w-]+`(?:, `[\w-]+`)+) \|", TEXT, re.MULTILINE)
TOPOLOGY = "{apiVersion: netlab/v1alpha1, kind: Topology, metadata: {name: x}, spec: {policy: {%s: %s}}}"


def test_the_page_of_commands_is_what_the_commands_state() -> None:
    """A new command or option is on the page once ``python -m netlab.cli.reference > docs/commands.md`` was run."""

    assert "\n".join(reference.lines()) + "\n" == (DOCS / "commands.md").read_text()


def test_the_page_of_rules_is_what_the_rules_state() -> None:
    """A new rule is on the page once ``python -m netlab.cli.lint_rules > docs/lint-rules.md`` was run."""

    assert "\n".join(lint_rules.lines()) + "\n" == (DOCS / "lint-rules.md").read_text()


def test_the_page_of_settings_is_what_the_declarations_state() -> None:
    """A new setting or choice is on the page once ``python -m netlab.cli.settings > docs/settings.md`` was run."""

    assert "\n".join(settings_page.lines()) + "\n" == (DOCS / "settings.md").read_text()


def test_the_examples_are_valid() -> None:
    """A Topology, a Profile and a Scenario with their fields, which fit together."""
    topology, profile, scenario, failures = (decode(parse(text, "reference.md")[0]) for text in EXAMPLES)

    assert ([], [], [], []) == (topology[1], profile[1], scenario[1], failures[1])
    assert dry_run(scenario[0].scenarios[0]).objects.topology is None


def settings() -> Iterator[tuple[str, str]]:
    for name, values in SETTINGS:
        for value in re.findall(r"`([\w-]+)`", values):
            yield name, value


@pytest.mark.parametrize(("name", "value"), list(settings()))
def test_a_setting_of_policy_takes_the_values_of_the_table(name: str, value: str) -> None:
    """Each value is valid, and the first is the default."""
    objects, problems = decode(parse(TOPOLOGY % (name, value), "x")[0])
    without, _ = decode(parse(TOPOLOGY.replace("%s: %s", ""), "x")[0])
    assert objects.topology is not None
    assert without.topology is not None

    first = dict(SETTINGS)[name].split("`")[1]

    assert [] == problems
    assert (objects.topology.policy == without.topology.policy) == (value == first)


def test_a_setting_that_the_table_lacks_does_not_exist() -> None:
    """The message of an unknown value, and the example, know all settings."""
    names = {name for name, _ in SETTINGS}
    example, _ = decode(parse(EXAMPLES[0], "x")[0])
    assert example.topology is not None

    assert len(names) == len(type(example.topology.policy).__dataclass_fields__) - len({"written"})


def test_every_kind_that_is_read_is_named() -> None:
    """The reference names every kind that netlab reads."""

    assert [] == [kind.name for kind in written() if not re.search(rf"\b{kind.name}\b", TEXT)]


def test_every_format_is_named() -> None:
    """Those of ``-o``, and those of files by their option."""

    assert [] == [n for n, one in formats.FORMATS.items() if (f"`--{n} FILE`" if one.file else f"`{n}`") not in TEXT]


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("reach",), "Reachability"),
        (("reach", "--group"), "ReachabilityGroups"),
        (("check",), "Problems"),
    ],
    ids=" ".join,
)
def test_a_document_has_the_fields_of_the_table(netlab: Callable[..., Result], arguments: tuple[str, ...], kind: str):
    """Commands that need a kernel have tests of their own."""
    document = json.loads(netlab(*arguments, "-f", "examples/shop", "-o", "json").stdout)
    row = next(line for line in TEXT.splitlines() if f"| `{kind}` |" in line)

    assert kind == document["kind"]
    assert set(re.findall(r"`(\w+)`", row.split("|")[3])) == set(document) - {"apiVersion", "kind"}


def test_every_exit_code_of_the_help_is_in_the_table() -> None:
    """Both lists have the same codes."""
    table = TEXT.split("| exit code |")[1].split("\n\n")[0]

    assert set(re.findall(r"\b\d{1,3}\b", cli.epilog or "")) == set(re.findall(r"\b\d{1,3}\b", table))
