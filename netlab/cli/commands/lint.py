"""``netlab lint``: find what is legal and probably not meant, by rules with ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal, what_if
from netlab.cli.option import option
from netlab.cli.whole_input import WholeInput, whole_input
from netlab.errors import UsageError
from netlab.report.lint import Lint, RuleList

if TYPE_CHECKING:
    from netlab.policy.lint.findings import Config, Findings
    from netlab.policy.lint.rule import Rule

_INVALID = "invalid-input"


@click.command("lint")
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.ports
@options.family
@options.nodes
@options.system
@option("--list", "listed", is_flag=True, help="Print the rules, and read no input.")
@option(
    "--rule",
    "chosen",
    multiple=True,
    metavar="RULE",
    shell_complete=options.completed("rules"),
    help="Run only this rule; repeatable.  [default: all of them]",
)
@option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    default="error",
    show_default=True,
    help="Exit with code 1 if a finding has this severity or a higher one.",
)
@option("--baseline", type=click.Path(dir_okay=False), metavar="FILE", help="Hide the findings that are in this file.")
@option(
    "--write-baseline",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the findings to this file, for --baseline.",
)
@option("--no-config", is_flag=True, help="Do not read .netlab.toml or pyproject.toml.")
@options.output(Lint)
@options.reports(Lint)
@options.verbose
def lint_command(
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    system: bool,
    listed: bool,
    chosen: Sequence[str],
    fail_on: str,
    baseline: str | None,
    write_baseline: str | None,
    no_config: bool,
    output: str,
) -> None:
    """Find what is legal and probably not meant.

    Each finding has the id of a rule, a place, and a hint how to repair it. --list prints the rules. --port, --family
    and --nodes are accepted, as by reach. Today no rule depends on them.

    The comment `# netlab: ignore=RULE[,RULE]` on the first line of an object, or directly above it, silences rules for
    this object. In JSON the annotation netlab/ignore does the same. The table [tool.netlab.lint] of pyproject.toml, or
    [lint] of .netlab.toml, switches rules off and changes severities.
    """
    reports = options.wanted_reports()
    rules = _rules(chosen)
    if listed:
        if not rendering.has(RuleList, output):
            raise UsageError(f"--list: no format {output}: leave -o out, or write json, yaml or markdown")
        rendering.render(RuleList(rules), output)
        return
    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    config = _config(no_config)
    known = None
    if baseline is not None:
        from netlab.cli.lint_baseline import read_baseline

        known = read_baseline(baseline)
    if write_baseline is not None:
        from netlab.cli.lint_baseline import check_file

        check_file(write_baseline, reports)
    from netlab.objects import read_input

    read = read_input(
        files,
        strict=strict,
        ignore=ignore,
        system=system,
        change=what_if.change(),
        sources=what_if.sources(files),
    )
    found = whole_input(read)
    wrong = any(one.severity == "error" for one in found.problems)
    if wrong:
        # Other rules may find what vanishes with the errors. A configuration does not hide errors.
        rules, config = _rules([_INVALID]), _config(True)
    findings = _findings(found, rules, config, read.files, (ports, family, nodes, system))
    if write_baseline is not None and not wrong:
        findings = _written(findings, write_baseline)
    elif known is not None:
        from netlab.policy.lint.findings import without_known

        gone = len(known - {one.fingerprint for one in findings.found})
        if gone and not (chosen or wrong):
            left = f"{gone} of {len(known)} findings of {baseline} are no longer found"
            terminal.say(f"{left}: --write-baseline FILE writes the rest")
        findings = without_known(findings, known)
    result = _result(findings, rules)
    if wrong:
        inputs.print_errors(found.problems)
    if not wrong or not rendering.is_default(Lint, output):
        rendering.render(result, output)
    rendering.write(result, reports)
    if wrong:
        raise SystemExit(2)
    if fail_on != "never" and findings.at_least(fail_on):  # type: ignore[arg-type]
        if not rendering.is_text(output):
            terminal.say(result.summary())
        raise SystemExit(1)


def _rules(chosen: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules that ``--rule`` names, or all; raises UsageError for an unknown one."""
    from netlab.policy.lint import all_rules

    rules = all_rules()
    if not chosen:
        return rules
    unknown = [name for name in chosen if name not in {one.id for one in rules}]
    if unknown:
        raise UsageError(*(f"--rule {name}: no such rule: netlab lint --list lists them" for name in unknown))
    return tuple(one for one in rules if one.id in chosen)


def _config(left_out: bool) -> Config:
    """Return the configuration of the working directory, and print what it changes: it may hide findings."""
    from netlab.cli.lint_config import find_config
    from netlab.policy.lint import ids
    from netlab.policy.lint.findings import Config

    if left_out:
        return Config()
    found = find_config(ids())
    if found.file:
        terminal.say(str(found))
    return found.config


def _findings(
    found: WholeInput,
    rules: Sequence[Rule],
    config: Config,
    files: Sequence[str],
    asked: tuple[Sequence[str], str | None, bool, bool],
) -> Findings:
    from netlab.policy.lint.findings import lint
    from netlab.policy.lint.given import Given

    ports, family, nodes, system = asked
    selection = flow_arguments.selection_of(found.cluster, ports, family, nodes, False, system, False)
    given = Given(found.objects, found.cluster, tuple(found.problems), selection)
    return lint(given, rules, config, files)


def _written(findings: Findings, file: str) -> Findings:
    """Write a baseline of findings; return what it does not hide, which is nothing."""
    import shlex

    from netlab.cli.lint_baseline import baseline_lines
    from netlab.kernel import output
    from netlab.policy.lint.findings import without_known
    from netlab.quantity import quantity

    output.write(file, baseline_lines(findings))
    number = len(findings.found)
    hides = f"; --baseline {shlex.quote(file)} hides {'it' if number == 1 else 'them'}" if number else ""
    terminal.say(f"{file}: {quantity(number, 'finding')} written{hides}")
    return without_known(findings, frozenset(one.fingerprint for one in findings.found))


def _result(findings: Findings, rules: Sequence[Rule]) -> Lint:
    import netlab
    from netlab.cli.lint_config import repository

    return Lint(findings, rules, options.again(), repository(), netlab.__version__)
