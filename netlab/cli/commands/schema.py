"""``netlab schema``: print the JSON Schema of the kinds that netlab reads."""

from __future__ import annotations

import click

from netlab.cli import options, terminal


@click.command("schema")
@click.argument("kind", required=False, metavar="[KIND]", shell_complete=options.completed("described"))
def schema_command(kind: str | None) -> None:
    """Print the JSON Schema (draft 2020-12) of KIND, or one schema for all kinds that netlab reads.

    For a kind of Kubernetes it has the fields that netlab reads, and allows others.
    """
    from netlab.errors import UsageError
    from netlab.objects import schema

    kinds = {one.name.lower(): one for one in schema.described()}
    if kind is None:
        found = schema.schema_of_all(kinds.values())
    else:
        # The names of a kind are those of other commands: netpol, networkpolicies, NetworkPolicy.
        names = {name: one for one in kinds.values() for name in (one.name.lower(), *one.names)}
        if kind.lower() not in names:
            raise UsageError(f"no schema of {kind!r}; it is one of {', '.join(one.name for one in kinds.values())}")
        found = schema.schema_of(names[kind.lower()])
    terminal.data([schema.text_of(found).rstrip("\n")])
