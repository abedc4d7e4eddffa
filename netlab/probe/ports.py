"""Source ports that no probe of the last minutes had, so that every probe is a new connection to conntrack.

Conntrack keeps a connection (UDP 120 s, ICMP 30 s). A probe with the same addresses and ports would belong to it, and
would pass as "established" where a policy denies it by now. All probes of one attempt share one source port, as they
differ in addresses or destination port. A clock chooses the port, as other processes probe too.
"""

from __future__ import annotations

import threading
import time

ATTEMPTS = 3
# One more than the attempts, for a probe whose destination port is the source port of its attempt.
PER_RUN = ATTEMPTS + 1
_FIRST = 5_000
_RUNS = 14_000
_SECONDS = 0.015

_lock = threading.Lock()
_last = 0


def of_run() -> range:
    """Return the source ports of a new run; another run gets them after 210 s."""
    global _last
    with _lock:
        _last = max(_last + 1, int(time.monotonic() / _SECONDS))
        run = _last % _RUNS
    return range(_FIRST + run * PER_RUN, _FIRST + (run + 1) * PER_RUN)


def of_attempt(ports: range, attempt: int, destination_port: int) -> int:
    """Return the source port of a probe. It differs from the destination port, so that a reply differs from a probe."""
    port = ports[attempt]
    return ports[-1] if port == destination_port else port
