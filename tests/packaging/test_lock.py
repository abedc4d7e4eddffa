"""The files in requirements/: what `make lock` wrote fits what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
RUNTIME = [*PYPROJECT["project"]["dependencies"], *PYPROJECT["build-system"]["requires"]]
DEV = PYPROJECT["dependency-groups"]["dev"]
TOOLS = {name: PYPROJECT["dependency-groups"][name] for name in ("docs", "sbom", "hooks", "browser")}
EXTRAS = PYPROJECT["project"]["optional-dependencies"]

# One pin as pip-compile writes it: `name==version` and its hashes on the lines that follow.
PIN = re.compile(
    r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})*)$",
    re.MULTILINE,
)


def pins(level: str) -> dict[str, re.Match[str]]:
    text = (REPOSITORY / "requirements" / f"{level}.txt").read_text()
    return {canonicalize_name(pin["name"]): pin for pin in PIN.finditer(text)}


@pytest.mark.parametrize(
    ("level", "wanted"),
    [
        *(("runtime", name) for name in RUNTIME),
        *(("dev", name) for name in [*RUNTIME, *DEV, *EXTRAS["cluster"]]),
        *(("wheel", name) for name in PYPROJECT["project"]["dependencies"]),
        *((level, name) for level, names in EXTRAS.items() for name in names),
        *((level, name) for level, names in TOOLS.items() for name in names),
    ],
)
def test_every_dependency_is_pinned_to_a_version_that_fits(level: str, wanted: str) -> None:
    """A dependency of pyproject.toml has a pin, and the pin satisfies its version specifier."""
    requirement = Requirement(wanted)
    pin = pins(level)[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(pin["version"])


@pytest.mark.parametrize("level", ["runtime", "wheel", "dev", *EXTRAS, *TOOLS])
def test_a_lock_holds_pins_with_hashes_and_nothing_else(level: str) -> None:
    """Without comments and pins a lock is empty: it names no index, no host and no path."""
    text = (REPOSITORY / "requirements" / f"{level}.txt").read_text()
    rest = re.sub(r"^#.*$", "", PIN.sub("", text), flags=re.MULTILINE)

    assert "" == rest.strip()
    assert [] == [name for name, pin in pins(level).items() if not pin["hashes"]]


def test_the_development_lock_has_the_runtime_pins() -> None:
    """Tests run with the very versions that a user gets."""
    runtime = {name: pin[0] for name, pin in pins("runtime").items()}
    dev = {name: pin[0] for name, pin in pins("dev").items()}
    wheel = {name: pin[0] for name, pin in pins("wheel").items()}
    cluster = {name: pin[0] for name, pin in pins("cluster").items()}

    assert cluster == {name: dev.get(name) for name in cluster}
    assert runtime == {name: dev.get(name) for name in runtime}
    assert wheel == {name: runtime.get(name) for name in wheel}
