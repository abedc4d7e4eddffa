"""Logs of observed flows: Hubble's JSON lines, the text of ``conntrack -L`` or ``-E``, and CSV.

The format is recognised by the first line with content. Sources: the Flow message of Cilium's API (flow.proto);
conntrack(8); /proc/net/nf_conntrack.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from ipaddress import IPv6Address
from typing import Any, Literal

from netlab.errors import InputError, Problem
from netlab.frozen import NamedTuple
from netlab.objects.addresses import plain_address
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.files import UnreadableError, standard_input, text_of
from netlab.objects.types import LAST_PORT, Address
from netlab.patterns import pattern

State = Literal["passed", "reply", "dropped", "unanswered", "other"]
"""``unanswered``: no reply was seen. ``other``: not a connection between two addresses with ports."""

_STDIN = "<stdin>"
_MOST_PROBLEMS = 20
_PAIR = pattern(r"\b(src|dst|sport|dport)=(\S+)")
_PROTOCOL = pattern(r"\b(tcp|udp|sctp)\b")
_PASSED = frozenset({"FORWARDED", "REDIRECTED", "AUDIT"})
_DROPPED = frozenset({"DROPPED", "ERROR"})
_CSV_DROPPED = frozenset({"deny", "denied", "drop", "dropped", "reject", "rejected", "block", "blocked"})
# The nodes of a cluster in Hubble's reserved labels.
_NODES = frozenset({"reserved:host", "reserved:remote-node", "reserved:health"})


class FlowEnd(NamedTuple):
    """One end of an observed flow: what the log says about it; parts that it does not say are empty."""

    namespace: str = ""
    pod: str = ""
    workload: str = ""
    labels: tuple[str, ...] = ()
    address: Address | None = None

    def __str__(self) -> str:
        name = self.pod or self.workload
        return f"{self.namespace}/{name}" if name else str(self.address or "?")


class ObservedFlow(NamedTuple):
    """One observed flow: the port is that of the destination.

    ``of_node``: the source is a node or the kubelet. ``seen_as``: the source's address as the destination sees it, if a
    node masqueraded the connection.
    """

    source: FlowEnd
    destination: FlowEnd
    protocol: str
    port: int
    state: State
    line: int
    of_node: bool = False
    seen_as: Address | None = None


def read_flows(path: str) -> list[ObservedFlow]:
    """Return the flows of a log; ``-`` is standard input. Of equal flows the first one is returned.

    Raises:
      InputError: if it cannot be read, has no format that netlab knows, or has lines of another form.
    """
    name, budget = (_STDIN if path == "-" else path), Budget()
    try:
        text = standard_input(None, budget) if path == "-" else text_of(path, budget)
    except (UnreadableError, TooLargeError) as error:
        raise InputError([Problem(name, getattr(error, "line", 0), "", "", str(error))]) from None
    return parse_flows(text, name)


def parse_flows(text: str, file: str) -> list[ObservedFlow]:
    """Return the flows of the text of a log; raises InputError as ``read_flows`` does."""
    # Not splitlines: other characters that end a line may be inside a value.
    rows = text.split("\n")
    first = next((line.strip() for line in rows if line.strip() and not line.lstrip().startswith("#")), "")
    if not first:
        raise InputError([Problem(file, 0, "", "", "no flows in it")])
    read: Callable[[str], ObservedFlow | None]
    start = 0
    if first.startswith("{"):
        read = _hubble
    elif "src=" in first or first.startswith("conntrack v"):
        read = _conntrack
    else:
        start = next(number for number, line in enumerate(rows) if line.strip() == first) + 1
        read = _csv_reader(first, file, start)
    found: dict[tuple[object, ...], ObservedFlow] = {}
    problems: list[Problem] = []
    for number, line in enumerate(rows[start:], start=start + 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            flow = read(line)
        except (ValueError, RecursionError) as error:
            if len(problems) < _MOST_PROBLEMS:
                problems.append(Problem(file, number, "", "", f"no flow: {error}"))
            continue
        if flow is not None:
            found.setdefault(flow._replace(line=0), flow._replace(line=number))
    if problems:
        raise InputError(problems)
    return list(found.values())


# --- Hubble ---------------------------------------------------------------------------------------------------------


def _hubble(line: str) -> ObservedFlow | None:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"invalid JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise ValueError("JSON that is nested too deep, or has a number that is too long") from None
    if not isinstance(data, dict):
        raise ValueError("a line of Hubble is a JSON object")  # noqa: TRY004 - as for other wrong lines
    # `hubble observe -o jsonpb` and the exporter write {"flow": …}; `-o json` wrote the flow itself.
    flow = data.get("flow", data)
    if not isinstance(flow, dict) or not ("verdict" in flow or "l4" in flow or "source" in flow):
        # Status of nodes, lost events, events of the agent.
        return None
    ip = _mapping(flow, "IP", "ip")
    source, destination = _hubble_end(flow, ip, "source"), _hubble_end(flow, ip, "destination")
    state, protocol, port = _hubble_state(flow), "", 0
    for name in ("TCP", "UDP", "SCTP"):
        layer = _mapping(_mapping(flow, "l4"), name, name.lower())
        if layer:
            protocol, port = name, _port(_first(layer, "destination_port", "destinationPort"))
            flags = _mapping(layer, "flags")
            if flags.get("SYN") and flags.get("ACK") and state == "passed":
                state = "reply"
    if not protocol:
        state = "other"
    of_node = bool(_NODES.intersection(source.labels))
    return ObservedFlow(_without_reserved(source), _without_reserved(destination), protocol, port, state, 0, of_node)


def _hubble_state(flow: Mapping[str, Any]) -> State:
    verdict = str(flow.get("verdict", ""))
    if verdict in _DROPPED:
        return "dropped"
    if verdict not in _PASSED:
        return "other"
    reply = _first(flow, "is_reply", "isReply", "reply")
    # BoolValue may be written as a mapping.
    return "reply" if reply is True or (isinstance(reply, dict) and reply.get("value")) else "passed"


def _hubble_end(flow: Mapping[str, Any], ip: Mapping[str, Any], name: str) -> FlowEnd:
    end = _mapping(flow, name)
    workloads = end.get("workloads")
    first = workloads[0] if isinstance(workloads, list) and workloads and isinstance(workloads[0], dict) else {}
    labels = end.get("labels")
    address = ip.get(name)
    return FlowEnd(
        _word(end.get("namespace")),
        _word(_first(end, "pod_name", "podName")),
        _word(first.get("name")),
        tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else (),
        _address(address) if isinstance(address, str) else None,
    )


def _without_reserved(end: FlowEnd) -> FlowEnd:
    """Return an end with the labels that the pod itself has; Cilium writes each as ``SOURCE:KEY=VALUE``."""
    own = []
    for label in end.labels:
        source, colon, rest = label.partition(":")
        word = rest if colon else source
        if source not in ("reserved", "cidr", "fqdn") and not word.startswith(("io.cilium.", "io.kubernetes.pod.")):
            own.append(word)
    return end._replace(labels=tuple(sorted(own)))


# --- conntrack ------------------------------------------------------------------------------------------------------


def _conntrack(line: str) -> ObservedFlow | None:
    if line.startswith("conntrack v"):
        return None
    found = _PROTOCOL.search(line)
    pairs = _PAIR.findall(line)
    if not pairs:
        raise ValueError("a line of conntrack has src= and dst=")
    original: dict[str, str] = {}
    reply: dict[str, str] = {}
    for key, value in pairs:
        (reply if key in original else original).setdefault(key, value)
    addresses = {key: _address(value) for key, value in original.items() if key in ("src", "dst")}
    if addresses.get("src") is None or addresses.get("dst") is None:
        raise ValueError("src= and dst= are addresses")
    if found is None or "dport" not in original:
        return ObservedFlow(FlowEnd(address=addresses["src"]), FlowEnd(address=addresses["dst"]), "", 0, "other", 0)
    # The reply comes from the endpoint of a translated connection, and from its own port.
    to = _address(reply.get("src", "")) or addresses["dst"]
    port = _port(reply.get("sport", original["dport"]))
    state: State = "unanswered" if "[UNREPLIED]" in line or "SYN_SENT" in line else "passed"
    seen = _address(reply.get("dst", ""))
    source, seen = FlowEnd(address=addresses["src"]), None if seen == addresses["src"] else seen
    return ObservedFlow(source, FlowEnd(address=to), found[1].upper(), port, state, 0, seen_as=seen)


# --- CSV ------------------------------------------------------------------------------------------------------------

_COLUMNS = {
    "source": ("source", "src", "from", "source_ip", "src_ip"),
    "destination": ("destination", "dst", "to", "destination_ip", "dst_ip", "dest"),
    "port": ("port", "destination_port", "dst_port", "dport"),
    "protocol": ("protocol", "proto"),
    "verdict": ("verdict", "action"),
}


def _csv_reader(header: str, file: str, line: int) -> Callable[[str], ObservedFlow]:
    """Return the function that reads a row below a header; raises InputError for another header."""
    names = [name.strip().lower() for name in next(csv.reader([header]))]
    at: dict[str, int] = {}
    for column, known in _COLUMNS.items():
        place = next((names.index(name) for name in known if name in names), None)
        if place is not None:
            at[column] = place
    missing = [column for column in ("source", "destination", "port") if column not in at]
    if missing:
        message = (
            f"neither Hubble's JSON lines nor the text of conntrack, nor CSV: no column {', '.join(missing)} (the first"
            " line of CSV is source,destination,port,protocol,verdict)"
        )
        raise InputError([Problem(file, line, "", "", message)])

    def read(row: str) -> ObservedFlow:
        cells = [cell.strip() for cell in next(csv.reader([row]))]
        values = {column: cells[place] if place < len(cells) else "" for column, place in at.items()}
        protocol = values.get("protocol", "").upper() or "TCP"
        state: State = "dropped" if values.get("verdict", "").lower() in _CSV_DROPPED else "passed"
        if protocol not in ("TCP", "UDP", "SCTP"):
            state = "other"
        port = 0 if state == "other" else _port(values["port"])
        return ObservedFlow(_csv_end(values["source"]), _csv_end(values["destination"]), protocol, port, state, 0)

    return read


def _csv_end(text: str) -> FlowEnd:
    address = _address(text)
    if address is not None:
        return FlowEnd(address=address)
    namespace, slash, name = text.rpartition("/")
    if not name:
        raise ValueError("an end is NAMESPACE/POD, NAMESPACE/WORKLOAD or an address")
    return FlowEnd(namespace if slash else "default", name, name)


# --- values ---------------------------------------------------------------------------------------------------------


def _address(text: str) -> Address | None:
    """Return the address that a text is, None for another text.

    A program with one socket for both IP families logs ``::ffff:192.0.2.1`` for an IPv4 address.
    """
    found = plain_address(text)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def _port(value: object) -> int:
    text = str(value if value is not None else "")
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:6]) <= LAST_PORT:
        raise ValueError(f"no port {text[:20]!r}")
    return int(text[:6])


def _mapping(data: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found = _first(data, *names)
    return found if isinstance(found, dict) else {}


def _first(data: Mapping[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if name in data), None)


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
