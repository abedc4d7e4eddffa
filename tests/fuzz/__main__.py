"""Draw random inputs in a sandbox, for some seconds: ``python -m tests.fuzz --seconds 60``.

Each input that breaks a property is reduced and written to ``tests/fuzz/corpus``. Then the exit
status is 1. ``tests/fuzz/test_corpus.py`` runs the corpus with the other tests.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from . import sandbox
from .targets import TARGETS, Target

_CORPUS = Path(__file__).parent / "corpus"
_ROUND = 100
_PROCESS_SECONDS = 300.0
# More rounds than a process has time for.
_SEEDS = 1_000


def main() -> int:
    """Run the targets in turn; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=float, default=60, help="the duration (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed; each round takes the next (default: 0)")
    parser.add_argument("--target", choices=list(TARGETS), action="append", help="only this; repeatable")
    options = parser.parse_args()
    if not sandbox.inside():
        return _processes(options)
    sandbox.restrict()
    names = options.target or list(TARGETS)
    deadline = time.monotonic() + options.seconds
    drawn = dict.fromkeys(names, 0)
    found = 0
    number = options.seed
    while time.monotonic() < deadline:
        for name in names:
            count, finding = _round(TARGETS[name], number, deadline)
            drawn[name] += count
            if finding is not None:
                found += _keep(name, *finding)
        number += 1
    print(f"seeds {options.seed} to {number - 1}: " + ", ".join(f"{n} {name}" for name, n in drawn.items()))
    print(f"{found} findings")
    return 1 if found else 0


def _processes(options: argparse.Namespace) -> int:
    """Run one process after the other, as the memory of each grows; return the worst exit status."""
    deadline = time.monotonic() + options.seconds
    targets = [word for name in options.target or () for word in ("--target", name)]
    status, number = 0, options.seed
    while (left := deadline - time.monotonic()) > 1:
        seconds = min(left, _PROCESS_SECONDS)
        status |= sandbox.run(["--seconds", f"{seconds:.0f}", "--seed", str(number), *targets], _CORPUS)
        number += _SEEDS
    return status


def _round(target: Target, number: int, deadline: float) -> tuple[int, tuple[Any, BaseException] | None]:
    """Draw up to a hundred inputs; return how many were drawn, and the smallest that breaks the property."""
    count = 0
    last: Any = None

    @seed(number)
    @settings(
        max_examples=_ROUND,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(target.strategy)
    def run(value: Any) -> None:
        nonlocal count, last
        if time.monotonic() > deadline:
            return
        count += 1
        last = value
        target.holds(value)

    try:
        run()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return count, (last, error)
    return count, None


def _keep(name: str, value: Any, error: BaseException) -> int:
    """Write a finding to the corpus; return 1 for a new one."""
    content = TARGETS[name].dump(value)
    folder = Path(os.environ["NETLAB_FUZZ_FINDINGS"]) / name
    folder.mkdir(exist_ok=True)
    file = folder / hashlib.sha256(content).hexdigest()[:16]
    new = not file.exists()
    file.write_bytes(content)
    print(f"--- {name}: {file.name}\n{content[:600]!r}")
    traceback.print_exception(error, limit=-6, file=sys.stdout)
    sys.stdout.flush()
    return int(new)


if __name__ == "__main__":
    sys.exit(main())
