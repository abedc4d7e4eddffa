"""The two sides of ``netlab diff``: each is read as ``-f`` reads it, and pods of both keep their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netlab.cli import inputs

if TYPE_CHECKING:
    from netlab.errors import Problem
    from netlab.objects import Input
    from netlab.policy.clusters_between import Version


def versions(
    old: str, new: str, files: Sequence[str], strict: bool, ignore: Sequence[str], *, system: bool
) -> tuple[Version, Version]:
    """Return both sides; print the warnings of each, and those that both have once.

    Raises:
      InputError: with every problem of both sides.
      UsageError: for a lab that does not run.
    """
    from netlab.errors import InputError
    from netlab.policy.clusters_between import Version, placements

    read = [inputs.examined((*files, side), strict, ignore, system=system) for side in (old, new)]
    errors = [one for found in read if found.wrong for one in found.problems]
    if errors:
        raise InputError(errors)
    from netlab.cluster import resolve_input

    before, made = resolve_input(read[0])
    known = _warn(read[0], made, set())
    after, made = resolve_input(read[1], placements(before), {one.meta.key: one for one in before.services})
    _warn(read[1], made, known)
    return Version(read[0].objects, before), Version(read[1].objects, after)


def _warn(found: Input, made: Sequence[Problem], known: set[tuple[str, str, str]]) -> set[tuple[str, str, str]]:
    """Print the warnings of a side but for known ones, and return all."""
    inputs.print_skipped(found.objects.skipped)
    every = found.problems_and(made)
    inputs.warn(one for one in every if (one.object, one.path, one.message) not in known)
    return {(one.object, one.path, one.message) for one in every}
