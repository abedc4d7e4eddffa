"""The reports of agents about labs: keys ``reports/LAB/MACHINE`` under the lease of the process of the lab."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from netlab.errors import HostError, NetlabError, UsageError, printable
from netlab.frozen import frozen
from netlab.kernel.wireguard_state import is_key
from netlab.machines.names import is_machine
from netlab.store.etcd_client import EtcdClient, below, plain

DIRECTORY = "reports"
REMOVAL = "removal"
"""What a report about the removal of a lab has in place of the id of a change."""
Phase = Literal["prepared", "ready", "failed", "gone"]


@frozen
class PublicKey:
    """What other machines need of a machine: its public key in base64, and the UDP port of its WireGuard device."""

    key: str
    port: int


@frozen
class Report:
    """What a machine says about a lab.

    Args:
      machine: the machine.
      change: the id of the change that it is about.
      phase: prepared (it can do the change), ready (the change is in force), failed, or gone (the lab is removed).
      error: the lines of the error, where it failed.
      exit_code: the exit code of the error.
      fix: what to do about it.
      steps: the changes of namespaces, links, addresses and routes.
      elements: the number of nftables elements that changed.
      replaced: the number of nodes whose whole ruleset was loaded.
      public: the machine's public key for an encrypted lab.
    """

    machine: str
    change: str
    phase: Phase
    error: tuple[str, ...] = ()
    exit_code: int = 0
    fix: str = ""
    steps: int = 0
    elements: int = 0
    replaced: int = 0
    public: PublicKey | None = None

    def to_json(self) -> str:
        """Return the value that etcd keeps."""
        data: dict[str, Any] = {
            "change": self.change,
            "phase": self.phase,
            "error": list(self.error),
            "exitCode": self.exit_code,
            "fix": self.fix,
            "steps": self.steps,
            "elements": self.elements,
            "replaced": self.replaced,
        }
        if self.public is not None:
            data["wireguard"] = {"key": self.public.key, "port": self.public.port}
        return json.dumps(data)

    def raise_error(self) -> None:
        """Raise the error of a failed report, with the name of the machine."""
        if self.phase != "failed":
            return
        lines = [f"machine {self.machine}: {line}" for line in self.error or ("it failed",)]
        if self.exit_code == UsageError.exit_code:
            raise UsageError(*lines)
        raise HostError("; ".join(lines), self.fix)


def failed(machine: str, change: str, error: NetlabError) -> Report:
    """Return the report of an error."""
    lines = tuple(str(error).splitlines())[:20]
    return Report(machine, change, "failed", lines, error.exit_code)


def reports(client: EtcdClient, lab: str) -> dict[str, Report]:
    """Return the reports about a lab by machine; raises HostError if etcd is not reached."""
    return found_in(client, lab, client.call("kv/range", keys(client, lab)).get("kvs", ()))


def keys(client: EtcdClient, lab: str) -> dict[str, str]:
    """Return the range of the keys of reports about a lab, for a request to etcd."""
    return below(client.key(DIRECTORY, lab, ""))


def found_in(client: EtcdClient, lab: str, kvs: Iterable[Mapping[str, Any]]) -> dict[str, Report]:
    """Return the reports of keys and values that etcd returned, by machine."""
    prefix = client.key(DIRECTORY, lab, "")
    found: dict[str, Report] = {}
    for kv in kvs:
        name = plain(kv["key"]).decode(errors="replace").removeprefix(prefix)
        report = parsed(name, plain(kv.get("value", "")))
        if report is not None:
            found[name] = report
    return found


def parsed(machine: str, value: bytes) -> Report | None:
    """Return the report of a value; None where no agent wrote it."""
    try:
        data: Mapping[str, Any] = json.loads(value)
        phase = data["phase"]
        if not is_machine(machine) or phase not in ("prepared", "ready", "failed", "gone"):
            return None
        lines = tuple(printable(str(line)[:2000]) for line in data["error"][:20])
        steps, elements, replaced = (int(data[name]) for name in ("steps", "elements", "replaced"))
        change, fix = str(data["change"])[:100], printable(str(data["fix"])[:2000])
        public = _public(data["wireguard"]) if "wireguard" in data else None
        return Report(machine, change, phase, lines, int(data["exitCode"]), fix, steps, elements, replaced, public)
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def _public(data: Mapping[str, Any]) -> PublicKey:
    """Return a public key of JSON data; raises ValueError, TypeError or KeyError where it is none."""
    key, port = data["key"], data["port"]
    if type(key) is not str or type(port) is not int or not is_key(key) or not 1 <= port <= 65535:
        raise ValueError("public key")
    return PublicKey(key, port)
