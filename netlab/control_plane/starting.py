"""Starts the programs of a lab's control plane, as far as they do not run as its settings say."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from netlab.control_plane import kubeconfig, preparing, settings
from netlab.control_plane.api import Client
from netlab.control_plane.components import API_SERVER, ETCD, Component, agent, components
from netlab.control_plane.settings import Settings
from netlab.errors import HostError, way_out
from netlab.frozen import frozen
from netlab.kernel import kubernetes_programs, output
from netlab.kernel.machine import Machine
from netlab.lab import outside_files, programs
from netlab.lab.lab import Lab

_READY_SECONDS, _PAUSE = 90.0, 0.05


@frozen
class Wishes:
    """What a user chooses; what is empty or None stays as it was.

    The folder of the programs, the path of the kubeconfig, admission plugins, ABAC rules, and which pods may run
    programs of this host. Further, how long the controllers wait for a node: the seconds until it is not ready, and
    those until its pods are replaced because it is not ready, or not reached. ``wait``: the seconds in which the pods
    of the objects have to be ready, 0 not to wait.
    """

    assets: str = ""
    kubeconfig: str = ""
    plugins: tuple[str, ...] = ()
    abac: str = ""
    host_programs: str = ""
    node_grace: int | None = None
    not_ready: int | None = None
    unreachable: int | None = None
    wait: float = 0.0


def start_programs(running: Lab, wishes: Wishes, say: Callable[[str], None]) -> tuple[Settings, Client]:
    """Start the programs that do not run, or not as they should; return when the API server is ready.

    The caller has the lab's turn. Plugins and rules of ABAC with which the API server does not start are not kept.

    Raises:
      HostError: when a program is missing or does not start.
    """
    machine, name = running.machine, running.name
    before = settings.read(machine, name)
    found = _settled(running, wishes, before)
    try:
        return found, _running_programs(running, found, say)
    except HostError:
        plugins, abac = (before.plugins, before.abac) if before else ((), "")
        with running.held():
            settings.write(machine, name, replace(found, plugins=plugins, abac=abac))
        raise


def _running_programs(running: Lab, found: Settings, say: Callable[[str], None]) -> Client:
    """Start what does not run with these settings; return a client of the API server once it is ready."""
    machine, name = running.machine, running.name
    with running.held():
        files = preparing.keys(running)
        etcd, api_server, *others = components(name, running.cluster, found, files)
        for one in (etcd, api_server):
            _ensure(machine, name, one)
    client = Client(preparing.pki(machine, name), "admin", found.ports.apiserver)
    if not client.is_ready():
        say("starting the API server")
        _wait(client, machine, name)
    with running.held():
        for one in others:
            _ensure(machine, name, one)
    return client


def start_nodes(running: Lab, found: Settings) -> None:
    """Start netlab as the nodes, and write the kubeconfig; raises HostError."""
    machine, name = running.machine, running.name
    with running.held():
        text = kubeconfig.text(preparing.keys(running), "admin", name, found.ports.apiserver)
        # It reads the keys and the port of the API server when it starts.
        known = {"checksum": sha256(text.encode()).hexdigest().encode()}
        _ensure(machine, name, Component(programs.AGENT, agent(name, found), found.ports.kubelet, known))
        outside_files.write(machine, name, found.kubeconfig, text)


def _ensure(machine: Machine, lab: str, one: Component) -> None:
    """Write the files of a program, and start it if it does not run with these. The caller holds the lab's lock."""
    folder = programs.folder(machine, lab, one.kind, "")
    try:
        changed = [machine.write(folder, name, data, secret=True) for name, data in one.secret.items()]
        changed += [machine.write(folder, name, data) for name, data in one.public.items()]
    except OSError as error:
        raise HostError(f"cannot write {folder}: {error.strerror}", way_out(error.errno)) from error
    if any(changed):
        machine.stop(folder)
    programs.ensure(machine, lab, one.kind, [programs.Wanted(one.program, one.public)])


def _wait(client: Client, machine: Machine, lab: str) -> None:
    until = time.monotonic() + _READY_SECONDS
    while not client.is_ready():
        _check_runs(machine, lab)
        if time.monotonic() > until:
            log = programs.folder(machine, lab, API_SERVER, "") / "output"
            raise HostError(f"{API_SERVER} is not ready after {_READY_SECONDS:g} s", f"its output is in {log}")
        time.sleep(_PAUSE)


def _check_runs(machine: Machine, lab: str) -> None:
    """Raise HostError if etcd or the API server has ended."""
    for kind in (ETCD, API_SERVER):
        place = programs.folder(machine, lab, kind, "")
        if not machine.send(place, 0):
            raise HostError(f"{kind} has ended", f"its output is in {place / 'output'}")


@contextlib.contextmanager
def naming_what_ended(running: Lab) -> Iterator[None]:
    """Name etcd or the API server in place of a HostError of a block, if one of them has ended.

    An API server says for a while that it is ready although its etcd has ended.
    """
    try:
        yield
    except HostError:
        _check_runs(running.machine, running.name)
        raise


def _settled(running: Lab, wishes: Wishes, known: Settings | None) -> Settings:
    """Return the settings of a control plane that starts now, and keep them."""
    machine, name = running.machine, running.name
    if known is None:
        paths = dict(kubernetes_programs.find(wishes.assets))
        known = Settings(preparing.new_ports(), paths, kubeconfig_path(name, wishes))
    times = {name: getattr(wishes, name) for name in settings.TIMES}
    found = replace(
        preparing.with_free_ports(machine, name, known),
        programs=dict(kubernetes_programs.find(wishes.assets)) if wishes.assets else known.programs,
        kubeconfig=kubeconfig_path(name, wishes) if wishes.kubeconfig else known.kubeconfig,
        plugins=wishes.plugins or known.plugins,
        abac=wishes.abac or known.abac,
        host_programs=wishes.host_programs or known.host_programs,
        **{name: value for name, value in times.items() if value is not None},
    )
    output.check(found.kubeconfig, "--kubeconfig")
    with running.held():
        settings.write(machine, name, found)
    return found


def kubeconfig_path(lab: str, wishes: Wishes) -> str:
    """Return the absolute path at which a user wishes the kubeconfig of a lab."""
    return str(Path(wishes.kubeconfig or f"{lab}.kubeconfig").absolute())
