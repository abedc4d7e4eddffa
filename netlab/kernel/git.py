"""The ``git`` program, asked for objects of a repository. Only this module knows its arguments, variables and messages.

A repository may be a stranger's, and netlab may run as root. So:

- Only commands run that read objects: ``rev-parse``, ``ls-tree``, ``cat-file``. These run no hook, filter or pager and
  read no index, so no file system monitor. What they could run is switched off by option, which a repository's own
  configuration cannot override.
- Nothing is fetched. In a partial clone, git would fetch a missing object by commands that the repository configures.
- Under sudo, git runs as the user who called sudo. It then reads what that user may read.
- git refuses a repository of another user by itself, unless its user says that the repository is safe. The user's and
  the system's configuration are read for that; no variable of the environment is.

Source: git(1), git-config(1) and gitsecurityboundary(7).
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from netlab.errors import HostError, way_out
from netlab.kernel import sudo_user

SECONDS = 60.0
"""How long a command, or one answer of a command that goes on, may take."""
# Bytes: a listing of MOST_ENTRIES files with long names.
_MOST_LISTED = 128 << 20
_MOST_ERRORS = 8 << 10
_CHUNK = 1 << 16
_SYSTEM = "/usr/local/bin:/usr/bin:/bin"
MISSING = HostError("no git program on this host", "install it, for example: sudo apt-get install git")
# Where git finds its user's configuration.
_KEPT = ("HOME", "PATH", "XDG_CONFIG_HOME")
_VARIABLES = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_TRACE2": "0",
    "GIT_TRACE2_EVENT": "0",
    "GIT_TRACE2_PERF": "0",
    "LC_ALL": "C",
}
# A bare repository inside of a work tree may be a part of a stranger's commit.
_SETTINGS = (
    "core.alternateRefsCommand=",
    "core.askPass=",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.sshCommand=false",
    "core.untrackedCache=false",
    "credential.helper=",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "safe.bareRepository=explicit",
    "submodule.recurse=false",
)
NOT_HERE = "is not in this clone of the repository, which is a partial one: git fetch it, or read a checkout"
_DUBIOUS = re.compile(r"dubious ownership in repository at '([^'\n]*)'")


class GitError(Exception):
    """git refused a command; the message is its reason, in one line."""


class NoRepositoryError(GitError):
    """A folder is in no git repository."""


def program() -> str:
    """Return the path of ``git``; raises HostError if there is none.

    Under sudo only the system's directories are searched, else PATH.
    """
    found = shutil.which("git", path=_SYSTEM if sudo_user.elevated() else None)
    if found is None:
        raise MISSING
    return found


class Git:
    """Questions about the repository that a folder is in."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def inside(self) -> str:
        """Return the path of the folder in the repository, with a slash at the end; "" for the repository's root.

        Raises:
          NoRepositoryError: if the folder is in no repository.
          GitError: if git refuses the repository.
        """
        return os.fsdecode(self._ask("rev-parse", "--show-prefix").rstrip(b"\n"))

    def commit(self, revision: str) -> str:
        """Return the object name of the commit that a revision stands for; raises GitError if there is none."""
        if revision.startswith("-") or not revision.isprintable():
            raise GitError("not a revision")
        return self._ask("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()

    def is_shallow(self) -> bool:
        """Say whether the repository lacks old commits, as a clone with a depth does."""
        return self._ask("rev-parse", "--is-shallow-repository").strip() == b"true"

    def files(self, tree: str, most: int) -> Iterator[tuple[str, str, str]]:
        """Yield mode, object name and path of each file below a tree, in the order of bytes: one more than ``most``.

        Raises:
          GitError: if git cannot list it.
        """
        # Without sizes: in a partial clone, git may not have what it would measure.
        for entry in self._ask("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0", most + 1)[: most + 1]:
            if entry:
                facts, _, path = entry.partition(b"\t")
                mode, _, name = facts.decode().split()
                yield mode, name, os.fsdecode(path)

    def answers(self, *options: str) -> Answers:
        """Start ``cat-file``, which answers questions about objects."""
        return Answers(_Running(self._folder, ("cat-file", *options), subprocess.PIPE))

    def _ask(self, *arguments: str) -> bytes:
        with _Running(self._folder, arguments, subprocess.DEVNULL) as running:
            parts, size = [], 0
            while chunk := running.read():
                parts.append(chunk)
                size += len(chunk)
                if size > _MOST_LISTED:
                    raise GitError("git lists too much")
            if not running.succeeded():
                raise running.error()
        return b"".join(parts)


class Answers:
    """A running ``cat-file --batch`` or ``--batch-check``: it takes a line and answers, until it is closed."""

    def __init__(self, running: _Running) -> None:
        self._running = running
        self._left = b""

    def ask(self, question: str) -> str:
        """Send a question, and return the first line of its answer; raises GitError if git ended or does not answer."""
        if "\n" in question:
            raise GitError("not a file name that git can be asked for")
        self._running.write(os.fsencode(question) + b"\n")
        while b"\n" not in self._left:
            self._more()
        line, _, self._left = self._left.partition(b"\n")
        return os.fsdecode(line)

    def content(self, size: int) -> bytes:
        """Return the content of a number of bytes that follows a line, without the newline after it."""
        parts, have = [self._left], len(self._left)
        while have <= size:
            self._left = b""
            self._more()
            parts.append(self._left)
            have += len(self._left)
        whole = b"".join(parts)
        self._left = whole[size + 1 :]
        return whole[:size]

    def _more(self) -> None:
        chunk = self._running.read()
        if not chunk:
            raise self._running.error()
        self._left += chunk

    def close(self) -> None:
        """End the program."""
        self._running.close()


class _Running:
    """A running git. Leaving its block ends it."""

    def __init__(self, folder: str, arguments: Sequence[str], stdin: int) -> None:
        settings = [word for one in _SETTINGS for word in ("-c", one)]
        words = [program(), "--no-pager", "--literal-pathspecs", *settings, "-C", folder, *arguments]
        user = sudo_user.caller() if sudo_user.elevated() else None
        ids: dict[str, Any] = {}
        if user is not None:
            ids = {"user": user.uid, "group": user.gid, "extra_groups": [*user.groups]}
        # A file, not a pipe: nothing reads it while git runs.
        self._errors = open(os.memfd_create("errors"), "w+b", buffering=0)  # noqa: SIM115  # close() closes it
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                words, stdin=stdin, stdout=subprocess.PIPE, stderr=self._errors, env=_environment(user), **ids
            )
        except OSError as error:
            self._errors.close()
            fix = way_out(error.errno) or "see that git works: git version"
            raise HostError(f"cannot run {words[0]}: {error.strerror}", fix) from error

    def write(self, text: bytes) -> None:
        """Write to git; raises GitError if it ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text)
            self._process.stdin.flush()
        except OSError:
            raise self.error() from None

    def read(self) -> bytes:
        """Return some bytes that git prints, b"" at their end; raises GitError if none come in time."""
        assert self._process.stdout is not None
        waiting = select.poll()
        waiting.register(self._process.stdout, select.POLLIN)
        if not waiting.poll(SECONDS * 1000):
            raise GitError(f"git did not answer in {SECONDS:g} seconds")
        return os.read(self._process.stdout.fileno(), _CHUNK)

    def succeeded(self) -> bool:
        """Wait for git's end, and say whether it did what it was asked for."""
        try:
            return self._process.wait(SECONDS) == 0
        except subprocess.TimeoutExpired:
            return False

    def error(self) -> GitError:
        """Return what git says is wrong."""
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        return _error(self._errors.read(_MOST_ERRORS).decode(errors="replace"))

    def close(self) -> None:
        """End git."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        self._process.wait()

    def __enter__(self) -> _Running:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _environment(user: sudo_user.User | None) -> dict[str, str]:
    if user is not None:
        return {**_VARIABLES, **user.environment, "PATH": _SYSTEM}
    kept = {} if sudo_user.elevated() else {key: os.environ[key] for key in _KEPT if key in os.environ}
    return {"HOME": os.devnull, "PATH": _SYSTEM, **kept, **_VARIABLES}


def _error(text: str) -> GitError:
    """Return the error for what git prints. Its messages are English, as LC_ALL says."""
    if "not a git repository" in text:
        return NoRepositoryError("in no git repository")
    if found := _DUBIOUS.search(text):
        folder = shlex.quote(found[1])
        return GitError(
            f"git does not read {folder}, which belongs to another user; if you trust it:"
            f" git config --global --add safe.directory {folder}"
        )
    if "promisor remote" in text:
        return GitError(NOT_HERE)
    line = next((line for line in text.splitlines() if line.startswith(("fatal: ", "error: "))), "")
    return GitError(line.partition(": ")[2] or "git ended without an answer")
