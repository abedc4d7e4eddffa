"""The containers of pods that run programs: started in order, started again with growing pauses, and their states.

Source: Kubernetes, Pod Lifecycle: phases, states of containers, restartPolicy, init containers and sidecars.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.container_spec import Container
from netlab.errors import NetlabError

# Seconds: the kubelet's pauses before a program starts again, and how long it runs until the first pause counts.
_FIRST_PAUSE, _LONGEST_PAUSE, _LASTS = 10.0, 300.0, 600.0
_CANNOT_START = 128


class State(NamedTuple):
    """The state of a container: ``waiting``, ``running`` or ``terminated``, and what its status says of it."""

    kind: str
    reason: str = ""
    message: str = ""
    code: int = 0
    started: str = ""
    finished: str = ""

    def as_status(self, identity: str) -> dict[str, Any]:
        """Return it as an API object has it."""
        if self.kind == "running":
            return {"running": {"startedAt": self.started}}
        said = {"reason": self.reason} | ({"message": self.message} if self.message else {})
        if self.kind == "waiting":
            return {"waiting": said}
        times = {"startedAt": self.started, "finishedAt": self.finished}
        return {"terminated": {"exitCode": self.code, **said, **times, "containerID": identity}}


class Shown(NamedTuple):
    """What the status of a pod says of a container."""

    state: State
    last: State | None
    restarts: int


class Handle(Protocol):
    """A program that runs."""

    def send(self, number: int) -> None: ...


Start = Callable[[str, Container], Handle]
"""Starts the program of a container of a pod, by the pod's uid; raises NetlabError."""


