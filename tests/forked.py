"""Commands of netlab, each in a fork of this process, which has imported netlab: most of a command's time is imports.

A command in a fork has a process of its own, standard streams, signal handlers and an end as one that a shell starts.
Start Python anew where a test is about what happens before ``main``: imports, interrupts during them, the interpreter.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import memos
from sizes import HANGS

from netlab import cli

REPOSITORY = Path(__file__).parents[1]
# The packages whose modules most commands import when they are called, and modules there that take long and few need.
_IMPORTED = ("cli", "cluster", "dataplane", "kernel", "lab", "policy", "probe", "report", "ruleset")
_LEFT_OUT = ("netlab.cli.cnis", "netlab.kernel.kube_", "netlab.kernel.linux_pyroute2", "netlab.probe.packet_text")


def run(*arguments: object, text: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of netlab from the repository, and wait for its end."""
    whole = {**os.environ, "COLUMNS": "120", **environment}
    return run_main(cli.main, ["netlab", *map(str, arguments)], text, whole, REPOSITORY)


def run_main(
    main: Callable[[], None], words: list[str], text: str, environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run the main function of a program with its arguments, input, environment and folder, and wait for its end."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write(text.encode())
        given.seek(0)
        with warnings.catch_warnings():
            # Python 3.12 and later warn of threads: those of pytest's workers hold no lock that a command takes.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            for number, stream in enumerate((given, output, errors)):
                os.dup2(stream.fileno(), number)
            _become(main, words, environment, folder)
        code = _wait(pid, words)
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(words, code, output.read().decode(), errors.read().decode())


def import_netlab() -> None:
    """Import what commands import when they are called; each fork would import it again."""
    for name in _IMPORTED:
        package = importlib.import_module(f"netlab.{name}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.startswith(_LEFT_OUT):
                importlib.import_module(module.name)


def _become(main: Callable[[], None], words: list[str], environment: Mapping[str, str], folder: Path) -> NoReturn:
    """In the fork: be a process that runs a main function, and end as Python does."""
    code: object = 70
    try:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115  it stays open until the end, as the next two do
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        # A program that the command starts has the streams only, as below subprocess, which closes all other files.
        for file in map(int, os.listdir("/proc/self/fd")):
            if file > 2:
                with contextlib.suppress(OSError):
                    os.set_inheritable(file, False)
        # What this process leaves to its end is not for the fork to do, and its garbage is not the fork's.
        atexit._clear()
        gc.freeze()
        memos.clear()
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = words
        code = _code_of(main)
        atexit._run_exitfuncs()
    except BaseException:
        code = 1
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        os._exit(code if isinstance(code, int) else 1 if code else 0)


def _code_of(main: Callable[[], None]) -> object:
    try:
        main()
    except SystemExit as ended:
        return ended.code
    return 0


def _wait(pid: int, words: list[str]) -> int:
    """Return the exit code, of a signal a negative one; kill a command that hangs."""
    with open(os.pidfd_open(pid)) as process:
        ended, _, _ = select.select([process], [], [], HANGS)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if not ended:
        raise subprocess.TimeoutExpired(words, HANGS)
    return os.waitstatus_to_exitcode(status)
