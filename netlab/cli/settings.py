"""The page ``docs/settings.md``: every setting of ``spec.policy`` and choice of ``wiring``, and who chooses what.

``python -m netlab.cli.settings > docs/settings.md`` writes it from the declarations, the modes and the profiles.
"""

from __future__ import annotations

from collections.abc import Iterator

from netlab import modes, profiles
from netlab.cli import terminal
from netlab.modes.traits import Mode
from netlab.objects.profiles import Profile
from netlab.objects.shapes import Field
from netlab.objects.topology_shapes import PolicyShape, WiringShape

HEAD = """\
# Settings

What Kubernetes leaves open, and what CNIs do differently, is a setting of a Topology. `spec.policy` says what policies
mean, `spec.networks[].wiring` how pods are wired. [reference.md](reference.md#topology) says what each value means.
`python -m netlab.cli.settings > docs/settings.md` writes this page.

`--as CNI` takes the choices of a profile. What the Topology writes wins. The column "chosen by" names the profiles that
differ from the default; variants of a system are named only where they differ from it. `netlab profiles NAME` prints
each choice with its source.
"""


_BOOLEANS = {"True": "true", "False": "false"}


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    found = [profiles.named(name) for name in profiles.names()]
    yield HEAD
    yield "## `spec.policy`\n"
    yield "| setting | meaning | value | chosen by |\n|---|---|---|---|"
    for field in PolicyShape.fields.values():
        yield from _setting(field, found)
    yield "\n## `spec.networks[].wiring`\n"
    yield "A choice that nothing makes is the mode's or netlab's own.\n"
    yield "| choice | meaning | values | chosen by |\n|---|---|---|---|"
    for field in WiringShape.fields.values():
        yield _choice(field, found)
    yield "\n## What a mode chooses\n"
    yield "| mode | `attachment` | `transport` | `masquerade` | `outsideRoutes` | `remoteNodeSource` |"
    yield "|---|---|---|---|---|---|"
    yield from map(_mode, modes.of_networks())


def _setting(field: Field[object], found: list[Profile]) -> Iterator[str]:
    """Yield a row for each value of a setting; the first one is the default."""
    default = field.shown_default().strip("`")
    for number, value in enumerate(sorted(_values(field), key=lambda one: one != default)):
        names = _choosing(field.name, value, found)
        if value == default:
            # Of those that make the default choice, only a variant of a system that makes another one is of interest.
            others = {
                one for other in _values(field) if other != default for one in _choosing(field.name, other, found)
            }
            names = ["the default", *(name for name in names if name.partition("-")[0] in others)]
        by = ", ".join(names) or "-"
        start = f"| `{field.name}` | {field.about} |" if number == 0 else "| | |"
        yield f"{start} `{value}` | {by} |"


def _choice(field: Field[object], found: list[Profile]) -> str:
    values = ", ".join(f"`{value}`" for value in _values(field)) or _words(field)
    made = {value: _choosing(field.name, value, found) for value in _chosen(field.name, found)}
    by = "; ".join(f"`{_BOOLEANS.get(value, value)}`: {', '.join(names)}" for value, names in made.items() if names)
    return f"| `{field.name}` | {field.about} | {values} | {by or '-'} |"


def _mode(mode: Mode) -> str:
    outside = "true" if mode.outside_routes else "false"
    names_of = {one: name for name, one in modes.ATTACHMENTS.items()}
    attachment = names_of.get(mode.attachment, mode.attachment.name)
    names = (attachment, mode.transport.name, mode.masquerade, outside, mode.remote_node_source)
    return f"| `{mode.name}` | {' | '.join(f'`{name}`' for name in names)} |"


def _values(field: Field[object]) -> list[str]:
    return [str(value) for value in field.schema().get("enum", ()) if value is not None]


def _words(field: Field[object]) -> str:
    schema = field.schema()
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    named = " or ".join(kind for kind in kinds if kind != "null")
    return f"{named}, {schema['minimum']} to {schema['maximum']}" if "minimum" in schema else named


def _chosen(setting: str, found: list[Profile]) -> list[str]:
    """Return the values that profiles give a setting, each once."""
    return list(dict.fromkeys(str(one.value) for profile in found for one in profile.choices if one.name == setting))


def _choosing(setting: str, value: str, found: list[Profile]) -> list[str]:
    """Return the profiles that give a setting this value, without variants of one that does."""
    names = [
        profile.name for profile in found for one in profile.choices if one.name == setting and str(one.value) == value
    ]
    return [name for name in names if not any(name.startswith(f"{other}-") for other in names)]


if __name__ == "__main__":
    terminal.emit("\n".join(lines()).split("\n"))
