"""The command of a report, as words that a shell takes, so that its readers can run it again."""

from __future__ import annotations

from collections.abc import Sequence

from netlab.frozen import frozen


@frozen
class Again:
    """A command without its options about output; ``input`` has those of its words that name the input."""

    words: Sequence[str]
    input: Sequence[str] = ()

    @property
    def command(self) -> str:
        """The command in one line."""
        import shlex

        return shlex.join(self.words)

    def about(self, name: str, *arguments: str) -> str:
        """Return another command about the same input, in one line."""
        import shlex

        return shlex.join(["netlab", name, *arguments, *self.input])
