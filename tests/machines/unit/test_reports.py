"""What machines report: it is read as it was written, and what no agent wrote is left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from netlab.errors import HostError, KernelError, NetlabError, UsageError
from netlab.machines import reports
from netlab.machines.reports import PublicKey, Report, failed, parsed

KEY = "A" * 43 + "="
READY = Report("m1", "c1", "ready", steps=3, elements=20, replaced=2)


def test_a_report_is_read_as_it_was_written():
    """The name of the machine is in the key."""
    encrypted = replace(READY, public=PublicKey(KEY, 51820))

    assert READY == parsed("m1", READY.to_json().encode())
    assert encrypted == parsed("m1", encrypted.to_json().encode())


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (UsageError("a lab x of this machine alone runs there"), UsageError, 2),
        (HostError("no nft", "install it"), HostError, 3),
        (KernelError("make namespace", 17), HostError, 3),
    ],
    ids=["usage", "host", "kernel"],
)
def test_an_error_keeps_its_words_and_exit_code_and_gets_the_machine(error: NetlabError, kind, code):
    """Each line begins with the name of the machine."""
    report = parsed("m2", failed("m2", "c1", error).to_json().encode())
    assert report is not None

    with pytest.raises(kind) as raised:
        report.raise_error()
    assert f"machine m2: {error}" == str(raised.value)
    assert code == raised.value.exit_code
    READY.raise_error()


def test_an_error_of_several_lines_is_one_message():
    """The command line prints it in one line, without escaped line breaks."""
    report = parsed("m2", failed("m2", "c1", HostError("no nft\nno ip")).to_json().encode())
    assert report is not None

    with pytest.raises(HostError, match=r"^machine m2: no nft; machine m2: no ip$"):
        report.raise_error()


WRONG = {
    "empty": "",
    "no JSON": "x",
    "null": "null",
    "a list": "[]",
    "deep": "[" * 100_000,
    "another phase": {"phase": "done"},
    "numbers that are none": {"steps": "x"},
    "infinite": {"elements": float("inf")},
    "not a number": {"exitCode": float("nan")},
    "errors that are none": {"error": 5},
    "a key that is none": {"wireguard": {"key": "x", "port": 51820}},
    "a key with more": {"wireguard": {"key": KEY + KEY, "port": 51820}},
    "a port that is none": {"wireguard": {"key": KEY, "port": 0}},
    "no key and port": {"wireguard": []},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_no_agent_wrote_is_no_report(wrong):
    """It counts as if the machine had not reported."""
    value = WRONG[wrong]
    text = value if isinstance(value, str) else json.dumps(json.loads(READY.to_json()) | value)

    assert parsed("m1", text.encode()) is None
    assert parsed("M/1", READY.to_json().encode()) is None


def test_a_report_cannot_change_the_terminal():
    """What it says is printed with control characters escaped, and not at any length."""
    value = json.loads(READY.to_json()) | {"phase": "failed", "error": ["\x1b[31m" + "x" * 10_000] * 1000, "fix": "\n"}
    found = parsed("m1", json.dumps(value).encode())
    assert found is not None

    assert 20 == len(found.error)
    assert all(line.isprintable() and len(line) < 3000 for line in (*found.error, found.fix))


def test_a_removal_that_failed_differs_from_a_change_that_failed():
    """A command that removes a lab must not take an old report for that of the removal."""
    assert reports.REMOVAL != failed("m1", "c1", HostError("x")).change
