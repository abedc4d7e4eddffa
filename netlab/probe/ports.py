"""Source ports that no probe of the last minutes had, so that every probe is a new connection to conntrack.

Conntrack keeps a connection (UDP 120 s, ICMP 30 s). A probe with the same addresses and ports would belong to it, and
would pass as "established" where a policy denies it by now. All probes of one attempt share one source port, as they
differ in addresses or destination port. A clock chooses the port, as other processes probe too.

For probes through a Service, the source port decides which endpoint a node chooses. So a run in a lab with Services has
more ports, and a probe to an endpoint has a port that leads to it (``netlab.probe.service_ports``).
"""

from __future__ import annotations

import threading
import time
from math import ceil

ATTEMPTS = 3
# One more than the attempts, for a probe whose destination port is the source port of its attempt.
PER_RUN = ATTEMPTS + 1
_FIRST = 5_000
_RUNS = 14_000
_SECONDS = 0.015

_lock = threading.Lock()
_last = 0


def of_run(more: int = 0) -> range:
    """Return the source ports of a new run, with at least ``more`` further ones; another run gets them after 210 s."""
    global _last
    with _lock:
        found, following = from_place(max(_last + 1, int(time.monotonic() / _SECONDS)), more)
        _last = following - 1
    return found


def from_place(first: int, more: int = 0) -> tuple[range, int]:
    """Return the source ports of a run that begin at a place or after it, and the place that follows them.

    Places are numbers without end; their ports repeat after all ports were used.
    """
    places = 1 + ceil(more / PER_RUN)
    if first % _RUNS + places > _RUNS:
        first += -first % _RUNS
    run = first % _RUNS
    return range(_FIRST + run * PER_RUN, _FIRST + (run + places) * PER_RUN), first + places


def of_attempt(ports: range, attempt: int, destination_port: int) -> int:
    """Return the source port of a probe. It differs from the destination port, so that a reply differs from a probe."""
    port = ports[attempt]
    return ports[PER_RUN - 1] if port == destination_port else port
