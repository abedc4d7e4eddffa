"""The program that ``kubectl exec`` starts: a program of the host, inside a pod's network namespace.

It is confined as a program that a scenario names: user nobody, no capability, apart from the host's processes and
sockets. Exit codes are those of shells: 126 and 127 for a program that cannot be run or is missing.
"""

from __future__ import annotations

import os
import signal
import sys

from netlab.errors import NetlabError, UsageError, printable
from netlab.kernel import attached, sudo_user
from netlab.lab.lab import Lab

_CANNOT_RUN, _MISSING = 126, 127


def main() -> None:
    """Replace this process by the program: the arguments are the lab, the pod and the program's own."""
    lab, ref, *argv = sys.argv[1:]
    attached.take_terminal()
    # The program has processes above it, which keep it apart. All get the SIGTERM of a pod that ends, and they wait for
    # the program. It has no such handler, as execve(2) resets them.
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    try:
        running = Lab.open(lab)
        running.execute(running.locate(ref), argv, sudo_user.confined())
    except NetlabError as error:
        os.write(2, f"{printable(str(error))}\n".encode())
        os._exit(_MISSING if isinstance(error, UsageError) and "no such program" in str(error) else _CANNOT_RUN)


if __name__ == "__main__":
    main()
