"""One command of netlab in a process of its own, without its output; ``reaching`` and ``linting`` run it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Sequence

from benchmarks.compile_once import peak
from netlab.cli import cli


def main(arguments: Sequence[str]) -> None:
    """Print the seconds and megabytes that ``netlab`` with these arguments takes as one JSON object.

    Raises:
      SystemExit: with netlab's exit code, if it refuses its input or fails.
    """
    began = time.perf_counter()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        try:
            cli.main(list(arguments))
        except SystemExit as end:
            # 1 is a finding, such as that of lint.
            if end.code not in (None, 0, 1):
                raise
    print(json.dumps({"seconds": time.perf_counter() - began, "memory": peak()}))


if __name__ == "__main__":
    main(sys.argv[1:])
