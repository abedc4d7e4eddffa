"""A program with a master process and worker processes, as nginx is: made to read its configuration again."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from netlab.kernel import daemons, processes

# Seconds. nginx waits 0.1 s between the start of new workers and the end of old ones.
_LONGEST, _PAUSE = 10.0, 0.02
_WORKER = "nginx: worker process"


def reload(folder: Path) -> bool:
    """Send SIGHUP to the nginx of a folder; return whether new workers, and no old ones, accept connections.

    Old workers serve the connections that they have until those end. nginx writes in each worker's title whether it
    accepts connections (ngx_setproctitle in ngx_worker_process_cycle).
    """
    master = daemons.running(folder)
    if master is None:
        return False
    before = _workers(master)
    if not daemons.send(folder, signal.SIGHUP):
        return False
    until = time.monotonic() + _LONGEST
    while time.monotonic() < until:
        now = _workers(master)
        if now and not now & before:
            return True
        time.sleep(_PAUSE)
    return False


def _workers(master: int) -> set[tuple[int, str]]:
    """Return the id and the start time of each worker that accepts connections."""
    return {(pid, processes.started(pid)) for pid in processes.children(master) if _title(pid) == _WORKER}


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ").decode(errors="replace")
    except OSError:
        return ""
