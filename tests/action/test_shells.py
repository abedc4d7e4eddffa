"""Completion in real shells, and the manual pages in real formatters."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted((REPOSITORY / "man").glob("*.1"))


def needs(*programs: str) -> pytest.MarkDecorator:
    lacking = [name for name in programs if shutil.which(name) is None]
    return pytest.mark.skipif(bool(lacking), reason=f"needs {', '.join(lacking)}")


def typed(*words: str, lines: str) -> str:
    """Type lines into an interactive shell on a terminal; return what it shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.environ.update(TERM="dumb", HOME="/nonexistent", COLUMNS="200")
        os.execvp(words[0], words)  # noqa: S606
    shown = b""
    os.write(terminal, lines.encode())
    try:
        while b"THE-END" not in shown.replace(b"echo THE-", b""):
            shown += os.read(terminal, 65536)
    except OSError:
        pass
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    return shown.decode(errors="replace")


@needs("bash")
def test_bash_completes_on_a_terminal() -> None:
    """The line of the documentation, then Tab."""
    shown = typed(
        *("bash", "--norc"),
        lines='eval "$(netlab completion bash)"\nnetlab get netw\t\n echo THE-""END\nexit\n',
    )

    assert "get networkpolicies" in shown


@needs("bash")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("netlab veri", ["verify"]),
        ("netlab explain -f examples/shop shop/a", ["shop/api", "shop/api-0"]),
        ("netlab explain -f examples/shop node:n", ["node-1"]),
    ],
)
def test_bash_offers(line: str, offered: list[str]) -> None:
    """bash divides the line, and calls the function that the script defines."""
    words = re.split(r"(:)|\s+", line)
    quoted = " ".join(f"'{word}'" for word in words if word)
    script = (
        f'eval "$(netlab completion bash)"; COMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1));'
        '_netlab_completion netlab; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=REPOSITORY, capture_output=True, text=True, timeout=60, check=False
    )

    assert offered == done.stdout.split(), done.stderr


@needs("zsh")
def test_zsh_completes_on_a_terminal() -> None:
    """After compinit, as ~/.zshrc has it."""
    start = 'autoload -Uz compinit; compinit -u -D; eval "$(netlab completion zsh)"\n'

    shown = typed("zsh", "-f", "-i", lines=f'{start}netlab get netw\t\n echo THE-""END\nexit\n')

    assert "networkpolicies" in shown


@needs("fish")
@pytest.mark.parametrize(
    ("line", "offered"),
    [("netlab veri", ["verify"]), ("netlab explain -f examples/shop shop/a", ["shop/api", "shop/api-0"])],
)
def test_fish_offers(tmp_path: Path, line: str, offered: list[str]) -> None:
    """`complete -C` prints what Tab would show."""
    script = f'netlab completion fish | source; complete -C "{line}"'
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert offered == [one.partition("\t")[0] for one in done.stdout.splitlines()], done.stderr


@needs("mandoc")
def test_mandoc_finds_nothing_in_the_pages() -> None:
    """They have no date, as the same help gives the same page on every day."""
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *PAGES], capture_output=True, text=True, timeout=60, check=False
    )

    assert [] == [line for line in done.stdout.splitlines() if "missing date" not in line]


@needs("man")
def test_man_formats_the_pages_without_a_warning() -> None:
    """As a reader's terminal gets them."""
    for page in PAGES:
        done = subprocess.run(
            ["man", "--warnings", "--local-file", page],
            env={**os.environ, "MANWIDTH": "80", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (0, "") == (done.returncode, done.stderr)
        assert "SYNOPSIS" in re.sub(r"\x1b\[[\d;]*m|.\x08", "", done.stdout)


@needs("shellcheck")
def test_shellcheck_finds_nothing_in_the_action() -> None:
    """The scripts of the action and of its tests, and the file of functions that they read."""
    scripts = ["scripts/action/install", "scripts/test-action", "scripts/debian-packages"]
    command = ["shellcheck", *scripts]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=REPOSITORY)

    assert "" == done.stdout
