"""Labs where the modules of tunnels are loaded: each new network namespace then has links that nothing asked for."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import iproute2
import pytest
from vm import wires

Program = Callable[..., "subprocess.CompletedProcess[str]"]
REPOSITORY = Path(__file__).parents[2]
FALLBACK = {"tunl0", "gre0", "gretap0", "sit0", "ip6tnl0"}


def own_namespace(lab: str) -> str:
    """Return one of the lab's network namespaces."""
    return min(path.name for path in Path("/run/netns").iterdir() if path.name.startswith(f"netlab.{lab}."))


@pytest.mark.parametrize("topology", sorted((REPOSITORY / "topologies").glob("*.yaml")), ids=lambda path: path.stem)
def test_labs_leave_the_links_of_tunnel_modules_alone(
    program: Program, unique: Callable[[str], str], topology: Path
) -> None:
    """A lab is built and agrees with its policies; a second ``up`` finds nothing to change."""
    for module in ("ipip", "ip_gre", "sit", "ip6_tunnel"):
        wires.run("modprobe", module)
    name = unique("vm")
    try:
        built = program("up", "-f", "examples/shop", "-f", topology, "--lab", name)
        assert 0 == built.returncode, built.stderr
        verified = program("verify", "--lab", name)
        assert 0 == verified.returncode, verified.stdout + verified.stderr
        again = program("up", "-f", "examples/shop", "-f", topology, "--lab", name)
        assert f"lab {name}: unchanged" in again.stderr.splitlines()
        assert FALLBACK <= {link["ifname"] for link in iproute2.ip("link", "show", namespace=own_namespace(name))}
    finally:
        program("down", name)