class _Run:
    """One container: its state, and when it starts again."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.state = State("waiting", "PodInitializing")
        self.last: State | None = None
        self.restarts = 0
        self.program: Handle | None = None
        self.due = 0.0
        # When the program is killed, 0 for one that goes on.
        self.killed = 0.0
        self.pause = self.next_pause = 0.0
        self.since = 0.0

    def wait(self, now: float) -> None:
        """Let it start again after a pause; the first time there is none."""
        self.pause, self.next_pause = self.next_pause, min(2 * self.next_pause, _LONGEST_PAUSE) or _FIRST_PAUSE
        self.due = now + self.pause

    @property
    def done(self) -> bool:
        """Whether it has ended, and does not start again."""
        return self.state.kind == "terminated" and not self.starts_again

    @property
    def starts_again(self) -> bool:
        policy = self.container.restarts
        return policy == "Always" or (policy == "OnFailure" and self.state.code != 0)


class Containers:
    """The containers of all pods of which at least one runs a program.

    Args:
      start: starts a program.
      clock: the time in seconds.
    """

    def __init__(self, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        self._start, self._clock = start, clock
        self._pods: dict[str, list[_Run]] = {}
        self._ending: set[str] = set()

    def __contains__(self, uid: object) -> bool:
        return uid in self._pods

    def begin(self, uid: str, containers: Sequence[Container], before: Mapping[str, Mapping[str, Any]]) -> None:
        """Take a pod; ``before`` are the statuses of its containers, as another process may have written them."""
        runs = [_Run(one) for one in containers]
        for one in runs:
            _remember(one, before.get(one.container.name) or {})
        self._pods[uid] = runs
        self._advance(uid)

    def ended(self, uid: str, name: str, code: int, error: str) -> None:
        """Note that the program of a container has ended."""
        for one in self._pods.get(uid, ()):
            if one.container.name == name and one.state.kind == "running":
                reason = "StartError" if error else "Completed" if code == 0 else "Error"
                one.program, one.killed = None, 0.0
                one.state = State("terminated", reason, error, code, one.state.started, now())
                if self._clock() - one.since > _LASTS:
                    one.next_pause = 0.0
                one.wait(self._clock())
        self._advance(uid)

    def stop(self, uid: str) -> None:
        """The pod has to end: nothing starts again."""
        if uid in self._pods:
            self._ending.add(uid)

    def kill(self, uid: str) -> None:
        """Kill the programs of a pod."""
        self.stop(uid)
        for one in self._pods.get(uid, ()):
            if one.program is not None:
                one.program.send(signal.SIGKILL)

    def forget(self, uids: Iterable[str]) -> None:
        """Kill the programs of pods that are gone, and forget them."""
        for uid in uids:
            self.kill(uid)
            self._pods.pop(uid, None)
            self._ending.discard(uid)

    def restart(self, uid: str, name: str, grace: float) -> None:
        """End the program of a container, so that it starts again; it has ``grace`` seconds to end.

        A pod that has to end has been told so.
        """
        for one in self._pods.get(uid, ()) if uid not in self._ending else ():
            if one.container.name == name and one.program is not None:
                one.program.send(signal.SIGTERM)
                one.killed = self._clock() + grace

    def known(self) -> list[str]:
        """Return the uids of all pods."""
        return list(self._pods)

    def turn(self) -> set[str]:
        """Start and kill what is due; return the uids of the pods that have changed."""
        now_ = self._clock()
        for runs in self._pods.values():
            for one in runs:
                if one.program is not None and 0 < one.killed <= now_:
                    one.program.send(signal.SIGKILL)
                    one.killed = 0.0
        due = {uid for uid, runs in self._pods.items() for one in runs if self._waits(one) and one.due <= now_}
        due -= self._ending
        for uid in due:
            self._advance(uid)
        return due

    @property
    def waiting(self) -> bool:
        """Whether a container waits for the time of its next start, or of its end."""
        return any(
            self._waits(one) or one.killed
            for uid, runs in self._pods.items()
            if uid not in self._ending
            for one in runs
        )

    def shown(self, uid: str) -> dict[str, Shown] | None:
        """Return what the status says of the containers of a pod, None for a pod without programs."""
        runs = self._pods.get(uid)
        return None if runs is None else {one.container.name: Shown(one.state, one.last, one.restarts) for one in runs}

    def running(self, uid: str) -> list[str]:
        """Return the containers of a pod that have a program."""
        return [one.container.name for one in self._pods.get(uid, ()) if one.container.argv]

    def initialized(self, uid: str) -> bool:
        """Return whether all init containers have ended well, and sidecars run."""
        return all(_is_passed(one) for one in self._pods.get(uid, ()) if one.container.init)

    def phase(self, uid: str) -> str:
        """Return the phase of a pod."""
        runs = self._pods.get(uid, [])
        if any(one.container.first and one.done and one.state.code for one in runs):
            return "Failed"
        if not self.initialized(uid):
            return "Pending"
        main = [one for one in runs if not one.container.init]
        if main and all(one.done for one in main):
            return "Failed" if any(one.state.code for one in main) else "Succeeded"
        return "Running"

    def ready(self, uid: str) -> bool:
        """Return whether all containers run that should."""
        runs = self._pods.get(uid, [])
        return self.initialized(uid) and all(one.state.kind == "running" for one in runs if not one.container.first)

    def _waits(self, one: _Run) -> bool:
        return one.program is None and one.starts_again and one.state.kind != "running" and one.due > 0

    def _advance(self, uid: str) -> None:
        """Start what can start: each init container after the one before, and then the others together."""
        if uid in self._ending:
            return
        runs = self._pods.get(uid, [])
        if all(one.done for one in runs if not one.container.init):
            # The pod has finished: its sidecars end.
            for one in runs:
                if one.program is not None:
                    one.program.send(signal.SIGTERM)
            return
        for one in runs:
            if one.state.kind != "running" and not one.done:
                self._try(uid, one)
            if one.container.init and not _is_passed(one):
                return

    def _try(self, uid: str, one: _Run) -> None:
        again = one.state.kind == "terminated" or one.state.reason == "CrashLoopBackOff"
        if again and one.due > self._clock():
            if one.state.kind == "terminated":
                seconds = f"{one.pause:g}s"
                why = f"back-off {seconds} restarting failed container={one.container.name}"
                one.last, one.state = one.state, State("waiting", "CrashLoopBackOff", why, one.state.code)
            return
        if again:
            one.last = one.state if one.state.kind == "terminated" else one.last
            one.restarts += 1
        started = now()
        one.since, one.due = self._clock(), 0.0
        if not one.container.argv:
            # A pause; as an init container it has ended.
            ends = one.container.first
            one.state = State("terminated" if ends else "running", "Completed" if ends else "", "", 0, started, started)
            return
        try:
            one.program = self._start(uid, one.container)
            one.state = State("running", started=started)
        except NetlabError as error:
            one.state = State("terminated", "StartError", str(error), _CANNOT_START, started, started)
            one.wait(self._clock())
            if one.starts_again:
                self._try(uid, one)


def _is_passed(one: _Run) -> bool:
    """Return whether what comes after an init container can start."""
    if one.container.first:
        return one.done and one.state.code == 0
    return one.state.kind == "running" or one.restarts > 0


def _remember(one: _Run, before: Mapping[str, Any]) -> None:
    """Take over the state of a container from its status: netlab was started anew."""
    state = before.get("state") or {}
    one.restarts = int(before.get("restartCount") or 0)
    if ended := state.get("terminated"):
        one.state = State(
            "terminated",
            ended.get("reason", ""),
            ended.get("message", ""),
            int(ended.get("exitCode", 0)),
            ended.get("startedAt") or "",
            ended.get("finishedAt") or "",
        )
    elif "running" in state and one.container.argv:
        # Its program ended with the process that had started it.
        started = state["running"].get("startedAt") or ""
        one.state = State("terminated", "Error", "netlab was started anew", 128 + signal.SIGKILL, started, now())
        if one.container.restarts == "Never":
            return
    # It starts at once.
    one.due = 0.0
