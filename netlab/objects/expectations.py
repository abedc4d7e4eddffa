"""Decodes the expectations of a scenario. The fields of an expectation say what it is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, get_args

from netlab.objects.addresses import plain_address
from netlab.objects.field_types import ADDRESS, Choice, Flag, Raw, Text, Texts, Whole, int_or_text
from netlab.objects.fields import Fields, forbidden, invalid, mistyped, required, unsupported
from netlab.objects.scenarios import (
    TIMEOUT,
    Expectation,
    HttpExpectation,
    LookupExpectation,
    ProgramExpectation,
    RunExpectation,
    Verdict,
)
from netlab.objects.shapes import Field, Shape
from netlab.objects.types import Address

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_PROTOCOLS = ("TCP", "UDP", "SCTP", "ICMP")
_VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
_URLS = ("http://", "https://")


class _Expectation(
    Shape,
    strict=True,
    any_of=[
        ("from", "to", "verdict"),
        ("oracle",),
        ("from", "to", "status"),
        ("from", "to", "body"),
        ("from", "lookup"),
        ("from", "run"),
    ],
):
    """What must hold: a verdict, all verdicts, an HTTP answer, the addresses of a name, or a program's exit."""

    source = Text("from", "The source: `NAMESPACE/POD`, `host:NAME` or `node:NAME`, with globs.")
    destination = Text(
        "to", "The destination: as `from`, `service:NAMESPACE/NAME` with globs, an IP address, or an HTTP URL."
    )
    port = Raw(
        "port",
        "The port: a number, or the name of a Service's or a container's port; by default every port that the"
        " destination declares.",
        type=int_or_text(1, 65535),
    )
    protocol = Choice("protocol", "The protocol.", values=_PROTOCOLS, default="TCP")
    verdict = Choice[Verdict](
        "verdict",
        "The verdict that packets must show; `some` if the destination's endpoints differ. For a URL or `lookup`:"
        " `deny` if nothing must answer.",
        values=_VERDICTS,
        default="allow",
    )
    family = Whole("family", "The IP family; by default both.", values=(4, 6))
    oracle = Flag("oracle", "Compares every pair with the expected verdict; no other field may be beside it.")
    status = Whole("status", "With a URL: the status that must be answered.", low=100, high=599)
    body = Text("body", "With a URL: a text that the body of the answer must contain.")
    lookup = Text("lookup", "A name that the source looks up by its resolver.")
    addresses = Texts(
        "addresses", "With `lookup`: all addresses of the name, in any order; `[]` for no such name.", pattern=ADDRESS
    )
    run = Texts("run", "A program and its arguments, which run in the source without a shell.")
    exit = Whole("exit", "With `run`: the exit status that the program must have.", low=0, high=255, default=0)
    stdout = Text("stdout", 'With `run`: a text that the output must contain; "" for no output.')
    timeout = Whole(
        "timeout", "The seconds to wait for an answer or for the end of a program.", low=1, high=60, default=TIMEOUT
    )


EXPECTATION: type[Shape] = _Expectation
"""The fields of an expectation."""


def expectation(fields: Fields) -> Expectation | ProgramExpectation:
    """Decode one item of ``expect``; problems go to the report of ``fields``."""
    _Expectation.only(fields)
    if _Expectation.oracle.read(fields):
        for field in _Expectation.fields.values():
            if field is not _Expectation.oracle and field.has(fields):
                field.error(fields, forbidden("may not be specified when `oracle` is true: it asks every pair"))
        return Expectation(oracle=True, path=fields.path, line=_line(fields))
    if _Expectation.run.has(fields):
        return _run(fields)
    if _Expectation.lookup.has(fields):
        return _lookup(fields)
    if _is_url(fields.data.get(_Expectation.destination.name)):
        return _http(fields)
    return _verdict(fields)


def _verdict(fields: Fields) -> Expectation:
    of = _Expectation
    only = (of.source, of.destination, of.port, of.protocol, of.verdict, of.family)
    _forbid_others(fields, only, "the verdict of packets")
    _require(fields, of.source, of.destination, of.verdict)
    protocol = of.protocol.read(fields)
    if protocol == "ICMP" and of.port.has(fields):
        of.port.error(fields, forbidden("may not be specified when `protocol` is ICMP"))
    return Expectation(
        of.source.read(fields),
        of.destination.read(fields),
        port_of(fields),
        protocol,
        "allow" if of.verdict.missing(fields) else of.verdict.read(fields),
        family_of(fields),
        path=fields.path,
        line=_line(fields),
    )


def _http(fields: Fields) -> HttpExpectation:
    from urllib.parse import urlsplit

    of = _Expectation
    only = (of.source, of.destination, of.status, of.body, of.verdict, of.family, of.timeout)
    _forbid_others(fields, only, "a URL")
    _require(fields, of.source)
    url = of.destination.read(fields)
    try:
        parts = urlsplit(url)
        wrong = _wrong_url(url, parts)
    except ValueError as error:
        wrong = str(error)
    if wrong:
        of.destination.error(fields, invalid(url, wrong))
    if of.status.missing(fields) and of.body.missing(fields) and of.verdict.missing(fields):
        of.status.error(fields, required("a URL needs `status`, `body` or `verdict`"))
    answered = _answered(fields, (of.status, of.body))
    body = of.body.read(fields) if of.body.has(fields) else None
    status, family = of.status.read(fields), family_of(fields)
    source, timeout = of.source.read(fields), _timeout(fields)
    return HttpExpectation(source, url, status, body, answered, family, timeout, fields.path, _line(fields))


