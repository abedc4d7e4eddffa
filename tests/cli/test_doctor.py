"""``netlab doctor`` tests the features of this host."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from netlab.errors import HostError
from netlab.kernel import features, nft
from netlab.kernel.features import Feature

Program = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_host_that_runs_labs_has_everything_that_they_need(program: Program) -> None:
    """Exit code 0; links, settings and each part of nftables are there by name."""
    done = program("doctor", "-o", "json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}

    assert 0 == done.returncode
    assert {"ok"} == {check["status"] for check in checks.values() if check["needed"]}
    assert {"veth", "bridge", "vxlan", "macvlan", "IPv6", "br_netfilter", "nft masquerade"} < set(checks)
    assert not checks["wireguard"]["needed"]
    assert ("modprobe wireguard" in checks["wireguard"]["fix"]) is (checks["wireguard"]["status"] != "ok")


def test_the_table_has_a_line_for_each_check(program: Program) -> None:
    """The first columns are CHECK and STATUS, the last one is FIX."""
    lines = program("doctor").stdout.splitlines()

    assert ["CHECK", "STATUS", "DETAIL", "FIX"] == lines[0].split()
    assert ["nft", "ok"] == next(line.split()[:2] for line in lines if line.startswith("nft "))


def test_the_host_is_as_it_was(program: Program) -> None:
    """The caller's namespace gets no link and no rule."""
    links = Path("/proc/net/dev").read_text().count("\n")
    program("doctor")

    assert links == Path("/proc/net/dev").read_text().count("\n")


def test_a_missing_program_has_a_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that need the program say so."""

    def missing() -> str:
        raise HostError("no nft program on this host", "install it: sudo apt-get install nftables")

    monkeypatch.setattr(nft, "program", missing)
    found = {feature.name: feature for feature in features.features()}

    assert (
        Feature("nft", "missing", "no nft program on this host", "install it: sudo apt-get install nftables")
        == found["nft"]
    )
    assert "not tried" == found["nft ct state"].status
    assert "ok" == found["veth"].status


def test_a_missing_kernel_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """nft's own message is the detail."""
    broken = features._Trial("nft ct state", "nft_ct", "type filter hook forward priority filter; ct nonsense")
    monkeypatch.setattr(features, "_RULESETS", (broken,))
    found = list(features.features())[-1]

    assert ("nft ct state", "missing") == (found.name, found.status)
    assert "sudo modprobe nft_ct; where there is no such module, a kernel that has it" == found.fix
    assert "nonsense" in found.detail or "error" in found.detail.lower()
