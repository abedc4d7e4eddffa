"""The DNS server's answers as messages: codes, EDNS, truncation, new snapshots, and invalid messages."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns_objects
import pytest

from netlab.programs import dns_snapshot
from netlab.programs.dns_server import Responder

Ask = Callable[..., dns.message.Message]
MANY = {"version": 1, "zone": "z", "namespaces": ["n"], "hosts": {}}
HEADLESS = {f"10-0-{i // 250}-{i % 250}": [f"10.0.{i // 250}.{i % 250}"] for i in range(200)}


def responder(file: Path, data: object) -> Responder:
    file.write_text(json.dumps(data))
    return Responder(file)


@pytest.fixture
def server(tmp_path: Path) -> Responder:
    return responder(tmp_path / "snapshot.json", dns_snapshot.of(dns_objects.cluster()))


def asked(server: Responder, name: str, kind: str = "A", *, stream: bool = False, **how: object) -> dns.message.Message:
    query = dns.message.make_query(name, kind, **how)  # type: ignore[arg-type]
    return dns.message.from_wire(server.answer(query.to_wire(), stream))


def test_an_answer_is_authoritative_and_has_the_question_as_asked(server: Responder) -> None:
    found = asked(server, "Plain.shop.svc.cluster.local")

    assert dns.flags.AA in dns.flags.Flag(found.flags)
    assert "Plain.shop.svc.cluster.local. 5 IN A 10.96.77.77" == found.answer[0].to_text()
    assert "Plain.shop.svc.cluster.local." == found.question[0].name.to_text()


def test_every_type_of_record_can_be_encoded(server: Responder) -> None:
    zone = "cluster.local"
    names = {
        f"bar.shop.svc.{zone}": "CNAME",
        f"_http._tcp.front.shop.svc.{zone}": "SRV",
        "77.77.96.10.in-addr.arpa": "PTR",
        f"dns-version.{zone}": "TXT",
        zone: "SOA",
    }
    for name, kind in names.items():
        assert [dns.rdatatype.from_text(kind)] == [one.rdtype for one in asked(server, name, kind).answer]
    assert 2 == len(asked(server, zone, "ANY").answer)


def test_a_negative_answer_has_the_soa(server: Responder) -> None:
    missing, empty = asked(server, "nope.shop.svc.cluster.local"), asked(server, "plain.shop.svc.cluster.local", "AAAA")

    assert (dns.rcode.NXDOMAIN, dns.rcode.NOERROR) == (missing.rcode(), empty.rcode())
    for found in (missing, empty):
        assert [] == found.answer
        assert [dns.rdatatype.SOA] == [one.rdtype for one in found.authority]


def test_names_outside_are_refused_with_one_note_each(server: Responder, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(3):
        assert dns.rcode.REFUSED == asked(server, "www.example.org").rcode()

    assert 1 == capsys.readouterr().err.count("refused 'www.example.org'")


def test_an_answer_too_long_for_udp_is_truncated_and_whole_over_tcp(tmp_path: Path) -> None:
    """Without EDNS 512 bytes fit, with EDNS at most 1,232."""
    service = {"endpoints": HEADLESS, "ports": {}}
    server = responder(tmp_path / "s", {**MANY, "services": {"n/web": service}})
    for how in ({}, {"use_edns": 0, "payload": 4096}):
        query = dns.message.make_query("web.n.svc.z", "A", **how)  # type: ignore[arg-type]
        wire = server.answer(query.to_wire(), False)
        assert len(wire) <= 1232
        assert dns.flags.TC in dns.flags.Flag(dns.message.from_wire(wire).flags)
    whole = asked(server, "web.n.svc.z", stream=True)

    assert 200 == len(whole.answer[0])
    assert dns.flags.TC not in dns.flags.Flag(whole.flags)


def test_addresses_take_turns_at_the_first_place(tmp_path: Path) -> None:
    """CoreDNS does the same with its plugin loadbalance."""
    service = {"endpoints": {"a": ["10.0.0.1"], "b": ["10.0.0.2"]}, "ports": {}}
    server = responder(tmp_path / "s", {**MANY, "services": {"n/web": service}})

    assert {"10.0.0.1", "10.0.0.2"} == {asked(server, "web.n.svc.z").answer[0][0].to_text() for _ in range(4)}


def test_a_new_snapshot_counts_from_its_renaming(server: Responder, tmp_path: Path) -> None:
    """A snapshot that cannot be read leaves the old one."""
    new = dns_snapshot.of(dns_objects.cluster(dns_objects.text().replace("10.96.77.77", "10.96.77.78")))
    name = "plain.shop.svc.cluster.local"
    assert "10.96.77.77" == asked(server, name).answer[0][0].to_text()

    for text in (json.dumps(new), "{", "[]", "null"):
        (tmp_path / "new").write_text(text)
        os.replace(tmp_path / "new", tmp_path / "snapshot.json")
        assert "10.96.77.78" == asked(server, name).answer[0][0].to_text()


def test_without_a_snapshot_the_answer_is_servfail(tmp_path: Path) -> None:
    assert dns.rcode.SERVFAIL == asked(Responder(tmp_path / "none"), "a.z").rcode()


def test_what_is_not_a_question_gets_an_error_code(server: Responder) -> None:
    update = dns.message.make_query("z", "A")
    update.set_opcode(dns.opcode.STATUS)
    two = dns.message.make_query("z", "A")
    two.question.append(two.question[0])
    cases = {
        dns.rcode.NOTIMP: update.to_wire(),
        dns.rcode.FORMERR: two.to_wire(),
        dns.rcode.REFUSED: dns.message.make_query("z", "AXFR").to_wire(),
        dns.rcode.BADVERS: dns.message.make_query("z", "A", use_edns=1).to_wire(),
    }
    for code, wire in cases.items():
        assert code == dns.message.from_wire(server.answer(wire, True)).rcode()
    chaos = dns.message.make_query("version.bind", "TXT", "CH")
    assert dns.rcode.REFUSED == dns.message.from_wire(server.answer(chaos.to_wire(), False)).rcode()


def test_an_answer_gets_no_answer(server: Responder) -> None:
    """Otherwise two servers would send each other messages forever."""
    query = dns.message.make_query("a.z", "A")
    query.flags |= dns.flags.QR

    assert b"" == server.answer(query.to_wire(), False)
    assert b"" == server.answer(b"short", False)


def test_no_bytes_break_the_server(server: Responder) -> None:
    """The bytes are random, or a header with random bytes, or a message that is cut or changed."""
    drawn = random.Random(7)  # noqa: S311  no secret
    whole = dns.message.make_query("_http._tcp.front.shop.svc.cluster.local", "SRV", use_edns=0).to_wire()
    cases = [drawn.randbytes(drawn.randrange(600)) for _ in range(500)]
    cases += [whole[:2] + bytes((drawn.randrange(128), 0)) + drawn.randbytes(drawn.randrange(200)) for _ in range(500)]
    cases += [whole[:at] for at in range(len(whole))]
    for _ in range(2000):
        at = drawn.randrange(len(whole))
        cases.append(whole[:at] + drawn.randbytes(1) + whole[at + 1 :])
    for case in cases:
        for stream in (False, True):
            found = server.answer(case, stream)
            assert isinstance(found, bytes)
            if found:
                assert found[:2] == case[:2]
                assert found[2] & 0x80
