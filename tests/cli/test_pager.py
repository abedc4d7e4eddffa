"""Long tables are shown by the user's pager, on a terminal only; the terminal stays sane."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sizes import HANGS

from netlab.kernel import pager

REPOSITORY = Path(__file__).parents[2]
LONG = ("reach", "-f", "examples/shop", "--nodes", "-o", "wide")


class Screen:
    """A terminal of 10 lines with a command of netlab in it."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.shown = ""
        pid, self.fd = pty.fork()
        if pid == 0:
            os.chdir(REPOSITORY)
            kept = {key: value for key, value in os.environ.items() if "PAGER" not in key and "SUDO" not in key}
            own = {"TERM": "xterm", "LINES": "10", "COLUMNS": "200", "NO_COLOR": "1", **environment}
            os.execve(sys.executable, [sys.executable, "-m", "netlab", *arguments], {**kept, **own})  # noqa: S606
        self.pid = pid
        self.settings = termios.tcgetattr(self.fd)

    def until(self, text: str) -> None:
        """Read until a text is on the screen."""
        end = time.monotonic() + HANGS
        while text not in self.shown:
            self.read(1)
            assert time.monotonic() < end, self.shown

    def read(self, seconds: float) -> None:
        """Read what comes, for some seconds at most."""
        if select.select([self.fd], [], [], seconds)[0]:
            self.shown += os.read(self.fd, 65536).decode(errors="replace")

    def type(self, text: str) -> None:
        """Type keys."""
        os.write(self.fd, text.encode())

    def end(self) -> int:
        """Read the rest; return the exit code. The terminal must have its settings of the beginning."""
        settings: list[object] = []
        with contextlib.suppress(OSError):
            while chunk := os.read(self.fd, 65536):
                self.shown += chunk.decode(errors="replace")
        _, status = os.waitpid(self.pid, 0)
        settings = termios.tcgetattr(self.fd)
        assert settings[:4] == self.settings[:4]
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def screen() -> Iterator[type[Screen]]:
    """Make screens, whose commands end with the test."""
    made: list[Screen] = []

    class Own(Screen):
        def __init__(self, *arguments: str, **environment: str) -> None:
            super().__init__(*arguments, **environment)
            made.append(self)

    yield Own
    for one in made:
        with contextlib.suppress(OSError):
            os.close(one.fd)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)


needs_less = pytest.mark.skipif(not os.path.exists("/usr/bin/less"), reason="needs less")


@needs_less
def test_a_long_table_is_shown_page_by_page(screen: type[Screen]) -> None:
    """The first page waits for a key; q ends it, and the command has its own exit code."""
    one = screen(*LONG)
    one.until(":\x1b[K")
    first = one.shown
    one.type("q")

    assert 0 == one.end()
    assert "SOURCE" in first
    assert "pairs:" not in first


@needs_less
def test_ctrl_c_in_the_pager_is_the_pagers(screen: type[Screen]) -> None:
    """The command waits for the pager, which restores the terminal."""
    one = screen(*LONG)
    one.until(":\x1b[K")
    one.type("\x03")
    # less drops keys that come while it handles an interrupt.
    while "pairs:" not in one.shown:
        one.type("G")
        one.read(0.3)
    one.type("q")

    assert 0 == one.end()
    assert "Traceback" not in one.shown


@pytest.mark.parametrize(
    ("before", "environment"),
    [
        ([], {"LINES": "200"}),
        (["--no-pager"], {}),
    ],
    ids=str,
)
def test_text_is_printed_at_once(screen: type[Screen], before: list[str], environment: dict[str, str]) -> None:
    """Where the user wants no pager, or one screen is enough."""
    one = screen(*before, *LONG, **environment)

    assert 0 == one.end()
    assert "pairs:" in one.shown


@pytest.mark.parametrize(
    "environment",
    [{"PAGER": "cat"}, {"NETLAB_PAGER": "", "PAGER": "less"}, {"TERM": "dumb"}, {"PAGER": "'"}, {"PAGER": "no-such"}],
    ids=str,
)
def test_no_pager(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    """An empty value, ``cat``, a terminal that cannot move its cursor, or a program that is not there."""
    monkeypatch.setattr("netlab.kernel.sudo_user.elevated", lambda: False)
    monkeypatch.delenv("NETLAB_PAGER", raising=False)
    for name, value in {"TERM": "xterm", **environment}.items():
        monkeypatch.setenv(name, value)

    assert [] == pager.command()


def test_the_users_pager_gets_the_text(screen: type[Screen], tmp_path: Path) -> None:
    """NETLAB_PAGER before PAGER, split into words, without a shell."""
    file = tmp_path / "a b"
    one = screen(*LONG, NETLAB_PAGER=f"tee '{file}'", PAGER="false")

    assert 0 == one.end()
    assert "pairs:" in file.read_text().splitlines()[-1]


def test_an_environment_of_another_user_chooses_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under sudo: the system's less, without its commands, and nothing that less reads from the environment."""
    for name in ("NETLAB_PAGER", "PAGER"):
        monkeypatch.setenv(name, "/tmp/evil --now")  # noqa: S108
    monkeypatch.setenv("TERM", "xterm")
    for name in ("LESSOPEN", "LESSEDIT", "LESSKEYIN", "EDITOR", "LD_PRELOAD", "LESS"):
        monkeypatch.setenv(name, "evil")
    monkeypatch.setattr("netlab.kernel.sudo_user.elevated", lambda: True)

    assert pager.command() in ([], ["/usr/bin/less"], ["/bin/less"])
    found = pager.environment()
    assert ("1", "FRX") == (found.pop("LESSSECURE"), found.pop("LESS"))
    assert {*found} <= {"TERM", "LANG", "LC_ALL", "LC_CTYPE", "LINES", "COLUMNS"}


def test_roots_less_has_no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own environment chooses the pager."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("PAGER", "tail -n 3")
    monkeypatch.delenv("NETLAB_PAGER", raising=False)
    monkeypatch.setattr("netlab.kernel.sudo_user.elevated", lambda: False)
    monkeypatch.setattr("os.geteuid", lambda: 0)

    assert ["tail", "-n", "3"] == [os.path.basename(pager.command()[0]), *pager.command()[1:]]
    assert "1" == pager.environment()["LESSSECURE"]
