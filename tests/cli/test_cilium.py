"""Policies of Cilium under a profile of Cilium: verdicts in place of warnings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

PODS = """\
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}}
---
"""
CILIUM = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: p, namespace: shop}
spec:
  endpointSelector: {matchLabels: {app: db}}
  ingress:
  - toPorts: [{ports: [{port: '80', protocol: TCP}]}]
"""
NOT_UNDERSTOOD = CILIUM.replace("name: p", "name: q").replace("protocol: TCP}]", "protocol: TCP}], rules: {http: [{}]}")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "all.yaml").write_text(PODS + CILIUM)
    (tmp_path / "more.yaml").write_text(NOT_UNDERSTOOD)
    return "-f", "all.yaml"


def test_a_policy_that_counts_has_no_warning(netlab: Call, files: tuple[str, ...]) -> None:
    """``--strict`` takes it; ``check`` counts it."""
    done = netlab("check", *files, "--as", "cilium", "--strict")
    reached = netlab("reach", *files, "--as", "cilium", "--strict", "--port", "443")

    assert (0, "") == (done.exit_code, done.stderr)
    wanted = "lab default as cilium: 1 node, 2 pods, 0 NetworkPolicies, 1 policy of Cilium: 0 errors, 0 warnings\n"
    assert wanted == done.stdout
    assert (0, "") == (reached.exit_code, reached.stderr)
    assert "2 pairs: 1 allow, 1 deny" in reached.stdout


def test_without_the_profile_the_warning_names_it(netlab: Call, files: tuple[str, ...]) -> None:
    """Policies that are not understood are told in the same line."""
    alone, both = netlab("reach", *files), netlab("reach", *files, "-f", "more.yaml")

    assert "with a profile of Cilium (--as cilium) netlab evaluates this policy" in alone.stderr
    assert "CiliumNetworkPolicy shop/p and 1 more: netlab does not read" in both.stderr
    assert 1 == len(both.stderr.splitlines())


def test_a_policy_that_is_not_understood_keeps_its_warning(netlab: Call, files: tuple[str, ...]) -> None:
    """Verdicts that it could change are unknown. ``--strict`` refuses it."""
    done = netlab("reach", *files, "-f", "more.yaml", "--as", "cilium", "--port", "443")
    strict = netlab("reach", *files, "-f", "more.yaml", "--as", "cilium", "--strict")

    assert "more.yaml:1: CiliumNetworkPolicy shop/q: netlab does not read" in done.stderr
    assert "shop/p" not in done.stderr
    assert "1 unknown" in done.stdout
    assert 2 == strict.exit_code


def test_ignored_policies_do_not_count(netlab: Call, files: tuple[str, ...]) -> None:
    """As without the profile."""
    done = netlab("reach", *files, "--as", "cilium", "--ignore", "CiliumNetworkPolicy", "--port", "443")

    assert "2 pairs: 2 allow, 0 deny" in done.stdout
