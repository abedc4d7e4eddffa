"""What an agent does for a call: functions that read descriptor 0, write 1 and 2, and raise what went wrong.

Each runs in a process of its own with one thread. The arguments are a stranger's: a target checks each.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from netlab.errors import UsageError
from netlab.frozen import frozen
from netlab.lab.lab import Lab
from netlab.store.etcd_client import EtcdClient
from netlab.store.etcd_settings import EtcdSettings


@frozen
class Request:
    """What a call asks for.

    Args:
      what: the name of the target.
      lab: the lab.
      arguments: the target's arguments.
      machine: the name of this machine.
      policy: which programs this machine runs: ``nobody``, ``any`` or ``none``.
      settings: how etcd is reached.
    """

    what: str
    lab: str
    arguments: Mapping[str, Any]
    machine: str
    policy: str
    settings: EtcdSettings

    def text(self, name: str, default: str | None = None) -> str:
        """Return an argument that is a text; raises UsageError."""
        value = self.arguments.get(name, default)
        if not isinstance(value, str) or "\0" in value:
            raise UsageError(f"a call of {self.what}: {name} is no text")
        return value

    def texts(self, name: str) -> list[str]:
        """Return an argument that is a list of texts; raises UsageError."""
        value = self.arguments.get(name)
        if not isinstance(value, list) or not all(isinstance(one, str) and "\0" not in one for one in value):
            raise UsageError(f"a call of {self.what}: {name} is no list of texts")
        return value

    def opened(self) -> Lab:
        """Return this machine's part of the lab; raises UsageError where it has none."""
        return Lab.open(self.lab)


def _print(value: object) -> None:
    sys.stdout.write(json.dumps(value))
    sys.stdout.flush()


def probe(request: Request) -> None:
    """Take part in probing: ``run`` names the run."""
    participate = importlib.import_module("netlab.machines.probing").participate
    run = request.text("run")
    with request.opened() as lab:
        participate(EtcdClient(request.settings), lab, request.machine, run)


def drift(request: Request) -> None:
    """Print the differences between the kernel and the lab's state."""
    with request.opened() as lab:
        _print(lab.drift())


TARGETS: Mapping[str, Callable[[Request], None]] = {
    "drift": drift,
    "probe": probe,
}
