"""Which choices of a profile decided: read from the reasons of verdicts, which end with ``(SETTING: VALUE)``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netlab.objects.profiles import Choice, Profile

# A reason names a setting that changed the verdict by its name in the API, with or without the path in the Topology.
_SETTING = re.compile(r"\((?:spec\.policy\.)?(?P<name>[A-Za-z]+): (?P<value>[\w-]+)\)")


def decided(profile: Profile | None, reason: str) -> Iterator[Choice]:
    """Yield the choices of a profile that a reason names, each once.

    A setting that the Topology writes with another value is no choice of the profile.
    """
    if profile is None:
        return
    seen: set[str] = set()
    for found in _SETTING.finditer(reason):
        choice = profile.choice(found["name"])
        if choice is not None and choice.name not in seen and text_of(choice.value) == found["value"]:
            seen.add(choice.name)
            yield choice


def text_of(value: object) -> str:
    """Return the value of a choice as reasons and YAML write it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
