"""Kubernetes' end-to-end tests of Services (test/e2e/network): each row of their list, once.

A row is a test in one of ``FILES``, a test elsewhere, or left out with the reason.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from services.upstream_rows import ROWS

FILES = ("test_upstream_connections", "test_upstream_endpoints", "test_upstream_policies", "test_upstream_ports")
NAMES = "names/test_upstream.py"
ELSEWHERE = {
    30: "cluster/services/test_system.py: test_a_service_brings_dns_and_the_service_kubernetes",
    50: f"{NAMES}: test_50_dns_of_the_cluster",
    51: f"{NAMES}: test_51_partial_names",
    52: f"{NAMES}: test_52_hosts_file",
    53: f"{NAMES}: test_53_dns_of_services",
    54: f"{NAMES}: test_54_hostname_and_subdomain",
    55: f"{NAMES}: test_55_external_name",
    56: f"{NAMES}: test_56_dns_config",
    57: f"{NAMES}: test_57_own_server",
    58: f"{NAMES}: test_58_many_search_domains",
    59: "cluster/services/test_system.py: test_the_default_class_is_filled_in",
}
LEFT_OUT: dict[int, str] = {}


def test_every_row_is_a_test_or_has_a_reason() -> None:
    """Each of the 59 rows is in one of the three tables."""
    for name in FILES:
        importlib.import_module(f"services.{name}")

    assert list(range(1, 60)) == sorted([*ROWS, *ELSEWHERE, *LEFT_OUT])


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=map(str, ELSEWHERE))
def test_tests_elsewhere_exist(where: str) -> None:
    """The file of a row that is tested elsewhere has the test."""
    file, test = where.split(": ")

    assert f"def {test}(" in (Path(__file__).parents[1] / file).read_text()
