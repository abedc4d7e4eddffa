"""Probes of containers: of readiness, of liveness and at the start; by TCP, by HTTP and by a command.

A container whose program runs has to pass its probes, as with a kubelet. One that is a pause has only probes of
readiness by TCP and HTTP, and a closed port says nothing: the probe passes. Where a program listens, as one that
``kubectl exec`` started, its answer counts. A container that does not run is not asked, and the initial delay begins
with each of its starts. Source: core/v1 Probe; the kubelet's prober (pkg/probe, pkg/kubelet/prober/worker.go).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from netlab.control_plane.nodes.per_pod import PerPod, Work
from netlab.frozen import NamedTuple
from netlab.kernel.ask_port import Answer

_LOOK = 0.5
_SHORTEST = 0.1
# Seconds that a probe may wait for its answer. A user may write any number.
_LONGEST = 60.0
READINESS, LIVENESS, STARTUP = "readinessProbe", "livenessProbe", "startupProbe"


class Probe(NamedTuple):
    """A probe of a container: a connection, with a path a request of HTTP, or a command.

    ``has_program``: the container's program runs, so it has to answer.
    """

    port: int
    path: str = ""
    host: str = ""
    period: float = 10.0
    timeout: float = 1.0
    failures: int = 3
    delay: float = 0.0
    successes: int = 1
    kind: str = READINESS
    container: str = ""
    command: tuple[str, ...] = ()
    has_program: bool = False

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
            return answer == "nobody" and not self.has_program
        if not self.path:
            return True
        words = answer.split(b" ", 2)
        return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1][:1] in (b"2", b"3")


def probes_of(pod: Mapping[str, Any], running: Collection[str] = ()) -> list[Probe]:
    """Return the probes of a pod that netlab can ask; ``running`` are its containers whose programs run."""
    spec = pod["spec"]
    sidecars = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    return [probe for one in (*sidecars, *(spec.get("containers") or ())) for probe in _of_container(one, running)]


def _of_container(container: Mapping[str, Any], running: Collection[str]) -> Iterator[Probe]:
    has_program = container.get("name") in running
    for kind in (READINESS, LIVENESS, STARTUP) if has_program else (READINESS,):
        written = container.get(kind)
        found = _asked(container, written) if written else None
        if written and found and (found.port or has_program):
            yield found._replace(
                period=float(written.get("periodSeconds") or 10),
                timeout=min(float(written.get("timeoutSeconds") or 1), _LONGEST),
                failures=int(written.get("failureThreshold") or 3),
                delay=float(written.get("initialDelaySeconds") or 0),
                successes=int(written.get("successThreshold") or 1),
                kind=kind,
                container=container.get("name", ""),
                has_program=has_program,
            )


def _asked(container: Mapping[str, Any], written: Mapping[str, Any]) -> Probe | None:
    """Return what a probe asks, None for one that netlab cannot ask."""
    if command := (written.get("exec") or {}).get("command"):
        return Probe(0, command=tuple(command))
    kind = written.get("httpGet") or written.get("tcpSocket")
    port = None if kind is None else _number(container, kind.get("port"))
    # An address other than the pod's, or TLS, is not asked.
    if kind is None or port is None or kind.get("host") or kind.get("scheme", "HTTP") != "HTTP":
        return None
    path = str(kind.get("path") or "/") if "httpGet" in written else ""
    if path and not path.isprintable():
        return None
    return Probe(port, path and f"/{path.lstrip('/')}".replace(" ", "%20"), f"port-{port}")


def _number(container: Mapping[str, Any], port: object) -> int | None:
    if isinstance(port, int):
        return port
    return next((int(one["containerPort"]) for one in container.get("ports") or () if one.get("name") == port), None)


class _Target:
    """What is known of one probe of one pod."""

    def __init__(self, probe: Probe, now: float) -> None:
        self.probe = probe
        # When the probe's container was started, and since when netlab knows the probe.
        self.since, self._first = 0.0, now
        # Whether it is asked now. An answer counts if ``number`` is what it was at the question.
        self.asked, self.number = False, 0
        self.begin(now)

    def begin(self, now: float) -> None:
        """The program has just started: it is not ready until it has passed, and alive until it has failed."""
        self.number += 1
        self.due = now + self.probe.delay
        self.failed = self.passed = 0
        self.up = not self.probe.has_program or self.probe.kind == LIVENESS

    def start(self, since: float) -> None:
        """Its container was started anew, if the time is another one than before."""
        if since != self.since:
            self.since = since
            self.begin(max(since, self._first))

    def take(self, *, passes: bool, now: float) -> None:
        self.failed = 0 if passes else self.failed + 1
        self.passed = self.passed + 1 if passes else 0
        if self.passed >= self.probe.successes:
            self.up = True
        elif self.failed >= self.probe.failures:
            self.up = False
        self.due = now + max(self.probe.period, _SHORTEST)

    @property
    def kills(self) -> bool:
        """Whether the program has to start anew."""
        return self.probe.kind != READINESS and self.failed >= self.probe.failures


class Prober:
    """Probes pods in a thread of its own.

    Args:
      ask: asks a port of a pod, by the pod's uid, from the pod's node; or runs a command in its container. None says
        nothing about the pod.
      changed: called with the uid of a pod whose probes fail now, or pass again.
      restart: called with a pod's uid and a container that has to start anew.
      later: does work for a pod in another thread, by default as PerPod: a pod whose probes are silent delays no other.
      since: returns when the container of a probe was started, by its pod's uid; None while the probe can have no
        answer, as the container does not run. It is called in the threads of probes.
    """

    def __init__(
        self,
        ask: Callable[[str, Probe], Answer | None],
        changed: Callable[[str, bool], object],
        restart: Callable[[str, str], object] = lambda uid, container: None,
        later: Callable[[str, Work], object] | None = None,
        since: Callable[[str, Probe], float | None] = lambda uid, probe: 0.0,
    ) -> None:
        self._ask, self._changed, self._restart, self._since = ask, changed, restart, since
        self._targets: dict[str, list[_Target]] = {}
        self._failing: set[str] = set()
        self._lock = threading.Lock()
        self._later = later or PerPod().later

    def follow(
        self, pods: Iterable[Mapping[str, Any]], now: float, running: Callable[[str], Collection[str]] = lambda uid: ()
    ) -> list[str]:
        """Probe these pods from now on, as far as they have probes and were not probed before.

        Return the uids of those that are not ready until they pass. ``running`` returns the containers of a pod whose
        programs run.
        """
        unready = []
        for pod in pods:
            uid = pod["metadata"]["uid"]
            with self._lock:
                if uid not in self._targets and (probes := probes_of(pod, running(uid))):
                    self._targets[uid] = [_Target(one, now) for one in probes]
                    if self._fails(uid):
                        self._failing.add(uid)
                        unready.append(uid)
        return unready

    def forget(self, uids: Iterable[str]) -> None:
        with self._lock:
            for uid in uids:
                self._targets.pop(uid, None)
                self._failing.discard(uid)

    def begin(self, uid: str, container: str, now: float) -> None:
        """The program of a container starts anew."""
        with self._lock:
            for one in self._targets.get(uid, ()):
                if one.probe.container == container:
                    one.begin(now)
        self._tell(uid)

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
            asked = [(uid, one, of) for uid, of in self._targets.items() for one in of if self._can_answer(uid, one)]
            due = [(uid, one) for uid, one, of in asked if one.due <= now and not one.asked and _is_its_turn(one, of)]
            for _, one in due:
                one.asked = True
        for uid, one in due:
            self._later(uid, partial(self._ask_one, uid, one, now))

    def _can_answer(self, uid: str, one: _Target) -> bool:
        """Return whether a probe can have an answer now; if not, the answer that it waits for does not count either."""
        since = self._since(uid, one.probe)
        if since is None:
            one.number += 1
        else:
            one.start(since)
        return since is not None

    def _ask_one(self, uid: str, one: _Target, now: float) -> None:
        with self._lock:
            number, wanted = one.number, uid in self._targets
        answer = self._ask(uid, one.probe) if wanted else None
        with self._lock:
            one.asked = False
            # An answer about a program that has ended since says nothing about the next one.
            if answer is None or uid not in self._targets or not self._can_answer(uid, one) or number != one.number:
                return
            one.take(passes=one.probe.passes(answer), now=now)
            kills = one.kills
        if kills:
            self._restart(uid, one.probe.container)
            self.begin(uid, one.probe.container, now + one.probe.period)
        self._tell(uid)

    def _fails(self, uid: str) -> bool:
        return not all(one.up for one in self._targets.get(uid, ()) if one.probe.kind != LIVENESS)

    def _tell(self, uid: str) -> None:
        with self._lock:
            failing = self._fails(uid)
            if failing == (uid in self._failing):
                return
            (self._failing.add if failing else self._failing.discard)(uid)
        self._changed(uid, failing)


def _is_its_turn(one: _Target, of: list[_Target]) -> bool:
    """Return whether a probe is asked: before the program has started only that of its start, and afterwards not."""
    start = next((two for two in of if two.probe.kind == STARTUP and two.probe.container == one.probe.container), None)
    return start is None or (one is start) != start.up
