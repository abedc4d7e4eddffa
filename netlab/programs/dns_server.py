"""The lab's DNS server: answers over UDP and TCP from a snapshot of the lab.

Arguments: the ports, then the file of the snapshot. A change of the lab renames a new file into the place of the old
one. The server looks at the file before each answer, so an answer is never older than the last change. A message that
cannot be read gets an error code; no message ends the server.

Source: RFC 1035, RFC 6891 (EDNS), RFC 7766 (TCP); negative answers: RFC 2308.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype

# dnspython imports these with the first record of the type. By then the server may not be able to read them.
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.NS
import dns.rdtypes.ANY.OPT
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.SOA
import dns.rdtypes.ANY.TXT
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.IN.SRV
import dns.rrset

from netlab.kernel.message_server import MessageServer
from netlab.programs.dns_records import Answer, Record, Zone

# Seconds that a client may keep an answer; CoreDNS has the same.
_TTL = 5
# Bytes: the largest answer over UDP to a client with EDNS and without, and over TCP. 1232 fits every path unfragmented.
_UDP, _UDP_WITHOUT_EDNS, _TCP = 1232, 512, 65535
_HEADER = 12
_CODES = {"NOERROR": dns.rcode.NOERROR, "NXDOMAIN": dns.rcode.NXDOMAIN, "REFUSED": dns.rcode.REFUSED}
_WEIGHT = "0 100"
# How many refused names get a line in the output.
_MOST_NOTES = 1000


class Responder:
    """Answers messages from the snapshot in a file, and reads each new file once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._zone: Zone | None = None
        self._noted: set[str] = set()
        self._turn = 0

    def zone(self) -> Zone | None:
        """Return the zone of the present snapshot, None if none can be read."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            status = os.stat(self._file)
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._zone = Zone(json.loads(self._file.read_bytes()))
                self._stamp = stamp
        return self._zone

    def answer(self, message: bytes, stream: bool) -> bytes:
        """Return the answer to a message, empty if it gets none; ``stream`` says that it came over TCP."""
        if len(message) < _HEADER or message[2] & 0x80:
            # It is too short, or is an answer.
            return b""
        try:
            query = dns.message.from_wire(message, ignore_trailing=True)
        except Exception:  # a message may contain anything
            # The header alone, with the code "format error".
            code = message[2] & 0x79 | 0x80
            return message[:2] + bytes((code, dns.rcode.FORMERR)) + bytes(8)
        response = self._respond(query)
        # Without this dnspython shuffles each set.
        return response.to_wire(max_size=_most(query, stream), prefer_truncation=True, want_shuffle=False)

    def _respond(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, our_payload=_UDP)
        if query.edns > 0:
            response.set_rcode(dns.rcode.BADVERS)
        elif query.opcode() != dns.opcode.QUERY:
            response.set_rcode(dns.rcode.NOTIMP)
        elif len(query.question) != 1:
            response.set_rcode(dns.rcode.FORMERR)
        else:
            try:
                self._fill(response, query.question[0])
            except Exception as error:
                note(f"{type(error).__name__}: {error}")
                response.set_rcode(dns.rcode.SERVFAIL)
        return response

    def _fill(self, response: dns.message.Message, question: dns.rrset.RRset) -> None:
        kind = dns.rdatatype.to_text(question.rdtype)
        zone = self.zone()
        if zone is None:
            response.set_rcode(dns.rcode.SERVFAIL)
            return
        name = question.name.to_text(omit_final_dot=True)
        found = Answer("REFUSED")
        if question.rdclass == dns.rdataclass.IN and kind not in ("AXFR", "IXFR"):
            found = zone.find(name, kind)
        response.set_rcode(_CODES[found.code])
        if found.code == "REFUSED":
            self._note_outside(name)
            return
        response.flags |= dns.flags.AA
        self._turn += 1
        response.answer = list(self._sets(found.records))
        response.additional = list(self._sets(found.extra))
        if found.authority:
            response.authority = list(self._sets([Record(found.authority, "SOA", found.authority)]))

    def _sets(self, records: Iterable[Record]) -> Iterable[dns.rrset.RRset]:
        """Yield records as sets of one name and type; each answer begins with the next address."""
        together: dict[tuple[str, str], list[str]] = {}
        for record in records:
            together.setdefault((record.name, record.type), []).append(record.data)
        for (name, kind), data in together.items():
            start = self._turn % len(data) if kind in ("A", "AAAA") else 0
            rdatas = [_rdata(kind, one) for one in (*data[start:], *data[:start])]
            yield dns.rrset.from_rdata_list(_name(name), _TTL, rdatas)

    def _note_outside(self, name: str) -> None:
        low = name.lower()
        if low not in self._noted and len(self._noted) < _MOST_NOTES:
            self._noted.add(low)
            note(f"refused {name!r}: it is outside of the lab, and no host of the Topology has it in hostnames")


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(f"{text}.")


def _rdata(kind: str, data: str) -> dns.rdata.Rdata:
    match kind:
        case "A" | "AAAA":
            text = data
        case "SRV":
            text = f"{_WEIGHT} {data}."
        case "TXT":
            text = f'"{data}"'
        case "SOA":
            # CoreDNS has these numbers. The last one says how long a client may keep a negative answer.
            text = f"ns.dns.{data}. hostmaster.{data}. 1 7200 1800 86400 {_TTL}"
        case _:
            text = f"{data}."
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), text)


def _most(query: dns.message.Message, stream: bool) -> int:
    if stream:
        return _TCP
    return min(max(query.payload, _UDP_WITHOUT_EDNS), _UDP) if query.edns >= 0 else _UDP_WITHOUT_EDNS


def note(text: Any) -> None:
    """Write a line to the program's output, unless its file is full."""
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{str(text)[:500]}\n")
        sys.stderr.flush()


def main() -> None:
    """Serve until the program is ended."""
    *ports, file = sys.argv[1:]
    responder = Responder(Path(file))
    server = MessageServer([int(port) for port in ports], responder.answer, lambda error: note(repr(error)))
    responder.zone()
    server.serve()