def _lookup(fields: Fields) -> LookupExpectation:
    of = _Expectation
    _forbid_others(fields, (of.source, of.lookup, of.addresses, of.verdict, of.family, of.timeout), "`lookup`")
    _require(fields, of.source)
    name = of.lookup.read(fields)
    if not name or len(name) > 255 or not name.isascii() or not name.isprintable() or " " in name:
        of.lookup.error(fields, invalid(name, "must be a name"))
    if of.addresses.missing(fields) and of.verdict.missing(fields):
        of.addresses.error(fields, required("`lookup` needs `addresses` or `verdict: deny`"))
    answered = _answered(fields, (of.addresses,))
    if answered and of.verdict.has(fields) and of.addresses.missing(fields):
        of.verdict.error(fields, invalid("allow", "`lookup` needs `addresses` or `verdict: deny`"))
    found: list[Address] = []
    for path, text in of.addresses.read(fields):
        address = plain_address(text)
        if address is None:
            fields.report.error(path, invalid(text, "must be an IP address"))
        else:
            found.append(address)
    family, source, timeout = family_of(fields), of.source.read(fields), _timeout(fields)
    addresses = tuple(dict.fromkeys(found)) if answered else None
    return LookupExpectation(source, name, addresses, family, timeout, fields.path, _line(fields))


def _run(fields: Fields) -> RunExpectation:
    of = _Expectation
    _forbid_others(fields, (of.source, of.run, of.exit, of.stdout, of.timeout), "`run`")
    _require(fields, of.source)
    argv = of.run.read(fields)
    if not argv or not argv[0][1]:
        of.run.error(fields, required("must name a program"))
    for path, text in argv:
        if "\0" in text:
            fields.report.error(path, invalid(text, "must have no NUL byte"))
    status = of.exit.read(fields) or 0
    stdout = of.stdout.read(fields) if of.stdout.has(fields) else None
    arguments = tuple(text for _, text in argv)
    source, timeout = of.source.read(fields), _timeout(fields)
    return RunExpectation(source, arguments, status, stdout, timeout, fields.path, _line(fields))


def _answered(fields: Fields, beside: Iterable[Field[Any]]) -> bool:
    """Return whether an answer is expected; report a ``verdict`` that does not fit."""
    verdict = _Expectation.verdict
    value = verdict.read(fields)
    if value == "some":
        verdict.error(fields, unsupported(value, ("allow", "deny")))
    if value == "deny":
        for field in beside:
            if field.has(fields):
                field.error(fields, forbidden("may not be specified when `verdict` is deny: nothing must answer"))
    return value != "deny"


def _forbid_others(fields: Fields, allowed: Iterable[Field[Any]], what: str) -> None:
    names = {field.name for field in (*allowed, _Expectation.oracle)}
    for field in _Expectation.fields.values():
        if field.name not in names and field.has(fields):
            field.error(fields, forbidden(f"may not be specified for {what}"))
            # Reading checks the type, as the schema does.
            if isinstance(field, Raw):
                port_of(fields)
            else:
                field.read(fields)


def _require(fields: Fields, *needed: Field[Any]) -> None:
    for field in needed:
        if field.missing(fields):
            field.error(fields, required())


def port_of(fields: Fields, port: Raw = _Expectation.port) -> int | str | None:
    """Return the number or the name of a port, None if none is written; report another value."""
    value = port.read(fields)
    if value is None or (isinstance(value, str) and value):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        port.error(fields, invalid(value, mistyped(value, "a number or a name")))
        return None
    if not 1 <= value <= 65535:
        port.error(fields, invalid(value, "must be between 1 and 65535, inclusive"))
        return None
    return value


def family_of(fields: Fields, field: Whole = _Expectation.family) -> int | None:
    """Return an IP family, None if none is written; report another value."""
    family = field.read(fields)
    if family not in (None, *field.values):
        field.error(fields, unsupported(family, [str(one) for one in field.values]))
    return family


def _timeout(fields: Fields) -> int:
    return _Expectation.timeout.read(fields) or TIMEOUT


def _is_url(value: object) -> bool:
    return isinstance(value, str) and value.lower().startswith(_URLS)


def _wrong_url(url: str, parts: SplitResult) -> str:
    """Return what is wrong with a URL, "" if nothing is."""
    # ``urlsplit`` leaves tabs and line breaks out.
    if not url.isascii() or not url.isprintable() or " " in url:
        return "must be printable ASCII without spaces; write other bytes as %XX"
    if not parts.hostname:
        return "must be a URL with a host"
    if parts.username is not None or parts.password is not None:
        return "must have no user and no password"
    if parts.port == 0:
        return "must have a port from 1 to 65535"
    return ""


def _line(fields: Fields) -> int:
    return fields.report.source.line(fields.path)
