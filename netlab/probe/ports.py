"""Source ports that no probe of the last minutes had, so that every probe is a new connection to conntrack.

A probe that repeats the addresses and ports of an earlier one is taken for part of it as long as conntrack remembers
(UDP 120 s, ICMP 30 s), and passes as "established" where a policy denies it by now. All probes of one attempt share one
source port, as they differ in addresses or destination port. A clock chooses it, as other processes probe too.
"""

from __future__ import annotations

import threading
import time

ATTEMPTS = 3
# A port more than there are attempts: for a probe whose destination port is its attempt's source port.
PER_RUN = ATTEMPTS + 1
_FIRST = 5_000
_RUNS = 14_000
_SECONDS = 0.015

_lock = threading.Lock()
_last = 0


def of_run() -> range:
    """Return the source ports of a new run; they come again after 210 s."""
    global _last
    with _lock:
        _last = max(_last + 1, int(time.monotonic() / _SECONDS))
        run = _last % _RUNS
    return range(_FIRST + run * PER_RUN, _FIRST + (run + 1) * PER_RUN)


def of_attempt(ports: range, attempt: int, destination_port: int) -> int:
    """Return the source port of a probe, never its destination port: the two tell a reply from a probe."""
    port = ports[attempt]
    return ports[-1] if port == destination_port else port
