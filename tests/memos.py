"""What netlab keeps in its modules between two calls, and how a test's trace is cleared from it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest.mock import patch

from netlab.cli import failures
from netlab.conformance import world
from netlab.kernel import nft
from netlab.lab import notices


class Memo(NamedTuple):
    """How to leave something in a memo, to ask whether something is left there, and to clear it."""

    leave: Callable[[], object]
    left: Callable[[], object]
    clear: Callable[[], object]


def _of_cache(function: Any, *arguments: object) -> Memo:
    return Memo(lambda: function(*arguments), lambda: function.cache_info().currsize, function.cache_clear)


def _find_nft() -> None:
    # A host without nft finds one too.
    with patch.object(shutil, "which", return_value="/usr/sbin/nft"):
        nft.program()


CLEARED: dict[tuple[str, str], Memo] = {
    ("cli/failures.py", "_verbose"): Memo(
        lambda: failures.be_verbose(True), failures.verbose, lambda: failures.be_verbose(False)
    ),
    # Documents keep what was read out of them, and a test may change what reading means.
    ("conformance/world.py", "_namespace"): _of_cache(world._namespace, "x", ""),
    ("conformance/world.py", "_pod"): _of_cache(world._pod, "x/a", "", (), ""),
    ("conformance/world.py", "topology"): _of_cache(world.topology),
    # Where nft was found: tests change PATH, and pretend to be another user.
    ("kernel/nft.py", "program"): Memo(_find_nft, lambda: nft.program.cache_info().currsize, nft.program.cache_clear),
    ("lab/notices.py", "_print"): Memo(
        lambda: notices.print_with(print), lambda: notices._print, lambda: setattr(notices, "_print", None)
    ),
}


def clear() -> None:
    """Clear all of them."""
    for memo in CLEARED.values():
        memo.clear()
