"""Readiness probes: TCP and HTTP, as far as something listens in a pod.

A pod has no programs of its own, so a closed port says nothing: the probe passes. Where a program listens, as one that
``kubectl exec`` started, its answer counts. Source: core/v1 Probe; the kubelet's prober (pkg/probe).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from netlab.kernel.ask_port import Answer

_LOOK = 0.5
_SHORTEST = 0.1


class Probe(NamedTuple):
    """A readiness probe of a container: a connection, or with a path a request of HTTP."""

    port: int
    path: str = ""
    host: str = ""
    period: float = 10.0
    timeout: float = 1.0
    failures: int = 3
    delay: float = 0.0

    @property
    def question(self) -> bytes:
        """What is sent: nothing for a probe of TCP."""
        if not self.path:
            return b""
        lines = [
            f"GET {self.path} HTTP/1.1",
            f"Host: {self.host}",
            "User-Agent: kube-probe/netlab",
            "Connection: close",
        ]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode()

    def passes(self, answer: Answer) -> bool:
        """Return whether an answer is a success."""
        if isinstance(answer, str):
            return answer == "nobody"
        if not self.path:
            return True
        words = answer.split(b" ", 2)
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:1] in (b"2", b"3")


def probes_of(pod: Mapping[str, Any]) -> list[Probe]:
    """Return the readiness probes of a pod that netlab can ask: those of HTTP and TCP."""
    return [probe for one in pod["spec"].get("containers") or () for probe in _of_container(one)]


def _of_container(container: Mapping[str, Any]) -> Iterator[Probe]:
    written = container.get("readinessProbe") or {}
    kind = written.get("httpGet") or written.get("tcpSocket")
    port = None if kind is None else _number(container, kind.get("port"))
    # An address other than the pod's, or TLS, is not asked.
    if kind is None or port is None or kind.get("host") or kind.get("scheme", "HTTP") != "HTTP":
        return
    path = str(kind.get("path") or "/") if "httpGet" in written else ""
    if path and not path.isprintable():
        return
    yield Probe(
        port,
        path and f"/{path.lstrip('/')}".replace(" ", "%20"),
        f"port-{port}",
        float(written.get("periodSeconds") or 10),
        float(written.get("timeoutSeconds") or 1),
        int(written.get("failureThreshold") or 3),
        float(written.get("initialDelaySeconds") or 0),
    )


def _number(container: Mapping[str, Any], port: object) -> int | None:
    if isinstance(port, int):
        return port
    return next((int(one["containerPort"]) for one in container.get("ports") or () if one.get("name") == port), None)


class _Target:
    """What is known of one probe of one pod."""

    def __init__(self, probe: Probe, now: float) -> None:
        self.probe = probe
        self.due = now + probe.delay
        self.failed = 0

    def take(self, *, passes: bool, now: float) -> None:
        self.failed = 0 if passes else self.failed + 1
        self.due = now + max(self.probe.period, _SHORTEST)

    @property
    def ready(self) -> bool:
        return self.failed < self.probe.failures


class Prober:
    """Probes pods in a thread of its own.

    Args:
      ask: asks a port of a pod, by the pod's uid, from the pod's node.
      changed: called with the uid of a pod whose probes fail now, or pass again.
    """

    def __init__(self, ask: Callable[[str, Probe], Answer], changed: Callable[[str, bool], None]) -> None:
        self._ask, self._changed = ask, changed
        self._targets: dict[str, list[_Target]] = {}
        self._failing: set[str] = set()
        self._lock = threading.Lock()

    def follow(self, pods: Iterable[Mapping[str, Any]], now: float) -> None:
        """Probe these pods from now on, as far as they have probes and were not probed before."""
        for pod in pods:
            uid = pod["metadata"]["uid"]
            with self._lock:
                if uid not in self._targets and (probes := probes_of(pod)):
                    self._targets[uid] = [_Target(one, now) for one in probes]

    def forget(self, uids: Iterable[str]) -> None:
        with self._lock:
            for uid in uids:
                self._targets.pop(uid, None)
                self._failing.discard(uid)

    def probed(self) -> list[str]:
        """Return the uids of the pods that are probed."""
        with self._lock:
            return list(self._targets)

    def run(self, stopped: threading.Event) -> None:
        """Probe until the event is set."""
        while not stopped.wait(_LOOK):
            self.turn(time.monotonic())

    def turn(self, now: float) -> None:
        """Ask every probe that is due."""
        with self._lock:
            due = [(uid, one) for uid, of in self._targets.items() for one in of if one.due <= now]
        for uid, one in due:
            one.take(passes=one.probe.passes(self._ask(uid, one.probe)), now=now)
        for uid in {uid for uid, _ in due}:
            self._tell(uid)

    def _tell(self, uid: str) -> None:
        with self._lock:
            failing = not all(one.ready for one in self._targets.get(uid, ()))
            if failing == (uid in self._failing):
                return
            (self._failing.add if failing else self._failing.discard)(uid)
        self._changed(uid, failing)
