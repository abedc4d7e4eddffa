"""The problems of a Profile of the input together with its base."""

from __future__ import annotations

from netlab import modes
from netlab.errors import Problem, UsageError
from netlab.objects.profiles import Profile
from netlab.objects.types import Source
from netlab.profiles import names, with_base

REPLACED = "profile-replaced"


def problem_at(source: Source, path: str, label: str, message: str, rule: str = "") -> Problem:
    """Return the problem of a field: a warning if it has a rule, else an error. ``label`` is the kind and name."""
    return Problem(source.file, source.line(path), path, label, message, "warning" if rule else "error", rule)


def check(profile: Profile) -> list[Problem]:
    """Return the errors of a valid Profile with its base, or a warning if it has the name of one of netlab's own."""

    def problem(path: str, message: str, rule: str = "") -> Problem:
        return problem_at(profile.source, path, f"Profile {profile.name}", message, rule)

    try:
        whole = with_base(profile)
    except UsageError as error:
        return [problem("spec.base", str(error))]
    try:
        modes.wired(modes.of(modes.SEVERAL_NODES), whole.wiring, whole.name)
    except ValueError as error:
        return [problem("spec.wiring", str(error))]
    if profile.name in names():
        return [problem("metadata.name", f"it stands for netlab's own profile {profile.name}", REPLACED)]
    return []
