"""``netlab completion``: print the script that completes words in a shell."""

from __future__ import annotations

import click

from netlab.cli import terminal

# Where each shell looks for the script of a program.
_LINES = {
    "bash": 'eval "$(netlab completion bash)"',
    "zsh": 'eval "$(netlab completion zsh)"',
    "fish": "netlab completion fish | source",
}


@click.command("completion")
@click.argument("shell", type=click.Choice(list(_LINES)))
def completion_command(shell: str) -> None:
    """Print the script that completes commands, options, pods, labs, kinds and profiles in a shell.

    To install it, add one line. bash, in ~/.bashrc: eval "$(netlab completion bash)". zsh, in ~/.zshrc after compinit:
    eval "$(netlab completion zsh)". fish, in ~/.config/fish/config.fish: netlab completion fish | source
    """
    from click.shell_completion import get_completion_class

    from netlab.cli.command_group import cli

    kind = get_completion_class(shell)
    assert kind is not None
    terminal.data(kind(cli, {}, "netlab", "_NETLAB_COMPLETE").source().rstrip("\n").split("\n"))
