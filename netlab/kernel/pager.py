"""Shows long text page by page with a program of the user, as git does.

``NETLAB_PAGER``, else ``PAGER``, else ``less``. The value is split into words as a shell does, and runs without a
shell. An empty value, or ``cat``, is no pager.

A pager starts programs on a key. If another user ran netlab as root, as by sudo, the environment may be that user's, so
it chooses no program: the system's ``less`` runs, without its commands (``LESSSECURE``), and as that user.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator

from netlab.errors import UsageError
from netlab.kernel import sudo_user

_SYSTEM = "/usr/bin:/bin"
# As git has it: quit if one page is enough, keep colours, leave the text on the screen.
_LESS = "FRX"
# What a pager of another user gets of the environment.
_KEPT = ("TERM", "LANG", "LC_ALL", "LC_CTYPE", "LINES", "COLUMNS")
_SECONDS = 5


def command() -> list[str]:
    """Return the words of the pager's command, none if there is no pager."""
    elevated = sudo_user.elevated()
    if elevated:
        try:
            sudo_user.caller()
        except UsageError:
            return []
    text = "less" if elevated else os.environ.get("NETLAB_PAGER", os.environ.get("PAGER", "less"))
    try:
        words = shlex.split(text)
    except ValueError:
        return []
    if not words or words == ["cat"] or os.environ.get("TERM", "dumb") == "dumb":
        return []
    found = shutil.which(words[0], path=_SYSTEM if elevated else None)
    return [found, *words[1:]] if found is not None else []


def environment() -> dict[str, str]:
    """Return the environment of the pager; root's less has none of its commands that run programs or write files."""
    elevated = sudo_user.elevated()
    found = {key: value for key, value in os.environ.items() if not elevated or key in _KEPT}
    found.setdefault("LESS", _LESS)
    if elevated or os.geteuid() == 0:
        found["LESSSECURE"] = "1"
    return found


@contextlib.contextmanager
def paging(words: list[str]) -> Iterator[Callable[[str], None]]:
    """Run a pager during a block, which gets a function that writes text to it; return when the user ends it.

    Ctrl-C is the pager's. If it comes while the block writes, the block ends with KeyboardInterrupt, and the terminal
    is the pager's until the user ends it.

    Raises:
      OSError: if the pager cannot be started.
      UsageError: if the environment names no user of this host as the caller of sudo.
      BrokenPipeError: if the user ended it before all was written.
    """
    user = sudo_user.caller() if sudo_user.elevated() else None
    ids = {"user": user.uid, "group": user.gid, "extra_groups": [*user.groups]} if user is not None else {}
    process = subprocess.Popen(words, stdin=subprocess.PIPE, env=environment(), **ids)  # type: ignore[call-overload]
    pipe = process.stdin

    def write(text: str) -> None:
        pipe.write(text.encode(errors="backslashreplace"))
        pipe.flush()

    try:
        yield write
    except SystemExit:
        # A signal ends this command. less restores the terminal when it gets it too.
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SECONDS)
        raise
    finally:
        _finish(process)


def _finish(process: subprocess.Popen[bytes]) -> None:
    """Close the pager's input and wait for its end, whatever interrupts that: it has the terminal."""
    while process.poll() is None:
        with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            process.wait()
