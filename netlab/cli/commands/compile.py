"""``netlab compile``: print the nftables rulesets, without a kernel."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, options, terminal
from netlab.cli.option import option
from netlab.errors import UsageError


@click.command("compile")
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@option("--node", metavar="NAME", help="Print the ruleset of this node only.  [default: all nodes]")
@options.verbose
def compile_command(files: Sequence[str], strict: bool, ignore: Sequence[str], lab: str, node: str | None) -> None:
    """Print the nftables ruleset that each node gets, as `nft -f` reads it.

    Without -f, the objects are those of the running lab.
    """
    from netlab.dataplane.node_rulesets import rulesets

    cluster = inputs.read_cluster(files, strict, lab, ignore)
    texts = {name: ruleset.text() for name, ruleset in rulesets(cluster).items()}
    if node is not None:
        if node not in texts:
            raise UsageError(f"no node {node!r} (known: {', '.join(texts)})")
        texts = {node: texts[node]}
    terminal.data(text.rstrip("\n") for text in texts.values())
