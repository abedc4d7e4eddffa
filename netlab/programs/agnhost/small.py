"""The subcommands of agnhost that print something, or wait."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from netlab.programs.agnhost import flags
from netlab.programs.agnhost.sockets import put

_RESOLV, _HOSTS = Path("/etc/resolv.conf"), Path("/etc/hosts")
_CODES = {signal.SIGINT: 1, signal.SIGTERM: 2}
_NAMES = {signal.SIGINT: "interrupt", signal.SIGTERM: "terminated"}


def pause(words: Sequence[str]) -> int:
    """Wait for SIGINT or SIGTERM."""
    flags.parse(words, {})
    number = _wait()
    put(f'exiting because of signal "{_NAMES[number]}"\n')
    return _CODES[number]


def _wait() -> signal.Signals:
    # The first process of a namespace does not get a signal that it neither handles nor blocks.
    signal.pthread_sigmask(signal.SIG_BLOCK, _CODES)
    put("Paused\nSignals registered\n")
    return signal.Signals(signal.sigwait(_CODES))


def dns_suffix(words: Sequence[str]) -> int:
    """Print the search domains."""
    flags.parse(words, {})
    return _print_list("search")


def dns_server_list(words: Sequence[str]) -> int:
    """Print the addresses of the first line with a server."""
    flags.parse(words, {})
    return _print_list("nameserver")


def _print_list(word: str) -> int:
    for line in _RESOLV.read_text().splitlines():
        if line.startswith(word):
            put(f"{','.join(line.split(' ')[1:])}\n")
            return 0
    sys.stderr.write("panic: Could not find DNS search list!\n")
    return 2


def etc_hosts(words: Sequence[str]) -> int:
    """Print the file of hosts."""
    flags.parse(words, {})
    put(f"{_HOSTS.read_text()}\n")
    return 0


def entrypoint_tester(words: Sequence[str]) -> int:
    """Print the arguments."""
    put(f"[{' '.join(('/agnhost', 'entrypoint-tester', *words))}]\n")
    return 0


def logs_generator(words: Sequence[str]) -> int:
    """Print lines that look like those of a server."""
    known = {"log-lines-total": 0, "run-duration": 0.0}
    found, _ = flags.parse([word.replace("-t=", "--log-lines-total=") for word in words], known)
    total, seconds = found["log-lines-total"], found["run-duration"]
    if total <= 0 or seconds <= 0:
        sys.stderr.write("Invalid total number of lines or duration\n")
        return 1
    verbs, started = ("GET", "POST", "PUT"), time.monotonic()
    for number in range(total):
        now = datetime.now(UTC).strftime("%m%d %H:%M:%S.%f")
        space = ("kube-system", "default", "ns")[number % 3]
        path = f"/api/v1/namespaces/{space}/pods/{number:x}"
        status = 200 + number % 400
        put(f"I{now} {os.getpid():7} logs_generator.go:76] {number} {verbs[number % 3]} {path} {status}\n")
        time.sleep(max(0.0, started + seconds * (number + 1) / total - time.monotonic()))
    return 0
