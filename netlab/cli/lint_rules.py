"""The page ``docs/lint-rules.md``: every rule of ``netlab lint``, with its examples.

``python -m netlab.cli.lint_rules > docs/lint-rules.md`` writes it from the rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab.cli import terminal
from netlab.policy.lint import all_rules
from netlab.policy.lint.rule import Rule, sentence

HEAD = """\
# Rules of netlab lint

<!-- proven by tests/policy/lint/test_rules.py -->

Every rule of `netlab lint`: what it finds, why it matters, how to fix it, and an example, wrong and repaired.
[lint.md](lint.md) says how to use the rules. `netlab lint --list` prints the list. `python -m netlab.cli.lint_rules`
writes this page.

- `error`: what is written certainly has no effect, or certainly breaks something.
- `warning`: what is written is probably not meant.
- `info`: good to know."""


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    rules = all_rules()
    yield HEAD
    yield "\n| rule | severity | what is wrong |\n|---|---|---|"
    for rule in rules:
        yield f"| [{rule.id}](#{rule.id}) | {rule.severity} | {rule.title} |"
    for rule in rules:
        yield from _rule(rule)


def _rule(rule: Rule) -> Iterator[str]:
    yield f"\n## {rule.id}\n"
    yield f"{sentence(rule.title)} Severity: {rule.severity}."
    for paragraph in rule.page():
        yield f"\n{paragraph}"
    if rule.checks:
        yield f"\n`netlab check` warns of it too ({', '.join(f'`{name}`' for name in rule.checks)})."


if __name__ == "__main__":
    terminal.emit("\n".join(lines()).split("\n"))
