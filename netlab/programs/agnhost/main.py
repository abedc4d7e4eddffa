"""The command ``agnhost``: it runs a subcommand."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module

from netlab.programs.agnhost.flags import UsageError

# Each subcommand's module and function, imported when it is asked for.
SUBCOMMANDS = {
    "connect": ("connect", "main"),
    "dns-server-list": ("small", "dns_server_list"),
    "dns-suffix": ("small", "dns_suffix"),
    "entrypoint-tester": ("small", "entrypoint_tester"),
    "etc-hosts": ("small", "etc_hosts"),
    "logs-generator": ("small", "logs_generator"),
    "netexec": ("netexec", "main"),
    "pause": ("small", "pause"),
    "porter": ("porter", "main"),
    "serve-hostname": ("serve_hostname", "main"),
    "test-webserver": ("web_server", "main"),
}
_HANDLE_SIGNALS = ("netexec", "pause", "porter", "serve-hostname", "test-webserver")


def main(argv: Sequence[str]) -> int:
    """Run a subcommand; ``argv`` begins with the program's name. Return the exit code."""
    words = list(argv[1:])
    if words in ([], ["--help"], ["-h"], ["help"]):
        names = "".join(f"  {name}\n" for name in SUBCOMMANDS)
        sys.stdout.write(f"netlab's stand-in for agnhost has these commands:\n\n{names}")
        sys.stdout.flush()
        return 0
    if words[0] not in SUBCOMMANDS:
        sys.stderr.write(f'Error: unknown command "{words[0]}" for "app" (netlab has a stand-in for agnhost)\n')
        return 1
    if words[0] not in _HANDLE_SIGNALS:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    module, function = SUBCOMMANDS[words[0]]
    try:
        return int(getattr(import_module(f"netlab.programs.agnhost.{module}"), function)(words[1:]))
    except UsageError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1


def load() -> None:
    """Import all that any subcommand needs, also what Python imports at the first use."""
    import encodings.idna
    import stringprep

    assert encodings.idna
    assert stringprep
    for module in dict.fromkeys(module for module, _ in SUBCOMMANDS.values()):
        import_module(f"netlab.programs.agnhost.{module}")
