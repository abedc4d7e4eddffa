"""Calls to agents: a command has another machine of a lab do something there, through etcd.

A call is like a program: it has arguments, an input, two outputs and an exit status. The caller puts
``calls/MACHINE/ID``, and writes ``inputs/ID/…``; a process of the agent answers in ``answers/ID/…``. All keys belong to
leases. If the caller is killed or closes the call, the process and its programs end; if the machine is away, the
caller learns it.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from netlab.errors import HostError, NetlabError, UsageError
from netlab.lab import notices
from netlab.machines import own_machine, registry
from netlab.machines.pipe import Reader, Writer
from netlab.store.etcd_client import EtcdClient, b64, revision_of
from netlab.store.etcd_lease import Lease

DIRECTORY, INPUTS, ANSWERS = "calls", "inputs", "answers"
INPUT, END = b"i", b"e"
OUT, ERR, OUTCOME = b"1", b"2", b"x"
READY = b"ready\n"
"""What a target writes first that goes on until its input ends."""

MOST_REQUEST = 1 << 19
"""Bytes of a request: what is called, and its arguments."""

# Seconds: an agent takes a call at once, unless it has too many.
_MOST_UNTAKEN = 30.0
_LOOK = 1.0
# Bytes of an answer that is kept whole.
_MOST_ANSWER = 64 << 20


class Call:
    """A call to a machine, as a context manager; the end of the block ends what it does there.

    Args:
      client: the client.
      machine: the name of the machine.
      lab: the lab that the call is about.
      what: the name of what is called, a key of ``call_targets.TARGETS``.
      arguments: its arguments, as JSON has them.

    Raises:
      HostError: if the machine is away or has another version of netlab, or etcd is not reached.
      UsageError: if the arguments are too large.
    """

    def __init__(self, client: EtcdClient, machine: str, lab: str, what: str, arguments: Mapping[str, Any]) -> None:
        self.machine = machine
        self.status: int | None = None
        self._client = client
        self._began = self._looked = time.monotonic()
        self._error: NetlabError | None = None
        known = registry.machines(client).get(machine)
        if known is None:
            raise away(machine)
        registry.check_alike([known], own_machine.version())
        data = json.dumps({"what": what, "lab": lab, "arguments": dict(arguments)}).encode()
        if len(data) > MOST_REQUEST:
            raise UsageError(f"arguments of {len(data):,} bytes are too many for another machine")
        id_ = secrets.token_hex(8)
        self._lease = Lease(client, client.settings.lease)
        try:
            self._input = Writer(client, client.key(INPUTS, id_, ""), self._lease)
            key = client.key(DIRECTORY, machine, id_)
            put = {"key": b64(key), "value": b64(data), "lease": str(self._lease.number)}
            answer = client.call("kv/txn", {"success": [self._input.opening(), {"request_put": put}]})
            self._answers = Reader(client, client.key(ANSWERS, id_, ""), revision_of(answer))
        except BaseException:
            self._lease.revoke()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the call; what it still does there ends, and its keys go."""
        self._answers.close()
        self._lease.revoke()

    def write(self, data: bytes) -> None:
        """Give data to its input; raises HostError."""
        self._input.write(INPUT, data, self._check)

    def end_input(self) -> None:
        """End its input; raises HostError."""
        self._input.write(END, b"", self._check)

    @property
    def ended(self) -> bool:
        """Whether it has ended; then ``status`` is its exit status, negative for a signal."""
        return self.status is not None or self._error is not None

    def read(self, seconds: float) -> list[tuple[bytes, bytes]]:
        """Wait some seconds for output, and return what came, each with ``OUT`` or ``ERR``.

        Raises:
          HostError, UsageError: what stopped the call there, after all output was returned; or if the machine is away
            or etcd is not reached.
        """
        if self._error is not None:
            raise self._error
        if self.status is not None:
            return []
        found = []
        for kind, data in self._answers.read(seconds):
            if kind == OUTCOME:
                self._end(data)
            else:
                found.append((kind, data))
        if not found and self._error is not None:
            raise self._error
        if not found and not self.ended:
            self._check()
        return found

    def output(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all output as it comes, until the call ends; raises as ``read`` does."""
        while not self.ended:
            yield from self.read(_LOOK)
        if self._error is not None:
            raise self._error

    def until_ready(self) -> bytes:
        """Wait until the target has written ``READY``; return what it wrote after that. Raises as ``read`` does."""
        data = b""
        while READY not in data:
            if self.ended:
                # It raises the error.
                self.read(0)
                raise HostError(f"machine {self.machine} ended the call")
            data += b"".join(part for kind, part in self.read(_LOOK) if kind == OUT)
        return data.partition(READY)[2]

    def answer(self) -> bytes:
        """Return all that it writes to ``OUT``; lines on ``ERR`` are notices. Raises as ``read`` does."""
        parts: dict[bytes, bytearray] = {OUT: bytearray(), ERR: bytearray()}
        for kind, data in self.output():
            parts[kind] += data
            if len(parts[kind]) > _MOST_ANSWER:
                raise HostError(f"machine {self.machine}: an answer of more than {_MOST_ANSWER:,} bytes")
        for line in parts[ERR].decode(errors="replace").splitlines():
            notices.notice(f"{line} (machine {self.machine})")
        if self.status:
            raise HostError(f"machine {self.machine}: the call ended with status {self.status}")
        return bytes(parts[OUT])

    def _check(self) -> None:
        """Raise HostError where no answer can come any more."""
        if self._answers.gone:
            if self.machine not in registry.machines(self._client):
                raise away(self.machine)
            raise HostError(f"machine {self.machine} ended the call")
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        if not self._lease.alive:
            raise HostError("etcd was not reached for too long")
        if not self._answers.opened:
            if self.machine not in registry.machines(self._client):
                raise away(self.machine)
            if now - self._began > _MOST_UNTAKEN:
                raise HostError(f"machine {self.machine} did not take the call in {_MOST_UNTAKEN:g} s", "try again")

    def _end(self, data: bytes) -> None:
        try:
            outcome = json.loads(data)
            status, code = int(outcome["status"]), int(outcome["exitCode"])
            lines = [f"machine {self.machine}: {str(line)[:2000]}" for line in outcome["error"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            self._error = HostError(f"machine {self.machine} gave an answer that cannot be read")
            return
        if not lines:
            self.status = status
        elif code == UsageError.exit_code:
            self._error = UsageError(*lines)
        else:
            self._error = HostError("; ".join(lines))


def away(machine: str) -> HostError:
    """Return the error that a machine is away."""
    return HostError(f"machine {machine} is away")


def ask(client: EtcdClient, machines: Sequence[str], lab: str, what: str, arguments: Mapping[str, Any]) -> list[bytes]:
    """Call several machines at the same time, without input; return the answer of each.

    Raises:
      HostError, UsageError: as ``Call`` and ``Call.read`` do, for the first machine that fails.
    """
    with contextlib.ExitStack() as stack:
        calls = [stack.enter_context(Call(client, machine, lab, what, arguments)) for machine in machines]
        return [one.answer() for one in calls]
