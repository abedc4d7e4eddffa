"""The title of an expectation: what it asks and expects, in one short line that does not depend on other ones."""

from __future__ import annotations

import json
import shlex
from typing import assert_never

from netlab.errors import printable
from netlab.objects.addresses import plain_address
from netlab.objects.scenarios import (
    Expectation,
    HttpExpectation,
    LookupExpectation,
    ProgramExpectation,
    RunExpectation,
)

_LONGEST = 160


def title(asked: Expectation | ProgramExpectation) -> str:
    """Return the title: ``shop/web->shop/db:5432-TCP deny``. It is printable, and at most some 160 characters long."""
    text = printable(_title(asked))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _title(asked: Expectation | ProgramExpectation) -> str:
    match asked:
        case Expectation(oracle=True):
            return "every pair"
        case Expectation():
            return f"{asked.source}->{_to(asked)}{_family(asked.family)} {asked.verdict}"
        case HttpExpectation():
            return f"{asked.source}->GET {asked.url}{_family(asked.family)} {_answer(asked)}"
        case LookupExpectation():
            return f"{asked.source}->lookup {asked.name}{_family(asked.family)} {_addresses(asked)}"
        case RunExpectation():
            output = "" if asked.stdout is None else f" {_quoted(asked.stdout)}"
            return f"{asked.source}->run {shlex.join(asked.argv)} exit {asked.exit}{output}"
        case _:
            assert_never(asked)


def _to(asked: Expectation) -> str:
    """Return destination, port and protocol: ``shop/db:5432-TCP``, ``shop/db-ICMP``, ``shop/db`` for every port."""
    address = plain_address(asked.destination)
    to = f"[{asked.destination}]" if address is not None and address.version == 6 else asked.destination
    if asked.port is not None:
        return f"{to}:{asked.port}-{asked.protocol}"
    return to if asked.protocol == "TCP" else f"{to}-{asked.protocol}"


def _family(family: int | None) -> str:
    return "" if family is None else f" IPv{family}"


def _answer(asked: HttpExpectation) -> str:
    if not asked.answered:
        return "no answer"
    parts = [str(asked.status)] if asked.status is not None else []
    return " ".join([*parts, *([_quoted(asked.body)] if asked.body is not None else [])])


def _addresses(asked: LookupExpectation) -> str:
    if asked.addresses is None:
        return "no answer"
    return ",".join(map(str, asked.addresses)) or "no such name"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
