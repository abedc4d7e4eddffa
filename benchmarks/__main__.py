"""``python -m benchmarks [NAME…] [-o json]``: run the named benchmarks, one after the other, or nearly all."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import ModuleType

from benchmarks import machine, private, tables
from benchmarks.figures import Options, Result


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Its module; ``root`` if it makes network namespaces, ``named`` if it runs only when it is named."""

    module: str
    root: bool = False
    named: bool = False


BENCHMARKS = {
    "startup": Benchmark("benchmarks.startup"),
    "scenario": Benchmark("benchmarks.scenario", root=True),
    "matrix": Benchmark("benchmarks.matrix", root=True),
    "bringup": Benchmark("benchmarks.bringup", root=True),
    "packet": Benchmark("benchmarks.packet", root=True),
    "services": Benchmark("benchmarks.services", root=True),
    "change": Benchmark("benchmarks.changing", root=True),
    "machines": Benchmark("benchmarks.machines", root=True),
    "compile": Benchmark("benchmarks.compiling"),
    "reach": Benchmark("benchmarks.reaching"),
    "lint": Benchmark("benchmarks.linting"),
    "compare": Benchmark("benchmarks.comparing"),
    "diff": Benchmark("benchmarks.diffing"),
    "control-plane": Benchmark("benchmarks.control_plane", root=True),
    # It takes some minutes and 4 GB.
    "large": Benchmark("benchmarks.large", root=True, named=True),
    # It needs programs of others; scripts/bench-peers builds them.
    "analyzers": Benchmark("benchmarks.analyzers", named=True),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named benchmarks; return 2 for an unknown name, 3 if all need root and this is not root."""
    options = _parser().parse_args(arguments)
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        sys.stderr.write(f"no benchmark {', '.join(unknown)} (there are: {', '.join(BENCHMARKS)})\n")
        return 2
    if options.list:
        table = [(name, _module(name).ABOUT) for name in options.names or BENCHMARKS]
        print("\n".join(tables.columns(("NAME", "WHAT"), table)))
        return 0
    names = options.names or [name for name, one in BENCHMARKS.items() if not one.named]
    if os.geteuid() != 0:
        for name in [name for name in names if BENCHMARKS[name].root]:
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
    # An installed netlab has its bytecode.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if os.geteuid() == 0:
        private.enter()
    results = []
    for name in names:
        module = _module(name)
        began = time.perf_counter()
        result = replace(module.run(options), seconds=time.perf_counter() - began)
        results.append(result)
        if show:
            print(tables.text(result), flush=True)
    return results


def _module(name: str) -> ModuleType:
    return importlib.import_module(BENCHMARKS[name].module)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="the benchmarks to run; when none is named, all that need no programs of others",
    )
    parser.add_argument("-o", dest="output", choices=("table", "json"), default="table", help="how to print")
    parser.add_argument("--list", action="store_true", help="say which benchmarks there are")
    parser.add_argument(
        "--rounds", type=int, default=0, help="rounds of each, in place of its own number and however long they take"
    )
    parser.add_argument("--bare", action="store_true", help="netlab alone, without floors and peers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
