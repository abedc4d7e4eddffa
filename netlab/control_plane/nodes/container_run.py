"""One container of a pod: its state, and when it starts again."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any, Protocol

from netlab.control_plane.nodes.clock import now
from netlab.control_plane.nodes.container_spec import Container
from netlab.control_plane.nodes.hooks import POST_START, PRE_STOP
from netlab.frozen import NamedTuple

# Seconds: the kubelet's pauses before a program starts again.
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 300.0


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


class Run:
    """A container. ``state`` says ``running`` from the start of its program, also while its hook postStart runs."""

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
        # The hook that runs, and the number of its start.
        self.hook, self.number = "", 0
        # When nobody waits for the hook any more: at the end of the grace period, never for postStart. And whether it
        # could not start.
        self.hook_ends, self.hook_failed = 0.0, False

    def wait(self, now: float) -> None:
        """Let it start again after a pause; the first time there is none."""
        self.pause, self.next_pause = self.next_pause, min(2 * self.next_pause, _LONGEST_PAUSE) or _FIRST_PAUSE
        self.due = now + self.pause

    @property
    def starting(self) -> bool:
        """Whether its hook postStart runs."""
        return self.hook == POST_START

    @property
    def stopping(self) -> bool:
        """Whether its hook preStop runs, or its program was told to end."""
        return self.hook == PRE_STOP or self.killed > 0

    @property
    def up(self) -> bool:
        """Whether it runs, and no hook postStart runs."""
        return self.state.kind == "running" and not self.starting

    @property
    def done(self) -> bool:
        """Whether it has ended, and does not start again."""
        return self.state.kind == "terminated" and not self.starts_again

    @property
    def starts_again(self) -> bool:
        policy = self.container.restarts
        return policy == "Always" or (policy == "OnFailure" and self.state.code != 0)

    @property
    def passed(self) -> bool:
        """Whether what comes after an init container can start."""
        if self.container.first:
            return self.done and self.state.code == 0
        return self.up or (self.restarts > 0 and not self.starting)

    @property
    def shown(self) -> Shown:
        """What the status says of it."""
        state = State("waiting", "ContainerCreating") if self.starting else self.state
        return Shown(state, self.last, self.restarts)

    def remember(self, before: Mapping[str, Any]) -> None:
        """Take over the state from its status: netlab was started anew."""
        state = before.get("state") or {}
        self.restarts = int(before.get("restartCount") or 0)
        if ended := state.get("terminated"):
            self.state = State(
                "terminated",
                ended.get("reason", ""),
                ended.get("message", ""),
                int(ended.get("exitCode", 0)),
                ended.get("startedAt") or "",
                ended.get("finishedAt") or "",
            )
        elif "running" in state:
            started = state["running"].get("startedAt") or ""
            if not self.container.argv:
                # A container without a program goes on, and its hook postStart has run.
                self.state = State("running", started=started)
                return
            # Its program ended with the process that had started it.
            self.state = State("terminated", "Error", "netlab was started anew", 128 + signal.SIGKILL, started, now())
            if self.container.restarts == "Never":
                return
        # It starts at once.
        self.due = 0.0
