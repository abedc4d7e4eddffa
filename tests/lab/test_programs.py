"""Real programs in pods: policy decides between a real server and a real client."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import eventually

REPOSITORY = Path(__file__).parents[2]
Program = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def server(program: Program, unique: Callable[[str], str], tmp_path: Path) -> Iterator[str]:
    """The shop with Python's own web server in the ``api`` pod."""
    name = unique("prog")
    program("up", "-f", "examples/shop", "--lab", name)
    (tmp_path / "hello").write_text("hello from api\n")
    command = [sys.executable, "-m", "netlab", "exec", "shop/api", "--lab", name, "--"]
    command += [sys.executable, "-m", "http.server", "8080", "--directory", str(tmp_path)]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: fetch(program, name, "shop/api", "127.0.0.1").returncode == 0)
        yield name
    finally:
        process.terminate()
        process.wait()
        program("down", name)


def fetch(program: Program, lab: str, pod: str, address: str) -> subprocess.CompletedProcess[str]:
    """Fetch the page from a pod with curl; a dropped connection gives up after a second."""
    url = f"http://{address}:8080/hello"
    return program("exec", pod, "--lab", lab, "--", "curl", "-s", "--max-time", "1", url)


def address_of(program: Program, lab: str, pod: str) -> str:
    import json

    namespace, name = pod.split("/")
    (item,) = json.loads(program("get", "pods", name, "-n", namespace, "--lab", lab, "-o", "json").stdout)["items"]
    return str(item["status"]["podIP"])


def test_policy_decides_between_curl_and_a_web_server(program: Program, server: str) -> None:
    """The pod that a policy admits reads the page; the one that none admits gets nothing (curl's timeout, 28)."""
    address = address_of(program, server, "shop/api-0")
    admitted = fetch(program, server, "shop/web-0", address)
    refused = fetch(program, server, "shop/db-0", address)

    assert (0, "hello from api\n") == (admitted.returncode, admitted.stdout)
    assert (28, "") == (refused.returncode, refused.stdout)


def test_a_policy_change_reaches_real_programs(program: Program, server: str) -> None:
    """When ``delete`` returns, the next connection meets the new policy."""
    address = address_of(program, server, "shop/api-0")
    program("delete", "-f", "examples/shop/policies.yaml", "--lab", server)

    assert 0 == fetch(program, server, "shop/db-0", address).returncode


def test_a_probe_of_a_port_that_a_program_holds_is_reachable(program: Program, server: str) -> None:
    """A listening server's answer counts as one, and the server survives being probed."""
    probed = program("probe", "shop/web-0", "shop/api-0:8080", "--lab", server)

    assert "allow" in probed.stdout
    assert 0 == fetch(program, server, "shop/web-0", address_of(program, server, "shop/api-0")).returncode
