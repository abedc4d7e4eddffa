"""Where the files of an input are: on this host, or where a source of input has them, as in a git revision.

One reader reads all of them, so that the same rules and messages hold.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol

from netlab.frozen import frozen
from netlab.objects.files import Folder, below, home_of, is_inside, text_of

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.objects.bounds import Budget
    from netlab.objects.documents import Reader
    from netlab.objects.types import Document, Source


class FileTree(Protocol):
    """Files by path. A path is as ``os.path`` joins it; ``name`` is how messages name its file."""

    @property
    def home(self) -> str:
        """The folder that files must be in, for messages; "" for any."""

    def name(self, path: str) -> str:
        """Return the name of a file in messages and in ``Source.file``."""

    def beside(self, name: str, path: str) -> str:
        """Return the path of a file that another file names; ``name`` is that other file's own name."""

    def around(self, name: str) -> FileTree:
        """Return the files that a file of a name may name; it may be a stranger's."""

    def holds(self, path: str) -> bool:
        """Say whether a path is in the home, after links are resolved. It need not exist."""

    def exists(self, path: str) -> bool:
        """Say whether there is a file or a folder."""

    def is_folder(self, path: str) -> bool:
        """Say whether a path is that of a folder."""

    def is_same(self, path: str, name: str) -> bool:
        """Say whether a path leads to the file of a name."""

    def below(self, path: str) -> Folder:
        """Return the files below a folder, as ``netlab.objects.files.below`` does."""

    def text(self, path: str, budget: Budget, *, pipes: bool = False) -> str:
        """Return the text of a file; raises UnreadableError, TooLargeError."""

    def close(self) -> None:
        """Release what reading needed; the files can be read again."""


class InputSource(Protocol):
    """A form of ``-f`` that is no path of this host. ``netlab.sources.SOURCES`` has them."""

    @property
    def form(self) -> str:
        """The form, as help texts write it."""

    def claims(self, text: str) -> bool:
        """Say whether a text has this form. No file of this host has the name."""

    def read(self, text: str, reader: Reader) -> tuple[list[Document], list[Problem]]:
        """Return the documents, and the problems. What the reader reads counts against its budget."""


@frozen
class HostFiles:
    """The files of this host. ``home`` is the folder that they must be in, "" for any; with a home, no pipe is read."""

    home: str = ""

    def name(self, path: str) -> str:
        return path

    def beside(self, name: str, path: str) -> str:
        return os.path.normpath(os.path.join(os.path.dirname(name), path))

    def around(self, name: str) -> HostFiles:
        return self if self.home else HostFiles(home_of(name))

    def holds(self, path: str) -> bool:
        return not self.home or is_inside(path, self.home)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path) and self.holds(path)

    def is_same(self, path: str, name: str) -> bool:
        return os.path.realpath(path) == os.path.realpath(name)

    def below(self, path: str) -> Folder:
        return below(path)

    def text(self, path: str, budget: Budget, *, pipes: bool = False) -> str:
        return text_of(path, budget, pipes=pipes and not self.home, home=self.home)

    def close(self) -> None:
        pass


def tree_of(source: Source) -> FileTree:
    """Return the files among which an object's file is."""
    return source.tree or HostFiles()
