"""The command of a report, as words that a shell takes, so that its readers can run it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from netlab.frozen import frozen


@frozen
class Again:
    """A command without its options about output.

    ``input`` has those of its words that name the input. ``assumed`` says how the question changes the input, "" if it
    does not.
    """

    words: Sequence[str]
    input: Sequence[str] = ()
    assumed: str = ""

    @property
    def command(self) -> str:
        """The command in one line."""
        return shlex.join(self.words)

    def about(self, name: str, *arguments: str) -> str:
        """Return another command about the same input, in one line."""
        return shlex.join(["netlab", name, *arguments, *self.input])
