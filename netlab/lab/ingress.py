"""The nginx of a lab's ingress controller: started, given a new configuration, and ended, under the lab's lock.

It runs in each pod of the controller. ``nginx -t`` tests a configuration in the pod before nginx reads it. The logs are
``access.log`` and ``error.log`` in the folder ``/run/netlab/LAB/programs/nginx.*``.
"""

from __future__ import annotations

from collections.abc import Callable

from netlab.cluster import Cluster, Pod
from netlab.dataplane import names
from netlab.errors import HostError
from netlab.kernel.machine import Machine
from netlab.lab import programs
from netlab.lab.notices import notice
from netlab.objects.ingresses import TlsSecret
from netlab.programs.ingress_routes import controllers
from netlab.programs.ingress_rules import rules
from netlab.programs.nginx_conf import Configuration, configuration, file_name

KIND = "nginx"
LOGS = ("access.log", "error.log")
_FOLDER = "/run/netlab"  # as nginx sees its folder: kernel/program_process.py
# The configuration that nginx reads; the one that is tested; and the one that nginx has read.
_FILE, _NEXT, _LOADED = "nginx.conf", "next.conf", "read.conf"


def wanted(cluster: Cluster) -> bool:
    """Return whether a cluster has an Ingress that the controller serves."""
    return bool(cluster.ingresses) and bool(rules(cluster).served)


def check(machine: Machine, cluster: Cluster) -> None:
    """Raise HostError if a cluster has an Ingress to serve, and this host has no nginx."""
    if wanted(cluster):
        machine.nginx()


def ensure(machine: Machine, cluster: Cluster, here: Callable[[str], bool] = lambda space: True) -> None:
    """Make nginx serve the Ingresses of a lab, or end it if none is served. The caller holds the lab's lock.

    ``here`` says whether this machine has a network namespace of the lab.

    If this host has no nginx, it prints a warning.

    Raises:
      HostError, KernelError: when nginx refuses its configuration, or does not run.
    """
    if not wanted(cluster):
        programs.ensure(machine, cluster.name, KIND, [])
        return
    try:
        program, user = machine.nginx()
    except HostError as error:
        programs.ensure(machine, cluster.name, KIND, [])
        notice(f"Warning: {error}")
        return
    pods = controllers(cluster)
    if not pods:
        notice("Warning: no pod of ingress-nginx has an address, so Ingresses are not served")
    # Host-network pods of one node are in one namespace, which has one nginx.
    places = {names.pod_namespace(cluster.name, pod): pod for pod in reversed(pods)}
    made = [_Nginx(machine, cluster, pod, program, user) for space, pod in places.items() if here(space)]
    # No configuration is in force before all are tested.
    reloads = [one.prepare() for one in made]
    programs.ensure(machine, cluster.name, KIND, [one.wanted() for one in made])
    for one, reload in zip(made, reloads, strict=True):
        one.finish(reload=reload)


class _Nginx:
    """The nginx of one pod of the controller."""

    def __init__(self, machine: Machine, cluster: Cluster, pod: Pod, program: str, user: str) -> None:
        from netlab.kernel.program import Program

        self._machine, self._cluster, self._user = machine, cluster, user
        self._families = tuple(sorted({address.version for address in pod.addresses}))
        space = names.pod_namespace(cluster.name, pod)
        self._folder = programs.folder(machine, cluster.name, KIND, space)
        argv = (program, "-p", f"{_FOLDER}/", "-e", f"{_FOLDER}/error.log", "-c")
        self._program = Program(
            space,
            (*argv, f"{_FOLDER}/{_FILE}"),
            listens=tuple(("tcp", port) for port in (80, 443)),
            hostname=pod.name,
            logs=LOGS,
        )
        self._test = Program(space, (*argv, f"{_FOLDER}/{_NEXT}", "-t", "-q"), hostname=pod.name, logs=LOGS)
        self._made = Configuration("")

    def prepare(self) -> bool:
        """Write the certificates and the next configuration, and test it; return whether nginx must read it again.

        Raises:
          HostError: when nginx refuses it.
        """
        self._made = made = configuration(self._cluster, _FOLDER, self._families, self._user)
        try:
            for name, text in made.secrets:
                self._write(name, text)
            bad = [one.meta.key for one in self._cluster.tls_secrets if not self._usable(one)]
            if bad:
                notice(f"Warning: Secret {', '.join(bad)}: the certificate and the key are no pair that TLS can use")
                self._made = made = configuration(self._cluster, _FOLDER, self._families, self._user, bad)
            self._write(_NEXT, made.text)
        except OSError as error:
            raise HostError(f"cannot write {self._folder}: {error.strerror}") from error
        runs = self._machine.runs(self._program, self._folder)
        if runs and self._loaded() == made.text:
            return False
        status, said = self._machine.run(self._test, self._folder)
        if status:
            lines = said.splitlines() or ["it printed nothing"]
            why = next((line for line in lines if "[emerg]" in line), lines[-1])
            raise HostError(f"nginx refuses its configuration: {why}")
        return runs

    def wanted(self) -> programs.Wanted:
        return programs.Wanted(self._program, {_FILE: self._made.text.encode()})

    def finish(self, *, reload: bool) -> None:
        """Make nginx read its new configuration, and remove certificates that it does not use."""
        if reload and not self._machine.reload(self._folder):
            raise HostError(f"nginx does not take its new configuration; see {self._folder}/error.log")
        self._write(_LOADED, self._made.text)
        used = {name for name, _ in self._made.secrets}
        for path in self._folder.glob("tls-*"):
            if path.name not in used:
                path.unlink(missing_ok=True)

    def _loaded(self) -> str:
        """Return the configuration that nginx has read; a command may be killed between a new file and the signal."""
        try:
            return (self._folder / _LOADED).read_text()
        except OSError:
            return ""

    def _write(self, name: str, text: str) -> None:
        self._machine.write(self._folder, name, text.encode(), secret=name.endswith(".key"))

    def _usable(self, secret: TlsSecret) -> bool:
        """Return whether nginx can use a certificate and its key, or needs none; no key with a password can be used."""
        name = file_name(secret)
        certificate, key = (self._folder / f"{name}.{end}" for end in ("crt", "key"))
        if not certificate.exists():
            return True
        import ssl

        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
        except (ssl.SSLError, ValueError, OSError):
            return False
        return True
