"""The expectations of a scenario: five kinds, told apart by their fields, with every error at once."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest
from scenario_files import scenarios_of

from netlab.objects.scenarios import (
    Expectation,
    HttpExpectation,
    LookupExpectation,
    ProgramExpectation,
    RunExpectation,
)

HEAD = "apiVersion: netlab/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  steps:\n  - expect:\n"


def read(tmp_path: Path, *items: str) -> tuple[tuple[Expectation | ProgramExpectation, ...], list[str]]:
    """Return the expectations of a scenario, and its problems as ``LINE: field: message``."""
    file = tmp_path / "s.yaml"
    file.write_text(HEAD + "".join(f"    - {item}\n" for item in items))
    scenarios, problems = scenarios_of([str(file)])
    cut = len("spec.steps[0].expect[0].")
    return scenarios[0].steps[0].expect, [f"{p.line}: {p.path[cut:]}: {p.message}" for p in problems]


def one(tmp_path: Path, item: str) -> Expectation | ProgramExpectation:
    (found,), problems = read(tmp_path, item)
    assert [] == problems
    return found


def test_a_service_and_its_port_by_name_are_a_destination(tmp_path: Path) -> None:
    """The port may also be a number."""
    found = one(tmp_path, '{from: shop/web, to: "service:shop/db", port: postgres, verdict: some}')

    assert isinstance(found, Expectation)
    assert ("service:shop/db", "postgres", "some") == (found.destination, found.port, found.verdict)


def test_a_url_expects_a_status_and_a_body(tmp_path: Path) -> None:
    """The default time is five seconds."""
    found = one(tmp_path, '{from: shop/web, to: "http://shop.example/cart", status: 200, body: ok}')

    wanted = HttpExpectation("shop/web", "http://shop.example/cart", 200, "ok", path="spec.steps[0].expect[0]", line=7)
    assert wanted == found
    assert 5 == wanted.timeout


def test_a_url_may_expect_no_answer(tmp_path: Path) -> None:
    """The verdict deny says so."""
    found = one(tmp_path, '{from: shop/web, to: "https://api.shop:8443", verdict: deny, timeout: 1, family: 6}')

    assert isinstance(found, HttpExpectation)
    assert (False, 1, 6) == (found.answered, found.timeout, found.family)


def test_a_lookup_expects_addresses(tmp_path: Path) -> None:
    """An empty list stands for no such name, the verdict deny for no answer."""
    some = one(tmp_path, '{from: shop/web, lookup: db.shop, addresses: [10.96.0.11, "fd00:10:96::b", 10.96.0.11]}')
    none = one(tmp_path, "{from: shop/web, lookup: nosuch, addresses: []}")
    silent = one(tmp_path, "{from: shop/web, lookup: db.shop, verdict: deny}")

    assert isinstance(some, LookupExpectation)
    assert (ip_address("10.96.0.11"), ip_address("fd00:10:96::b")) == some.addresses
    assert isinstance(none, LookupExpectation)
    assert () == none.addresses
    assert isinstance(silent, LookupExpectation)
    assert silent.addresses is None


def test_a_program_expects_an_exit_status_and_output(tmp_path: Path) -> None:
    """By default the status is 0, and any output counts."""
    found = one(tmp_path, '{from: "host:client", run: [curl, -s, "http://x"], exit: 7, stdout: ""}')
    plain = one(tmp_path, "{from: shop/web, run: [ls]}")

    assert isinstance(found, RunExpectation)
    assert (("curl", "-s", "http://x"), 7, "") == (found.argv, found.exit, found.stdout)
    assert isinstance(plain, RunExpectation)
    assert (0, None) == (plain.exit, plain.stdout)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            "{from: a/b, to: a/c, port: 0, verdict: deny}",
            "port: Invalid value: 0: must be between 1 and 65535, inclusive",
        ),
        (
            "{from: a/b, to: a/c, port: [1], verdict: deny}",
            "port: Invalid value: [1]: must be a number or a name",
        ),
        (
            "{from: a/b, to: a/c, status: 200, verdict: deny}",
            "status: Forbidden: may not be specified for the verdict of packets",
        ),
        ('{from: a/b, to: "http://x"}', "status: Required value: a URL needs `status`, `body` or `verdict`"),
        ('{from: a/b, to: "http://", status: 200}', 'to: Invalid value: "http://": must be a URL with a host'),
        ('{from: a/b, to: "http://x/a b", status: 200}', 'to: Invalid value: "http://x/a b": must be printable ASCII'),
        ('{from: a/b, to: "http://x/\\n", status: 200}', 'to: Invalid value: "http://x/\\n": must be printable ASCII'),
        ('{from: a/b, to: "http://u:p@x", status: 200}', 'to: Invalid value: "http://u:p@x": must have no user'),
        ('{from: a/b, to: "http://x:99999", status: 200}', 'to: Invalid value: "http://x:99999": Port out of range'),
        ('{from: a/b, to: "http://x", status: 99}', "status: Invalid value: 99: must be between 100 and 599"),
        ('{from: a/b, to: "http://x", status: 200, verdict: deny}', "status: Forbidden: may not be specified when"),
        ('{from: a/b, to: "http://x", verdict: some}', 'verdict: Unsupported value: "some"'),
        ('{from: a/b, to: "http://x", status: 200, port: 80}', "port: Forbidden: may not be specified for a URL"),
        ('{to: "http://x", status: 200}', "from: Required value"),
        ("{from: a/b, lookup: x}", "addresses: Required value: `lookup` needs `addresses` or `verdict: deny`"),
        ("{from: a/b, lookup: x, addresses: [a]}", 'addresses[0]: Invalid value: "a": must be an IP address'),
        ("{from: a/b, lookup: 'a b', addresses: []}", 'lookup: Invalid value: "a b": must be a name'),
        ("{from: a/b, lookup: x, addresses: [], exit: 0}", "exit: Forbidden: may not be specified for `lookup`"),
        ("{from: a/b, run: []}", "run: Required value: must name a program"),
        ("{from: a/b, run: [x], status: 200}", "status: Forbidden: may not be specified for `run`"),
        ("{from: a/b, run: [x], timeout: 61}", "timeout: Invalid value: 61: must be between 1 and 60, inclusive"),
        (
            "{from: a/b, run: [x], timeout: yes}",
            "timeout: Invalid value: true: must be an integer",
        ),
        ("{oracle: true, run: [x]}", "run: Forbidden: may not be specified when `oracle` is true: it asks every pair"),
        ("{from: a/b, run: [x], stdoot: x}", 'stdoot: unknown field "stdoot"; did you mean "stdout"?'),
    ],
)
def test_what_does_not_fit_is_an_error_of_its_field(tmp_path: Path, item: str, message: str) -> None:
    """The error has the line of the field."""
    _, problems = read(tmp_path, item)

    assert any(problem.startswith(f"7: {message}") for problem in problems), problems


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    """Each wrong expectation has its error."""
    _, problems = read(tmp_path, "{from: a/b, run: []}", "{from: a/b, lookup: x}", '{from: a/b, to: "http://x"}')

    assert ["7", "8", "9"] == [problem.partition(":")[0] for problem in problems]
