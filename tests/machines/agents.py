"""Agents on the machines of a test, and the etcd that joins them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from etcd_members import Member
from machines.bed import Machines, inside, programs_of
from sizes import HANGS

from netlab.store.etcd_client import EtcdClient, b64, below, plain, revision_of
from netlab.store.etcd_settings import settings

# Seconds after which a machine that died counts as away: short, as tests wait for it. An emulated processor is slow.
LEASE = 40 if os.environ.get("NETLAB_VM") else 4


class Agents:
    """The agents of machines; the machines' commands of netlab use the same etcd.

    Args:
      on: the machines.
      folder: where etcd has its data, and agents their output.
      members: the number of members of etcd.
      more: further options of etcd.
      tls: the files with which the tests reach an etcd that has certificates (``ca``, ``cert``, ``key``).
    """

    def __init__(self, on: Machines, folder: Path, members: int = 1, more: Sequence[str] = (), **tls: Any) -> None:
        self.on, self._folder = on, folder
        self.members: list[Member] = on.etcd(folder, members, more, "https" if tls else "http")
        self._tls = tls
        self.url = ",".join(one.url for one in self.members)
        self._running: dict[str, subprocess.Popen[str]] = {}
        for machine in on:
            machine.environment |= {"NETLAB_ETCD": self.url, "NETLAB_ETCD_LEASE": str(LEASE)}

    # --- agents -------------------------------------------------------------------------------------------------

    def start(self, *names: str, wait: bool = True, options: Sequence[str] = ()) -> None:
        """Start the agents of machines, by default of all; return when they are registered."""
        names = names or tuple(one.name for one in self.on)
        for name in names:
            # The variable has the etcd.
            argv = [sys.executable, "-m", "netlab", "agent", "--machine", name, *options]
            with open(self._log(name), "a") as log:
                self._running[name] = self.on[name].start(
                    *argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
                )
        if wait:
            for name in names:
                until(lambda name=name: self.registered(name), f"{name}: {self.log(name)}")  # type: ignore[misc]

    def registered(self, name: str) -> bool:
        """Return whether the agent that runs on a machine has said that it is registered, and etcd has it."""
        running = self._running.get(name)
        assert running is None or running.poll() is None, self.log(name)
        return "is registered with" in self.log(name) and f"machines/{name}" in self.etcd_keys()

    def processes(self, name: str) -> dict[str, list[int]]:
        """Return the ids of the processes of an agent, as the host sees them: agent, spawner and labs."""
        running = self._running.get(name)
        if running is None or running.poll() is not None:
            return {}
        agent = programs_of(running)
        spawner = [one for pid in agent for one in _children(pid)]
        return {"agent": agent, "spawner": spawner, "lab": [one for pid in spawner for one in _children(pid)]}

    def signal(self, name: str, number: int, which: str = "") -> int:
        """Send a signal to one kind of process of an agent, by default to all; return how many processes got it."""
        found = self.processes(name)
        # The processes of labs would end by themselves after the agent.
        pids = found.get(which, []) if which else [*found["agent"], *found["spawner"], *found["lab"]]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        if number == signal.SIGCONT:
            self._running[name].send_signal(number)
        return len(pids)

    def kill(self, name: str, which: str = "") -> None:
        """Kill one kind of process of an agent, by default all."""
        assert self.signal(name, signal.SIGKILL, which), f"{name} has no process {which}"
        if which in ("", "agent"):
            self._ended(name)

    def stop(self, name: str) -> int:
        """End an agent as a service manager does; return its exit code."""
        for pid in self.processes(name)["agent"]:
            os.kill(pid, signal.SIGTERM)
        return self._ended(name)

    def ended(self, name: str) -> int:
        """Wait until an agent has ended by itself; return its exit code."""
        return self._ended(name)

    def runs(self, name: str) -> bool:
        """Return whether the agent of a machine runs."""
        return name in self._running and self._running[name].poll() is None

    def log(self, name: str) -> str:
        """Return what the agents of a machine have printed."""
        return self._log(name).read_text() if self._log(name).exists() else ""

    def _log(self, name: str) -> Path:
        return self._folder / f"{name}.agent.log"

    def _ended(self, name: str) -> int:
        running = self._running.pop(name)
        # nsenter stops itself when its program is stopped.
        running.send_signal(signal.SIGCONT)
        code = running.wait(HANGS)
        # The next one says anew that it is registered.
        log = self._log(name)
        log.write_text(log.read_text().replace("is registered with", "was registered with"))
        return code

    def reboot(self, name: str) -> None:
        """Kill everything in a machine and make it anew, without its agent."""
        self.on.reboot(name)
        if name in self._running:
            self._ended(name)

    # --- etcd ---------------------------------------------------------------------------------------------------

    def etcd(self, path: str, **body: Any) -> dict[str, Any]:
        """Send a request to etcd."""
        with inside(self.on.wire):
            client = EtcdClient(settings(self.url.split(","), **self._tls))
            try:
                return client.call(path, body)
            finally:
                client.close()

    def etcd_keys(self) -> list[str]:
        """Return all keys of etcd, without the prefix."""
        found = self.etcd("kv/range", **below("/netlab/"), keys_only=True).get("kvs", ())
        return sorted(plain(kv["key"]).decode().removeprefix("/netlab/") for kv in found)

    def etcd_revision(self) -> int:
        """Return the revision of etcd, which grows with each key that is put or removed."""
        return revision_of(self.etcd("kv/range", **below("/netlab/"), count_only=True))

    def value(self, key: str) -> bytes:
        """Return the value of a key, empty where there is none."""
        found = self.etcd("kv/range", key=b64(f"/netlab/{key}")).get("kvs", ())
        return plain(found[0].get("value", "")) if found else b""

    def put(self, key: str, value: str | bytes) -> None:
        self.etcd("kv/put", key=b64(f"/netlab/{key}"), value=b64(value))

    # --- labs ---------------------------------------------------------------------------------------------------

    def netlab(self, name: str, *arguments: object) -> str:
        """Run a command of netlab on a machine, which must succeed; return what it prints."""
        done = self.on[name].netlab(*arguments)
        assert 0 == done.returncode, f"{done.stdout}{done.stderr}\n{self.logs()}"
        return done.stdout

    def refused(self, name: str, *arguments: object) -> tuple[int, str]:
        """Run a command that fails; return its exit code and error."""
        done = self.on[name].netlab(*arguments)
        assert done.returncode, done.stdout
        return done.returncode, done.stderr

    def reported(self, lab: str, name: str) -> tuple[str, str]:
        """Return the id of the change that a machine reported last about a lab, and the phase; empty for none."""
        found = json.loads(self.value(f"reports/{lab}/{name}") or '{"change": "", "phase": ""}')
        return found["change"], found["phase"]

    def says(self, lab: str, name: str, phase: str, before: str = "") -> bool:
        """Return whether a machine reports a phase of a change that is not the one of before."""
        change, said = self.reported(lab, name)
        return said == phase and change != before

    def logs(self) -> str:
        return "".join(f"--- {one.name}\n{self.log(one.name)[-3000:]}" for one in self.on)

    def inodes(self, lab: str) -> dict[str, dict[str, int]]:
        """Return the network namespaces of a lab on each machine."""
        return {one.name: one.drive("inodes", lab=lab) for one in self.on}

    def drift(self, lab: str) -> list[str]:
        """Return what differs from the lab on the machines that have a part of it."""
        return [line for one in self.on if one.drive("inodes", lab=lab) for line in one.drive("drift", lab=lab)]

    def nothing_left(self) -> None:
        """Check that no machine has anything of a lab, and etcd only registrations; what ends with a lease may wait."""
        until(lambda: all(key.startswith("machines/") for key in self.etcd_keys()), self.etcd_keys, 3 * LEASE)
        for machine in self.on:
            assert ["eth0", "lo"] == machine.links()
            until(lambda machine=machine: "run" not in machine.left(), machine.left)  # type: ignore[misc]

    def close(self) -> None:
        """Kill what still runs; the end of the machines does so too."""
        for name in list(self._running):
            with contextlib.suppress(AssertionError, OSError):
                self.kill(name)


def until(true: Callable[[], object], what: object = "", seconds: float = HANGS) -> None:
    """Wait until a function returns something true; ``what`` is a text, or returns one."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    """Return the ids of the processes that a process forked, from any of its threads."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    return found
