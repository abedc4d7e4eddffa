"""Only ``netlab/kernel`` imports modules that call Linux; it and ``netlab/probe`` import no room above them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_statements import import_statements

import netlab

ROOT = Path(netlab.__file__).parent

# Sockets, C structures and calls, descriptors, limits, terminals and other programs. ``signal`` is not among them, as a
# command itself says how it ends.
SPEAK_TO_LINUX = frozenset(
    (
        "ctypes",
        "fcntl",
        "mmap",
        "pty",
        "pyroute2",
        "resource",
        "select",
        "selectors",
        "socket",
        "struct",
        "subprocess",
        "termios",
    )
)
_NODES = "is a part of netlab as the nodes, which answers the API server over sockets"
_STAND_IN = "is a part of the stand-in for agnhost, a program inside an endpoint"
_AGENT = "is a part of the agent, whose processes are joined by sockets"
# By file and module, why it may.
EXCEPTIONS = {
    ("conformance/cnis_by_packets.py", "socket"): "is a program inside an endpoint",
    ("control_plane/nodes/api_server_relay.py", "socket"): _NODES,
    ("control_plane/nodes/connecting.py", "socket"): _NODES,
    ("control_plane/nodes/egress.py", "socket"): _NODES,
    ("control_plane/nodes/into_lab.py", "socket"): _NODES,
    ("control_plane/nodes/kubelet.py", "socket"): _NODES,
    ("control_plane/nodes/port_forward.py", "socket"): _NODES,
    ("programs/agnhost/connect.py", "socket"): _STAND_IN,
    ("programs/agnhost/dial.py", "socket"): _STAND_IN,
    ("programs/agnhost/http.py", "socket"): _STAND_IN,
    ("programs/agnhost/netexec.py", "subprocess"): _STAND_IN,
    ("programs/agnhost/porter.py", "socket"): _STAND_IN,
    ("programs/agnhost/sctp.py", "socket"): _STAND_IN,
    ("programs/agnhost/sctp.py", "struct"): _STAND_IN,
    ("programs/agnhost/serve_hostname.py", "socket"): _STAND_IN,
    ("programs/agnhost/sockets.py", "socket"): _STAND_IN,
    ("programs/agnhost/text_server.py", "socket"): _STAND_IN,
    ("programs/agnhost/tls.py", "socket"): _STAND_IN,
    ("programs/agnhost/tls.py", "subprocess"): _STAND_IN,
    ("conformance/cnis_by_packets.py", "struct"): "is a program inside an endpoint",
    ("machines/agent.py", "select"): _AGENT,
    ("machines/agent.py", "socket"): _AGENT,
    ("machines/call_process.py", "select"): _AGENT,
    ("machines/call_process.py", "socket"): _AGENT,
    ("machines/incoming_calls.py", "socket"): _AGENT,
    ("machines/lab_process.py", "select"): _AGENT,
    ("machines/lab_process.py", "socket"): _AGENT,
    ("machines/packet_targets.py", "select"): _AGENT,
    ("machines/target_process.py", "select"): _AGENT,
    ("machines/packet_targets.py", "struct"): "writes frames to a pipe of netlab's own",
    ("probe/machines/participation.py", "select"): "waits for steps and packets at the same time",
    ("probe/capture_files.py", "struct"): "writes files, whose formats are of the IETF and not of Linux",
    ("probe/decode.py", "struct"): "reads packets, whose formats are of RFCs and not of Linux",
    ("probe/templates.py", "struct"): "writes packets",
    ("probe/scapy_packets.py", "struct"): "writes packets",
    ("programs/asking.py", "select"): "is a program inside an endpoint",
    ("programs/asking.py", "socket"): "is a program inside an endpoint",
    ("programs/asking.py", "struct"): "is a program inside an endpoint",
    ("programs/client.py", "socket"): "asks the resolver, and servers, inside an endpoint",
    ("programs/echo.py", "selectors"): "is a program of its own",
    ("programs/echo.py", "socket"): "is a program of its own",
    ("scenario/meanwhile.py", "select"): "waits for the first answer of a program inside an endpoint",
    ("store/etcd_lock.py", "socket"): "names this host in the lock",
    ("store/local.py", "fcntl"): "holds the lock of a folder of records",
}
# What a room may import of netlab, besides itself.
BELOW = {
    "kernel": ("errors", "frozen", "objects"),
    "probe": (
        "errors",
        "frozen",
        "patterns",
        "objects",
        "cluster",
        "modes",
        "kernel",
        "dataplane",
        "ruleset",
        "verdicts",
    ),
}


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it, by their whole names."""
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def speakers() -> set[tuple[str, str]]:
    """Each file outside of ``netlab/kernel`` with each module that it imports and that speaks to Linux."""
    outside = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "kernel"]
    found = {(path.relative_to(ROOT).as_posix(), name.partition(".")[0]) for path in outside for name in imported(path)}
    return {(path, name) for path, name in found if name in SPEAK_TO_LINUX}


def test_only_kernel_imports_what_speaks_to_linux():
    """Each exception is used, and has its reason."""
    assert set(EXCEPTIONS) == speakers()


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_what_stands_below_it(room):
    """A room above could import it back."""
    allowed = {"netlab", *(f"netlab.{name}" for name in (room, *BELOW[room]))}
    found = {
        (path.name, name)
        for path in (ROOT / room).rglob("*.py")
        for name in imported(path)
        if name.partition(".")[0] == "netlab" and ".".join(name.split(".")[:2]) not in allowed
    }

    assert set() == found
