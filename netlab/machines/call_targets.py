"""What an agent does for a call, by name: functions that read descriptor 0, write 1 and 2, and raise what went wrong.

Each runs in a process of its own with one thread.
"""

from __future__ import annotations

from collections.abc import Callable

from netlab.machines import packet_targets, program_targets
from netlab.machines.call_request import Request, write_json
from netlab.store.etcd_client import EtcdClient


def probe(request: Request) -> None:
    """Take part in probing: ``run`` names the run."""
    from netlab.machines.probing import participate

    run = request.text("run")
    with request.opened() as lab:
        participate(EtcdClient(request.settings), lab, request.machine, run)


def drift(request: Request) -> None:
    """Write the differences between the kernel and the lab's state, as a list of lines."""
    with request.opened() as lab:
        write_json(lab.drift())


TARGETS: dict[str, Callable[[Request], None]] = {
    "capture": packet_targets.capture,
    "drift": drift,
    "exec": program_targets.execute,
    "facts": packet_targets.facts,
    "listen": program_targets.listen,
    "monitor": packet_targets.monitor,
    "names": program_targets.names,
    "probe": probe,
    "run": program_targets.run,
    "send": packet_targets.send,
}
