"""``netlab lint``: find what is legal and probably not meant, by rules with ids."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options, rendering
from netlab.cli.whole_input import whole_input
from netlab.errors import UsageError
from netlab.report.lint import Lint, Rules


@click.command("lint")
@options.files
@options.profile
@options.strict
@options.ignore
@click.option("--list", "listed", is_flag=True, help="List the rules, and read nothing.")
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info", "never"]),
    default="error",
    show_default=True,
    help="The severity from which a finding makes exit code 1.",
)
@options.output(Lint)
@options.reports(Lint)
@options.verbose
def lint_command(
    files: Sequence[str], strict: bool, ignore: Sequence[str], listed: bool, fail_on: str, output: str
) -> None:
    """Find what is legal and probably not meant.

    Every finding has a rule, a place and a hint how to repair it. --list lists the rules. docs/lint-rules.md describes
    each with an example. A comment `# netlab: ignore=RULE` on the first line of an object, or directly above it,
    silences a rule there.
    """
    reports = options.wanted_reports()
    from netlab.policy.lint import all_rules

    rules = all_rules()
    if listed:
        rendering.render(Rules(rules), output)
        return
    from netlab.objects import read_input
    from netlab.policy.lint.findings import lint
    from netlab.policy.lint.given import Given

    if not files:
        raise UsageError("nothing to read: name files with -f FILE")
    read = read_input(files, strict=strict, ignore=ignore, change=inputs.as_profile())
    found = whole_input(read)
    if not found.whole:
        inputs.print_errors(found.problems)
        raise SystemExit(2)
    given = Given(found.objects, found.cluster, tuple(found.problems))
    findings = lint(given, rules, None, read.files)
    result = Lint(findings, rules, options.again())
    rendering.render(result, output)
    rendering.write(result, reports)
    if fail_on != "never" and findings.at_least(fail_on):  # type: ignore[arg-type]
        raise SystemExit(1)
