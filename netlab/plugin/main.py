"""The program ``netlab-cni``: one call of the CNI protocol, by environment, standard input and standard output."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NoReturn

from netlab.cni.types import CniError, Code, versions_document
from netlab.plugin.request import MOST_BYTES, SUPPORTED, Request, decoded, request, version_of


def main() -> None:
    """Run one call, and end the process: exit code 0, or 1 with the error as JSON on the standard output."""
    config: Any = {}
    try:
        config = decoded(sys.stdin.buffer.read(MOST_BYTES + 1) or b"{}")
        found = _run(request(os.environ, config))
    except CniError as error:
        _fail(error, config)
    except Exception as error:
        import traceback

        # A runtime shows the message of an error, and nothing else of what the program prints.
        last = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error} ({last.filename}:{last.lineno})"
        _fail(CniError(Code.INTERNAL, "a bug in netlab", text), config)
    if found is not None:
        sys.stdout.write(f"{json.dumps(found)}\n")


def _fail(error: CniError, config: Any) -> NoReturn:
    sys.stdout.write(f"{json.dumps(error.document(version_of(config)))}\n")
    sys.exit(1)


def _run(asked: Request) -> dict[str, Any] | None:
    if asked.command == "VERSION":
        return versions_document(asked.version, SUPPORTED)
    # Imported here, as VERSION needs none of it.
    from netlab.errors import NetlabError
    from netlab.plugin import commands

    try:
        if asked.command == "ADD":
            return commands.add(asked).document(asked.version)
        {
            "CHECK": commands.check,
            "DEL": commands.delete,
            "GC": commands.collect,
            "STATUS": commands.status,
        }[asked.command](asked)
    except NetlabError as error:
        raise commands.failure(error) from error
    except OSError as error:
        raise CniError(Code.IO_FAILURE, error.strerror or str(error), error.filename or "") from error
    return None


if __name__ == "__main__":
    main()
