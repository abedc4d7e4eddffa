"""The command line: one small file per command family in ``netlab.cli.commands``, loaded when it is called."""

from __future__ import annotations

import gc

from netlab.cli.failures import prepare_signals
from netlab.cli.group import cli

__all__ = ["cli", "main"]


def main() -> None:
    """Run the command line and end the process with its exit code."""
    # A command makes many small values that live until its end, and is over before cycles matter: with the default
    # threshold the collector took a fifth of the time to bring up 1,000 pods.
    gc.set_threshold(100_000, 50, 100)
    prepare_signals()
    cli.main(prog_name="netlab")
