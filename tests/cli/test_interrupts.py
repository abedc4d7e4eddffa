"""An interrupt at any moment ends a command with one line and exit code 130."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
ENTRIES = {
    "console script": "from netlab.cli import main; sys.exit(main())",
    "python -m": "import runpy; runpy.run_module('netlab', run_name='__main__')",
}


def run(entry: str, before: str) -> subprocess.CompletedProcess[str]:
    """Run ``netlab check`` in a process that does something else first."""
    return subprocess.run(
        [sys.executable, "-c", f"{before}\n{ENTRIES[entry]}", "check", "-f", "examples/shop"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        timeout=60,
    )


def interrupted_at(module: str) -> str:
    """A program that is interrupted when it comes to the import of a module."""
    return f"""
import os, signal, sys

class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupted())"""


@pytest.mark.parametrize(
    "module",
    [
        "netlab.cli.streams",
        "netlab.cli.later",
        "netlab.cli.failures",
        "click",
        "netlab.cli.commands.check",
        "netlab.objects.load",
    ],
)
@pytest.mark.parametrize("entry", ENTRIES)
def test_an_interrupt_while_modules_are_imported(entry: str, module: str) -> None:
    """There is no traceback."""
    done = run(entry, interrupted_at(module))

    assert (130, "", "\ninterrupted\n") == (done.returncode, done.stdout, done.stderr)


def test_almost_nothing_is_imported_before_interrupts_are_handled() -> None:
    """Until then an interrupt prints Python's traceback. Python itself imports os, the console script re."""
    program = """
import os, re, sys
before = set(sys.modules)
from netlab.cli import main
print(*sorted(set(sys.modules) - before))"""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert {"netlab", "netlab.cli"} == {*done.stdout.split()} - {"__future__"}


def test_an_interrupt_with_standard_error_closed() -> None:
    """It comes before the streams are prepared. The exit code is the same, and nothing is printed elsewhere."""
    done = run("console script", f"import sys; sys.stderr = None{interrupted_at('netlab.cli.streams')}")

    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)


def test_an_interrupt_inside_an_import_callback() -> None:
    """Python prints an exception in a callback of importlib and goes on; the command must end."""
    hook = """
import os, signal, sys, weakref

class Thing: pass

class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "click":
            thing = Thing()
            reference = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
            del thing

sys.meta_path.insert(0, Interrupted())"""
    done = run("console script", hook)

    assert (130, "", "\ninterrupted\n") == (done.returncode, done.stdout, done.stderr)


def test_ignored_interrupts_stay_ignored() -> None:
    """Ctrl-C is not for a job that the shell runs in the background."""
    ignored = "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    done = run("console script", ignored + interrupted_at("click"))

    assert 0 == done.returncode


def test_an_interrupt_while_a_dataclass_is_made(tmp_path: Path) -> None:
    """Python takes an interrupt inside exec() for unhandled, and ``python -m`` would end by the signal."""
    hook = """
import sys

class Interrupted:
    def find_spec(self, name, path, target=None):
        if name == "netlab.objects.load":
            exec("raise KeyboardInterrupt")

sys.meta_path.insert(0, Interrupted())"""
    (tmp_path / "sitecustomize.py").write_text(hook)
    done = subprocess.run(
        [sys.executable, "-m", "netlab", "check", "-f", "examples/shop"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"},
        timeout=60,
    )

    assert (130, "\ninterrupted\n") == (done.returncode, done.stderr)


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_interrupt_after_the_last_output(entry: str) -> None:
    """The command is done, so its exit code stays."""
    undisturbed = run(entry, "import sys")
    done = run(entry, "import atexit, os, signal, sys\natexit.register(os.kill, os.getpid(), signal.SIGINT)")

    assert 0 == undisturbed.returncode
    assert (0, undisturbed.stdout, undisturbed.stderr) == (done.returncode, done.stdout, done.stderr)
