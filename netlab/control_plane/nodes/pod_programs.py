"""The programs of a lab's pods: those of containers, with their logs, and those of ``kubectl exec`` beside them.

What a program is, and in which containers it may run, ``container_spec`` says; ``containers`` says when it runs.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from netlab.control_plane.nodes.container_spec import Container, any_acts, containers_of
from netlab.control_plane.nodes.logs import Log, Logs
from netlab.control_plane.nodes.objects import key_of
from netlab.control_plane.nodes.readiness import Probe
from netlab.control_plane.nodes.service_variables import service_variables
from netlab.errors import NetlabError, UsageError
from netlab.kernel.ask_port import Answer
from netlab.kernel.pod_process import PodProgram
from netlab.kernel.pod_starter import Attached, Program, Runtime
from netlab.kernel.polling import Poller
from netlab.lab import dns
from netlab.lab.lab import Lab
from netlab.programs.pod_files import PodFiles

Ended = Callable[[str, str, int, str], object]
"""Called when the program of a container has ended: the pod's uid, the container, the exit code, and an error."""
Services = Callable[[], Iterable[Mapping[str, Any]]]
ReadConfig = Callable[[str, str], Mapping[str, Any] | None]
ReadToken = Callable[[Mapping[str, Any], Mapping[str, Any]], str]


