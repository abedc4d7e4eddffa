"""``netlab examples``: list, print or copy the manifests, topologies and scenarios that come with netlab."""

from __future__ import annotations

import os

import click

from netlab.cli import options, terminal
from netlab.cli.option import option


@click.command("examples")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=options.completed("examples"))
@option("--to", "folder", metavar="DIR", help="Copy the files below DIR, with their folders; all without NAME.")
def examples_command(name: str | None, folder: str | None) -> None:
    """List the examples that come with netlab; with NAME print its files; with --to copy them.

    NAME is a name of the list, or its last part: examples/shop or shop. What is printed is input for -f -. With a
    scenario, the files that it reads are copied too. A file that exists is not replaced.
    """
    from netlab.cli import sample_files

    if folder is not None:
        _copy(sample_files.files() if name is None else sample_files.chosen(name), folder)
    elif name is not None:
        place = sample_files.root()
        for number, path in enumerate(sample_files.chosen(name)):
            terminal.data([*(["---"] if number else []), f"# {path}", *(place / path).read_text().splitlines()])
    else:
        from netlab.report.columns import columns

        terminal.emit(columns(["NAME", "ABOUT"], ([one, sample_files.about(one)] for one in sample_files.names())))


def _copy(names: list[str], folder: str) -> None:
    """Copy files, or none where one exists."""
    from netlab.cli import sample_files
    from netlab.errors import UsageError
    from netlab.kernel import output

    place = sample_files.root()
    there = [path for path in (os.path.join(folder, name) for name in names) if os.path.lexists(path)]
    if there:
        raise UsageError(f"{', '.join(there)} {'exists' if len(there) == 1 else 'exist'}: no file is replaced")
    for name in names:
        path = os.path.join(folder, name)
        output.make_directories(os.path.dirname(path))
        if not output.create(path, [(place / name).read_text()]):
            raise UsageError(f"{path} exists: no file is replaced")
    terminal.emit([f"{len(names)} file{'' if len(names) == 1 else 's'} copied to {folder}"])
    if any(name.startswith("scenarios/") for name in names):
        from netlab.objects.files import home_of

        if not os.path.exists(os.path.join(home_of(os.path.join(folder, "x")), ".git")):
            terminal.say(
                "The scenarios name files outside of their folder: run `git init` here, or netlab test --allow-outside"
            )
