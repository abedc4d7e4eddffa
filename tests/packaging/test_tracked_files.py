"""No file of the repository depends on the machine on which it was written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# In halves, so that this file does not hold what it looks for.
REGISTRIES = [
    "pypi" + ".org",
    "pythonhosted" + ".org",
    "deb.debian" + ".org",
    "archive.ubuntu" + ".com",
    "registry.npmjs" + ".org",
    "artifact" + "registry",
    "--index" + "-url",
    "--extra-index" + "-url",
    "--find" + "-links",
    "--trusted" + "-host",
]
# What `make dist` and `make docs` write.
BUILT = ("dist", "site")
# The options above that keep them out of the locks.
HARMLESS = ["--no-emit-index" + "-url", "--no-emit-find" + "-links", "--no-emit-trusted" + "-host"]


def files() -> Iterator[Path]:
    """Yield what git would track, without asking git: a clone of another user's is refused by it."""
    for folder, below, names in os.walk(REPOSITORY):
        below[:] = [name for name in below if name in (".ci", ".github") or not name.startswith((".", "__pycache__"))]
        if Path(folder) == REPOSITORY:
            below[:] = [name for name in below if name not in BUILT]
        yield from (Path(folder) / name for name in names)


def test_no_file_names_a_package_registry() -> None:
    """Packages come from wherever the machine's own configuration says."""
    found = []
    for path in files():
        text = path.read_text(encoding="utf-8", errors="replace")
        for harmless in HARMLESS:
            text = text.replace(harmless, "")
        found += [f"{path.relative_to(REPOSITORY)}: {word}" for word in REGISTRIES if word in text]

    assert [] == found


def test_no_test_reads_the_text_that_ip_prints() -> None:
    """Versions of iproute2 differ in it; ``ip -j`` prints JSON (tests/iproute2.py)."""
    brief = re.compile(r'"ip"[^\]\n]*"-(?:o|br|oneline|brief)"')
    tests = [path for path in (REPOSITORY / "tests").rglob("*.py") if path != Path(__file__)]

    assert [] == [path.name for path in tests if brief.search(path.read_text())]