class PodPrograms:
    """Starts programs in the pods of a lab.

    Args:
      runtime: the process that forks them.
      lab: the lab, which another thread changes.
      folder: where logs are kept.
      allowed: which pods may run programs of this host.
      config: reads a ConfigMap, by namespace and name.
      token: returns a token of a pod's service account, for a source of a volume.
      services: returns the Services of all namespaces; it is called in several threads.
      ended: called in another thread.
    """

    def __init__(
        self,
        runtime: Runtime,
        lab: Lab,
        folder: Path,
        allowed: str,
        config: ReadConfig,
        token: ReadToken,
        services: Services,
        ended: Ended,
    ) -> None:
        self._runtime, self._lab, self._allowed, self._ended = runtime, lab, allowed, ended
        self._config, self._token, self._services = config, token, services
        # By pod and container: the container as it was started. Programs that start beside it get the same.
        self._started: dict[str, dict[str, Container]] = {}
        self.logs = Logs(folder)
        self._poller = Poller()

    def any_in(self, pod: Mapping[str, Any]) -> bool:
        """Return whether a container of a pod has a program or a hook."""
        return any_acts(pod, self._allowed)

    def containers(
        self,
        pod: Mapping[str, Any],
        addresses: Sequence[str],
        node: Sequence[str],
        services: Iterable[Mapping[str, Any]] = (),
        only: str = "",
    ) -> list[Container]:
        """Return the containers of a pod, or ``only`` one by its name; ``node`` are the addresses of its node.

        ``services``: those of all namespaces, needed for the variables of a program that starts.
        """
        namespace, links = pod["metadata"]["namespace"], pod["spec"].get("enableServiceLinks") is not False
        return containers_of(
            pod,
            addresses,
            node,
            self._allowed,
            lambda name: self._config(namespace, name),
            lambda source: self._token(pod, source),
            service_variables(services, namespace, links=links),
            only,
        )

    def start(self, lab: Lab, ref: str, uid: str, container: Container) -> Program:
        """Start the program of a container; its output goes to its log. Raises NetlabError."""
        if container.problem:
            raise UsageError(container.problem)
        program = self._program(dns.prepare(lab, ref), ref, uid, container, container.argv, terminal=False)
        log = self.logs.begin(uid, container.name)
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        (out, to_out), (errors, to_errors) = os.pipe(), os.pipe()
        try:
            found = self._runtime.start(program, f"{uid}/{container.name}", [null, to_out, to_errors])
        except BaseException:
            os.close(out)
            os.close(errors)
            log.close()
            raise
        finally:
            for fd in (null, to_out, to_errors):
                os.close(fd)
        self._keep(log, {"stdout": out, "stderr": errors}, found, uid, container.name)
        self._started.setdefault(uid, {})[container.name] = container
        return found

    def _keep(self, log: Log, outputs: Mapping[str, int], program: Program, uid: str, name: str) -> None:
        """Write what a program prints to its log, and say when it has ended."""
        left: dict[str, object] = {**outputs, "": program}

        def finish(what: str) -> None:
            del left[what]
            if not left:
                log.close()

        def close(stream: str, fd: int) -> Callable[[], None]:
            def closed() -> None:
                log.add(b"", stream)
                os.close(fd)
                finish(stream)

            return closed

        def ended() -> None:
            code, why = program.result()
            for stream, fd in outputs.items():
                # What it wrote comes before its end. What it started may write on.
                if stream in left:
                    log.read_all_from(fd, stream)
            if why:
                log.add(f"{why}\n".encode(), "stderr")
            finish("")
            self._ended(uid, name, code, why)

        for stream, fd in outputs.items():
            os.set_blocking(fd, False)
            self._poller.watch(fd, partial(log.read_from, fd, stream), close(stream, fd))
        self._poller.watch(program.fileno(), lambda: False, ended)

    def attached(self, ref: str, pod: Mapping[str, Any], name: str, argv: Sequence[str], *, terminal: bool) -> Attached:
        """Start a program beside that of a container; this may take a moment.

        Raises:
          UsageError: when there is no such container.
          NetlabError.
        """
        found = self.container(ref, pod, name)
        if not argv:
            raise UsageError("no command")
        program = self._program(self._files(ref), ref, pod["metadata"]["uid"], found, argv, terminal=terminal)
        group = f"{pod['metadata']['uid']}/{found.name}"
        return Attached(partial(self._runtime.start, program, group, beside=True), terminal=terminal)

    def ask(self, pod: Mapping[str, Any] | None, probe: Probe) -> Answer:
        """Run the command of a probe beside a container's program; b"" is success. It raises nothing."""
        if pod is None:
            return "silence"
        ref, null = "/".join(key_of(pod)), -1
        try:
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            container = self.container(ref, pod, probe.container)
            uid = pod["metadata"]["uid"]
            program = self._program(self._files(ref), ref, uid, container, probe.command, terminal=False)
            group = f"{uid}/{container.name}"
            started = self._runtime.start(program, group, [null, null, null], beside=True)
        except (NetlabError, OSError):
            return "silence"
        finally:
            if null >= 0:
                os.close(null)
        if not started.ends_within(probe.timeout):
            started.send(signal.SIGKILL)
            started.result()
            return "silence"
        return b"" if started.result()[0] == 0 else "silence"

    def hook(
        self,
        lab: Lab,
        pod: Mapping[str, Any],
        name: str,
        argv: Sequence[str],
        ended: Callable[[str], object],
    ) -> Program:
        """Start the command of a hook beside a container's program; raises NetlabError.

        ``ended`` is called in another thread with why the command failed, "" if it succeeded.
        """
        ref, uid = "/".join(key_of(pod)), pod["metadata"]["uid"]
        container = self.container(ref, pod, name)
        program = self._program(dns.prepare(lab, ref), ref, uid, container, argv, terminal=False)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            found = self._runtime.start(program, f"{uid}/{container.name}", [null, null, null], beside=True)
        finally:
            os.close(null)

        def finish() -> None:
            code, why = found.result()
            ended(why or (f"exit code {code}" if code else ""))

        self._poller.watch(found.fileno(), lambda: False, finish)
        return found

    def container(self, ref: str, pod: Mapping[str, Any], name: str) -> Container:
        """Return a container of a pod, as it was when its program started; raises UsageError."""
        started = self._started.get(pod["metadata"]["uid"], {}).get(name)
        if started is not None:
            return started
        status = pod.get("status", {})
        addresses = [one["ip"] for one in status.get("podIPs") or ()]
        node = [one["ip"] for one in status.get("hostIPs") or ()]
        for one in self.containers(pod, addresses, node, self._services(), name) if name else ():
            return one
        raise UsageError(f"container {name} is not valid for pod {ref}")

    def forget(self, uid: str) -> None:
        """Drop the logs and the volumes of a pod that is gone."""
        self._started.pop(uid, None)
        self.logs.forget(uid)
        self._runtime.forget(uid)

    def _files(self, ref: str) -> PodFiles | None:
        """Return the files of a pod, in a thread that does not change the lab."""
        # To start DNS may change the lab: a value of its own does that, and reads the whole record.
        return dns.prepared(self._lab, ref) or dns.prepare(Lab.open(self._lab.name), ref)

    def _program(
        self,
        files: PodFiles | None,
        ref: str,
        uid: str,
        container: Container,
        argv: Sequence[str],
        *,
        terminal: bool,
    ) -> PodProgram:
        if files is None:
            raise UsageError(f"{ref} is gone")
        environment = {"TERM": "xterm"} if terminal else {}
        return PodProgram(
            self._lab.locate(ref).namespace,
            tuple(argv),
            {**environment, "HOSTNAME": files.hostname, **container.environment},
            files.hostname,
            {"/etc/resolv.conf": files.resolv, "/etc/hosts": files.hosts},
            container.folder,
            terminal,
            uid,
            container.mounts,
            container.volumes,
        )
