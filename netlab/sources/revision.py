"""``REV:PATH``: a file or folder as it is in a git revision, without a checkout.

PATH is from the root of the repository, or with ``./`` or ``../`` from the current folder, as for ``git show``. An
absolute path names the repository too. Rules and messages are those of files and folders; a file's name is ``REV:PATH``
with the path from the root.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netlab.errors import Problem
from netlab.frozen import frozen
from netlab.objects.bounds import MOST_ENTRIES, TooLargeError
from netlab.objects.files import SUFFIXES, Folder, UnreadableError, decoded

if TYPE_CHECKING:
    from netlab.kernel.git import Answers, Git
    from netlab.objects.bounds import Budget
    from netlab.objects.documents import Reader
    from netlab.objects.types import Document

_THERE = ("blob", "tree")
_LINK, _SUBMODULE = "120000", "160000"
_LFS = b"version https://git-lfs.github.com/spec/"
_ROOT = "."


def split(text: str) -> tuple[str, str] | None:
    """Return revision and path of ``REV:PATH``, None for another text. A colon in braces is a part of the revision."""
    depth = 0
    for at, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if character == ":" and depth <= 0:
            return (text[:at], text[at + 1 :]) if at else None
    return None


@frozen
class _Revision:
    form: str = "REV:PATH"

    def claims(self, text: str) -> bool:
        parts = split(text)
        # A URL is no revision.
        return parts is not None and not parts[0].startswith(("-", "/", "./", "../")) and not parts[1].startswith("//")

    def read(self, text: str, reader: Reader) -> tuple[list[Document], list[Problem]]:
        """Return the documents; raises HostError if there is no git."""
        from netlab.kernel.git import GitError

        revision, path = split(text) or ("", text)
        try:
            files, inside = opened(revision, path)
        except GitError as error:
            reader.files.append(text)
            return [], [Problem(text, 0, "", "", str(error))]
        try:
            return reader.read_path(inside, files)
        except GitError as error:
            return [], [Problem(text, 0, "", "", str(error))]
        finally:
            files.close()


SOURCE = _Revision()


def opened(revision: str, path: str) -> tuple[RevisionFiles, str]:
    """Return the files of a revision, and a path in it.

    Raises:
      GitError: if there is no such repository or revision, or the path is outside of the repository.
      HostError: if there is no git.
    """
    from netlab.kernel.git import Git, GitError, NoRepositoryError

    folder = _nearest(path) if os.path.isabs(path) else os.curdir
    git = Git(folder)
    try:
        prefix = git.inside()
    except NoRepositoryError:
        raise NoRepositoryError(f"no such file, and no git repository in {os.path.abspath(folder)}") from None
    if os.path.isabs(path):
        inside = os.path.join(prefix, os.path.relpath(path, folder))
    else:
        here = path in (".", "..") or path.startswith(("./", "../"))
        inside = os.path.join(prefix, path) if here else path
    inside = os.path.normpath(inside)
    if not _is_inside(inside):
        raise GitError("is outside of the repository")
    try:
        commit = git.commit(revision)
    except GitError:
        hint = "; it is a shallow clone: git fetch --unshallow gets the rest" if git.is_shallow() else ""
        raise GitError(f"no file of this name, and no revision {revision!r} in the repository{hint}") from None
    files = RevisionFiles(git, revision, commit)
    try:
        kind = files.kind(inside)
        if kind in _THERE:
            return files, inside
        from_here = os.path.normpath(os.path.join(prefix, path))
        near = prefix and not os.path.isabs(path) and _is_inside(from_here) and files.kind(from_here) in _THERE
    except BaseException:
        files.close()
        raise
    files.close()
    if kind in _WRONG:
        raise GitError(_WRONG[kind])
    raise GitError(f"no such file in this revision{f'; did you mean {revision}:./{path}?' if near else ''}")


def _nearest(path: str) -> str:
    """Return the nearest folder above a path that this host has; the path may be in a revision only."""
    folder = os.path.dirname(os.path.normpath(path))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def _is_inside(path: str) -> bool:
    return not (os.path.isabs(path) or path == ".." or path.startswith("../"))


class RevisionFiles:
    """The files of a commit, as a ``FileTree``. Paths are from the root of the repository, "." is the root."""

    home = "the repository"

    def __init__(self, git: Git, revision: str, commit: str) -> None:
        self._git = git
        self._revision = revision
        self._commit = commit
        self._check: Answers | None = None
        self._content: Answers | None = None
        # The object names of the files that a listing had.
        self._listed: dict[str, str] = {}

    def name(self, path: str) -> str:
        return f"{self._revision}:{'' if path == _ROOT else path}"

    def beside(self, name: str, path: str) -> str:
        own = name.removeprefix(f"{self._revision}:")
        return os.path.normpath(os.path.join(os.path.dirname(own), path))

    def around(self, name: str) -> RevisionFiles:
        return self

    def holds(self, path: str) -> bool:
        return _is_inside(path)

    def exists(self, path: str) -> bool:
        return self._kind(path) in _THERE

    def is_folder(self, path: str) -> bool:
        return self._kind(path) == "tree"

    def is_same(self, path: str, name: str) -> bool:
        return self.name(path) == name

    def below(self, path: str) -> Folder:
        from netlab.kernel.git import GitError

        found = Folder()
        try:
            self._add_files(path, found)
        except GitError as error:
            self.close()
            found.problems.append(Problem(self.name(path), 0, "", "", f"this folder cannot be read: {error}"))
        found.files.sort()
        found.links.sort()
        return found

    def _add_files(self, folder: str, found: Folder) -> None:
        tree = self._asked(folder)[1]
        for number, (mode, name, below) in enumerate(self._git.files(tree, MOST_ENTRIES)):
            if number == MOST_ENTRIES:
                raise TooLargeError(f"too much to read: more than {MOST_ENTRIES} files in it")
            if below.startswith(".") or "/." in below:
                continue
            path = os.path.normpath(os.path.join(folder, below))
            if mode == _SUBMODULE:
                found.submodules.append(path)
            elif mode == _LINK and self._kind(path) == "tree":
                found.links.append(path)
            elif path.endswith(SUFFIXES):
                found.files.append(path)
                if mode != _LINK:
                    self._listed[path] = name

    def text(self, path: str, budget: Budget, *, pipes: bool = False) -> str:
        from netlab.kernel.git import GitError

        try:
            return decoded(self._bytes(path, budget))
        except GitError as error:
            # git ended.
            self.close()
            raise UnreadableError(str(error)) from None

    def _bytes(self, path: str, budget: Budget) -> bytes:
        from netlab.kernel.git import NOT_HERE

        name = self._listed.get(path) or self._file(path)
        if self._content is None:
            self._content = self._git.answers("--batch")
        try:
            _, kind, size = self._content.ask(name).split()
        except ValueError:
            raise UnreadableError(NOT_HERE) from None
        if kind != "blob":
            raise UnreadableError(_WRONG["tree"])
        budget.take_file(int(size))
        content = self._content.content(int(size))
        if content.startswith(_LFS):
            raise UnreadableError("is a pointer of Git LFS; the revision has no content of the file")
        return content

    def _file(self, path: str) -> str:
        kind, name = self._asked(path)
        if kind != "blob":
            raise UnreadableError(_WRONG.get(kind, "No such file or directory"))
        return name

    def kind(self, path: str) -> str:
        """Return what a path leads to: a blob, a tree, or what is wrong; raises GitError if git does not say."""
        return self._asked(path)[0]

    def _kind(self, path: str) -> str:
        """Return what ``kind`` returns; what git does not say is missing."""
        from netlab.kernel.git import GitError

        try:
            return self.kind(path)
        except GitError:
            self.close()
            return "missing"

    def _asked(self, path: str) -> tuple[str, str]:
        """Return the kind of what a path leads to and its object name. Links in the revision are followed."""
        if "\n" in path:
            # git takes one path in a line.
            return "missing", ""
        if self._check is None:
            self._check = self._git.answers("--batch-check", "--follow-symlinks")
        question = f"{self._commit}:{'' if path == _ROOT else path}"
        answer = self._check.ask(question)
        first, _, rest = answer.partition(" ")
        if first in _WRONG and rest.isdecimal():
            self._check.content(int(rest))
            return first, ""
        kind = rest.partition(" ")[0]
        if kind in _THERE:
            return kind, first
        return "missing", ""

    def close(self) -> None:
        for running in (self._check, self._content):
            if running is not None:
                running.close()
        self._check = self._content = None


_WRONG = {
    "symlink": "is a link to a file outside of the repository",
    "dangling": "is a link to a file that is not in this revision",
    "loop": "is a link to itself",
    "notdir": "Not a directory",
    "tree": "is a folder, not a file",
}
