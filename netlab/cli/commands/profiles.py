"""``netlab profiles``: list the profiles of CNIs, or print every choice of one."""

from __future__ import annotations

import click

from netlab.cli import options, rendering
from netlab.report.profiles import Profiles


@click.command("profiles")
@click.argument("name", metavar="[NAME|FILE]", required=False, shell_complete=options.completed("profiles"))
@options.output(Profiles)
@options.verbose
def profiles_command(name: str | None, output: str) -> None:
    """List the profiles of CNIs; with NAME or FILE print every choice of one, with its mark and source.

    A mark says where a fact is from: DOC documentation, CODE source code that was read, ISSUE an issue or pull request,
    GUESS an inference that nobody confirmed. -o yaml prints a profile as a file that --as takes.
    """
    from netlab import profiles
    from netlab.profiles.documents import is_file, profile_of

    if name is None:
        found = Profiles([profiles.named(one) for one in profiles.names()])
    else:
        found = Profiles([profile_of(name) if is_file(name) else profiles.named(name)], one=True)
    rendering.render(found, output)
