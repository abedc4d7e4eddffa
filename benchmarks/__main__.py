"""``python -m benchmarks [NAME…] [-o json]``: run all or the named benchmarks, one after the other."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks import machine, private, tables
from benchmarks.figures import Options, Result

# By name: the module, and whether it makes network namespaces, which needs root.
BENCHMARKS = {
    "startup": ("benchmarks.startup", False),
    "scenario": ("benchmarks.scenario", True),
    "matrix": ("benchmarks.matrix", True),
    "bringup": ("benchmarks.bringup", True),
    "packet": ("benchmarks.packet", True),
    "services": ("benchmarks.services", True),
    "change": ("benchmarks.changing", True),
    "machines": ("benchmarks.machines", True),
    "compile": ("benchmarks.compiling", False),
    "reach": ("benchmarks.reaching", False),
    "lint": ("benchmarks.linting", False),
    "compare": ("benchmarks.comparing", False),
    "diff": ("benchmarks.diffing", False),
    "control-plane": ("benchmarks.control_plane", True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks; return 2 for an unknown name, 3 if all need root and this is not root."""
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)} (there are: {', '.join(BENCHMARKS)})\n")
        return 2
    names = options.names or list(BENCHMARKS)
    if options.list:
        table = [(name, importlib.import_module(BENCHMARKS[name][0]).ABOUT) for name in names]
        print("\n".join(tables.columns(("NAME", "WHAT"), table)))
        return 0
    if os.geteuid() != 0:
        for name in [name for name in names if BENCHMARKS[name][1]]:
            sys.stderr.write(f"{name}: left out, it makes network namespaces; run it as root\n")
            names.remove(name)
        if not names:
            return 3
    here = machine.describe()
    if options.output == "table":
        print(machine.line(here), end="\n\n", flush=True)
    results = _run(names, Options(options.rounds, options.bare), options.output == "table")
    if options.output == "json":
        print(tables.document(here, results))
    return 0


def _run(names: Sequence[str], options: Options, show: bool) -> list[Result]:
    if os.geteuid() == 0:
        private.enter()
    results = []
    for name in names:
        module = importlib.import_module(BENCHMARKS[name][0])
        began = time.perf_counter()
        result = replace(module.run(options), seconds=time.perf_counter() - began)
        results.append(result)
        if show:
            print(tables.text(result), flush=True)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the benchmarks to run; all when none is named")
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table", help="how to print")
    parser.add_argument("--list", action="store_true", help="say which benchmarks there are")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of each, in place of its own number")
    parser.add_argument("--bare", action="store_true", help="netlab alone, without floors and peers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
