"""The command of a report, as words that a shell takes, so that its readers can run it again."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.frozen import frozen


@frozen
class CommandLine:
    """The words of a command line without options about output.

    ``input`` are those words that name the input. ``assumed`` says how the question changes the input, "" if it
    does not.
    """

    words: Sequence[str]
    input: Sequence[str] = ()
    assumed: str = ""

    @property
    def command(self) -> str:
        """The command in one line."""
        import shlex

        return shlex.join(self.words)

    def about(self, name: str, *arguments: str) -> str:
        """Return another command about the same input, in one line."""
        import shlex

        return shlex.join(["netlab", name, *arguments, *self.input])
