"""Profiles of CNIs, as a result: all of them, or every choice of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from netlab.report.formats import Page

if TYPE_CHECKING:
    from netlab.objects.profiles import Profile

_FAMILIES = {4: "IPv4", 6: "IPv6"}


class Profiles:
    """Profiles with their choices taken over from their bases. ``one``: the only profile is printed in full."""

    def __init__(self, found: Sequence[Profile], *, one: bool = False) -> None:
        self.found = found
        self._one = one

    def table(self, page: Page) -> Iterator[str]:
        from netlab.report.columns import columns

        if self._one:
            yield from _in_full(self.found[0])
            return
        rows = ([p.name, p.system or "-", p.versions or "-", _enforcement(p), p.about or "-"] for p in self.found)
        yield from columns(["NAME", "SYSTEM", "VERSIONS", "POLICIES", "ABOUT"], rows)

    def document(self) -> dict[str, Any]:
        """Return the Profile, as a file for ``--as`` has it, or the list of all."""
        if self._one:
            return document_of(self.found[0])
        return {"kind": "Profiles", "items": [document_of(one) for one in self.found]}


def document_of(profile: Profile) -> dict[str, Any]:
    """Return a Profile as users write it, with every choice."""
    from netlab.objects.kind import NETLAB_VERSION
    from netlab.objects.topology_shapes import WiringShape

    wiring = {one.name: _choice(one) for one in profile.choices if one.name in WiringShape.fields}
    spec: dict[str, Any] = {
        "system": profile.system,
        "versions": profile.versions,
        "about": profile.about,
        "families": [_FAMILIES[one] for one in profile.families],
        "podCIDRs": [*map(str, profile.pod_cidrs)],
        "policy": {one.name: _choice(one) for one in profile.choices if one.name not in wiring},
        "wiring": wiring,
        "clusterPolicyFields": _cluster_policy_fields(profile),
        "quirks": [
            {"text": q.text, "mark": q.mark, "source": q.source, **({"settings": [*q.settings]} if q.settings else {})}
            for q in profile.quirks
        ],
    }
    spec = {name: value for name, value in spec.items() if value}
    return {"apiVersion": NETLAB_VERSION, "kind": "Profile", "metadata": {"name": profile.name}, "spec": spec}


def _cluster_policy_fields(profile: Profile) -> dict[str, Any]:
    of = profile.cluster_policy_fields
    if of is None:
        return {}
    found: dict[str, Any] = {"ignores": [*of.ignores], "versions": [*of.versions]}
    found |= {"mark": of.mark, "source": of.source, "about": of.about}
    return {name: value for name, value in found.items() if value}


def _choice(choice: Any) -> dict[str, Any]:
    found = {"value": choice.value, "mark": choice.mark, "source": choice.source}
    return found | ({"about": choice.about} if choice.about else {})


def _in_full(profile: Profile) -> Iterator[str]:
    """Yield every choice of a profile with its mark and source, then its further behaviour."""
    from netlab.errors import printable
    from netlab.report.columns import columns

    head = [profile.system, profile.versions and f"versions {profile.versions}", profile.about]
    yield printable(f"{profile.name}: {'; '.join(filter(None, head)) or 'no description'}")
    families = " and ".join(_FAMILIES[one] for one in profile.families)
    ranges = ", ".join(map(str, profile.pod_cidrs)) or "netlab's default"
    yield f"pods have {families}; their range is {ranges}"
    if (of := profile.cluster_policy_fields) is not None:
        about = f"; {of.about}" if of.about else ""
        said = f"{about} ({of.mark}: {of.source})"
        yield printable(f"fields of cluster-wide policies that it does not read: {', '.join(of.ignores)}{said}")
    if profile.choices:
        yield ""
        rows = ([one.name, _text(one.value), one.mark, _reason(one)] for one in profile.choices)
        yield from columns(["FIELD", "VALUE", "MARK", "SOURCE"], rows)
    if profile.quirks:
        yield ""
        yield from columns(
            ["BEHAVIOUR", "MARK", "SOURCE", "CARRIED OUT BY"],
            ([q.text, q.mark, q.source, ", ".join(q.settings) or "-"] for q in profile.quirks),
        )


def _enforcement(profile: Profile) -> str:
    return "not enforced" if profile.policy.get("enforcement") == "none" else "enforced"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _reason(choice: Any) -> str:
    return f"{choice.source} ({choice.about})" if choice.about else choice.source
