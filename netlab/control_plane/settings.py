"""What a lab's control plane was started with, as a value and as the file that keeps it."""

from __future__ import annotations

import json
from pathlib import Path

from netlab.errors import DamagedRecord, HostError
from netlab.frozen import NamedTuple, frozen
from netlab.kernel.machine import Machine, Unsafe

_FILE = "settings.json"
_MOST = 4 << 20


class Ports(NamedTuple):
    """The ports on the host's loopback address."""

    etcd: int
    peer: int
    apiserver: int
    controller_manager: int
    scheduler: int
    kubelet: int


@frozen
class Settings:
    """The settings of a control plane.

    - ``ports``: where its programs listen.
    - ``programs``: the path of each program of Kubernetes and etcd.
    - ``kubeconfig``: the path of the user's kubeconfig.
    - ``plugins``: further admission plugins to enable.
    - ``abac``: the text of the policy file of ABAC, "" for none.
    - ``host_programs``: which pods may run programs of this host: ``none``, ``asked`` or ``all``.
    - ``node_grace``: the seconds without a heartbeat after which a node is not ready.
    - ``not_ready``, ``unreachable``: the seconds that pods tolerate a node that is not ready, or not reached.

    None for these stands for the default of the program.
    """

    ports: Ports
    programs: dict[str, str]
    kubeconfig: str
    plugins: tuple[str, ...] = ()
    abac: str = ""
    host_programs: str = "none"
    node_grace: int | None = None
    not_ready: int | None = None
    unreachable: int | None = None


TIMES = ("node_grace", "not_ready", "unreachable")


def folder(machine: Machine, lab: str) -> Path:
    """Return the folder of a lab's control plane, which may not exist: the settings, keys and certificates."""
    return machine.store.folder(lab) / "control-plane"


def read(machine: Machine, lab: str) -> Settings | None:
    """Return the settings of a lab's control plane, None where it has none; raises DamagedRecord."""
    file = folder(machine, lab) / _FILE
    try:
        data = json.loads(machine.store.read(file, _MOST))
        return Settings(
            Ports(**data["ports"]),
            dict(data["programs"]),
            str(data["kubeconfig"]),
            tuple(data["plugins"]),
            str(data["abac"]),
            str(data["host_programs"]),
            **{name: None if data[name] is None else int(data[name]) for name in TIMES if name in data},
        )
    except FileNotFoundError:
        return None
    except (OSError, Unsafe, ValueError, KeyError, TypeError) as error:
        raise DamagedRecord(lab, f"{file}: {error}") from error


def write(machine: Machine, lab: str, settings: Settings) -> None:
    """Keep the settings; raises HostError."""
    file = folder(machine, lab) / _FILE
    data = {
        "ports": settings.ports._asdict(),
        "programs": settings.programs,
        "kubeconfig": settings.kubeconfig,
        "plugins": settings.plugins,
        "abac": settings.abac,
        "host_programs": settings.host_programs,
        **{name: getattr(settings, name) for name in TIMES},
    }
    try:
        machine.store.write(file, json.dumps(data).encode())
    except OSError as error:
        raise HostError(f"cannot write {file}: {error.strerror}") from error
