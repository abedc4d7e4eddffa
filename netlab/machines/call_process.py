"""The process of an agent that answers one call: it runs the target in a process of its own, and moves its data.

That process has one thread and knows nothing of etcd: it reads descriptor 0, and writes 1 and 2. So a target is a
function, or becomes a program. This process copies what comes, and kills the other one when the caller is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

from netlab.errors import HostError, NetlabError, UsageError
from netlab.machines import calls
from netlab.machines.agent_output import say
from netlab.machines.call_request import Request
from netlab.machines.call_targets import TARGETS
from netlab.machines.incoming_calls import TAKEN
from netlab.machines.pipe import Reader, Writer
from netlab.machines.target_process import TargetProcess
from netlab.objects.names import LabName
from netlab.store.etcd_client import EtcdClient, b64, plain
from netlab.store.etcd_lease import Lease
from netlab.store.etcd_settings import EtcdSettings

_CHUNK = 1 << 16
_LOOK = 1.0
# Bytes of input that wait until the target reads them.
_MOST_INPUT = 16 << 20
# Seconds until a caller has taken the last answer.
_MOST_REST = 30.0


class _CallerGone(Exception):
    """The caller ended or closed the call."""


class _AgentEnded(Exception):
    """The agent ended."""


def answer(arguments: Mapping[str, Any], orders: socket.socket) -> None:
    """Answer a call until it ends, the caller is gone, or the agent closes ``orders``; run in a process of its own."""
    settings = EtcdSettings(**{**arguments["etcd"], "endpoints": tuple(arguments["etcd"]["endpoints"])})
    client = EtcdClient(settings)
    machine, id_ = arguments["machine"], arguments["id"]
    data = _taken(client, machine, id_)
    if data is None:
        return
    process, failed = None, None
    try:
        request = _request(data, machine, arguments["exec"], settings)
        if "argv" in request.arguments:
            say(f"lab {request.lab}: runs a program for a command")
        # It is forked before this process has threads.
        process = TargetProcess(request)
    except NetlabError as error:
        failed = error
    try:
        _Answering(client, id_, orders).run(process, failed)
    finally:
        if process is not None:
            process.end()


def _taken(client: EtcdClient, machine: str, id_: str) -> bytes | None:
    """Take a call and return its request; None where it is gone, or another process has taken it."""
    key = client.key(calls.DIRECTORY, machine, id_)
    found = client.call("kv/range", {"key": b64(key)}).get("kvs", ())
    if not found or (value := plain(found[0].get("value", ""))).startswith(TAKEN):
        return None
    mine = TAKEN + secrets.token_hex(8).encode()
    revision = found[0]["mod_revision"]
    answer = client.call(
        "kv/txn",
        {
            "compare": [{"key": b64(key), "target": "MOD", "result": "EQUAL", "mod_revision": revision}],
            "success": [{"request_put": {"key": b64(key), "value": b64(mine), "ignore_lease": True}}],
            "failure": [{"request_range": {"key": b64(key)}}],
        },
    )
    if answer.get("succeeded"):
        return value
    now = answer["responses"][0].get("response_range", {}).get("kvs", ())
    # The first try of the request had its effect, but its answer was lost.
    return value if now and plain(now[0].get("value", "")) == mine else None


def _request(data: bytes, machine: str, policy: str, settings: EtcdSettings) -> Request:
    """Return the request of a call; raises UsageError where it is not valid."""
    try:
        if len(data) > calls.MOST_REQUEST:
            raise ValueError("size")
        found = json.loads(data)
        what, lab, arguments = found["what"], found["lab"], found["arguments"]
        if what not in TARGETS or not isinstance(lab, str) or not isinstance(arguments, dict):
            raise ValueError("fields")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError("a call that cannot be read") from error
    return Request(what, LabName(lab), arguments, machine, policy, settings)


class _Answering:
    """Moves the data of one call between etcd and the process that does it."""

    def __init__(self, client: EtcdClient, id_: str, orders: socket.socket) -> None:
        self._orders = orders
        self._lease = Lease(client, client.settings.lease)
        self._answers = Writer(client, client.key(calls.ANSWERS, id_, ""), self._lease)
        client.call("kv/txn", {"success": [self._answers.opening()]})
        self._input = Reader(client, client.key(calls.INPUTS, id_, ""))
        # The caller had opened its pipe before this process took the call.
        self._input.opened = True
        self._gone = self._finished = False
        self._pending: list[tuple[bytes, bytes]] = []
        self._input_ended = False
        self._wake, self._woken = socket.socketpair()
        threading.Thread(target=self._read_input, name="netlab-input", daemon=True).start()

    def run(self, process: TargetProcess | None, failed: NetlabError | None) -> None:
        """Answer until the process ended and the caller knows it; ``failed`` is why there is no process."""
        try:
            try:
                if process is None:
                    outcome = _outcome(1, failed)
                else:
                    report = self._move(process)
                    outcome = {"status": process.end(), "error": [], "exitCode": 0, **report}
            except _AgentEnded:
                outcome = _outcome(1, HostError("the agent ended"))
            self._answers.write(calls.OUTCOME, json.dumps(outcome).encode(), self._check_caller)
            until = time.monotonic() + _MOST_REST
            while not self._gone and time.monotonic() < until:
                if select.select([self._woken], [], [], _LOOK)[0]:
                    self._woken.recv(1 << 12)
        except _CallerGone:
            pass
        except HostError as error:
            say(f"a call ended: {error}")
        finally:
            self._finished = True
            if process is not None:
                process.end()
            self._input.close()
            self._lease.revoke()

    def _move(self, process: TargetProcess) -> dict[str, Any]:
        """Copy input and outputs until the process ended; return its report, {} where it had none."""
        kinds = {process.out: calls.OUT, process.err: calls.ERR}
        reading = {*kinds, process.report, process.pidfd, self._woken.fileno(), self._orders.fileno()}
        report, waiting = bytearray(), bytearray()
        while True:
            writing = [process.into] if waiting and process.into >= 0 else []
            ready, writable, _ = select.select(reading, writing, [], _LOOK)
            self._check()
            if ready == [process.pidfd]:
                # All that it wrote before it ended is read.
                return dict(json.loads(report)) if report else {}
            for fd in ready:
                if fd == self._woken.fileno():
                    self._woken.recv(1 << 12)
                    self._take(process, waiting)
                elif fd not in (process.pidfd, self._orders.fileno()):
                    data = os.read(fd, _CHUNK)
                    if not data:
                        reading.discard(fd)
                    elif fd == process.report:
                        report += data
                    else:
                        self._answers.write(kinds[fd], data, self._check)
            if writable:
                try:
                    del waiting[: os.write(process.into, waiting)]
                except BrokenPipeError:
                    process.end_input()
                if self._input_ended and not waiting:
                    process.end_input()

    def _take(self, process: TargetProcess, waiting: bytearray) -> None:
        """Take the input that came."""
        while self._pending:
            kind, data = self._pending.pop(0)
            if kind == calls.INPUT and process.into >= 0:
                waiting += data
            self._input_ended = self._input_ended or kind == calls.END
        if len(waiting) > _MOST_INPUT:
            raise HostError(f"more than {_MOST_INPUT:,} bytes of input wait")
        if self._input_ended and not waiting:
            process.end_input()

    def _check(self) -> None:
        """Raise where the call must end: the caller is gone, the agent ended, or etcd was not reached."""
        self._check_caller()
        if select.select([self._orders], [], [], 0)[0] and not self._orders.recv(64):
            raise _AgentEnded

    def _check_caller(self) -> None:
        if self._gone:
            raise _CallerGone
        if not self._lease.alive:
            raise HostError("etcd was not reached for too long")

    def _read_input(self) -> None:
        """Note what the caller writes, until it is gone; run in a thread."""
        while not self._finished:
            try:
                self._pending += self._input.read(_LOOK)
                self._gone = self._input.gone
            except HostError:
                # The lease says when this took too long.
                time.sleep(_LOOK / 4)
            except Exception:
                self._gone = True
            if self._pending or self._gone:
                with contextlib.suppress(BlockingIOError):
                    self._wake.send(b"x", socket.MSG_DONTWAIT)
            if self._gone:
                return


def _outcome(status: int, error: NetlabError | None) -> dict[str, Any]:
    lines = str(error).splitlines()[:20] if error else []
    return {"status": status, "error": lines, "exitCode": error.exit_code if error else 0}
