"""The page ``docs/api-reference.md``: every public class and function, generated from their docstrings.

``python -m netlab.cli.api_reference`` prints it.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Iterator
from typing import Any

import netlab
from netlab.cli import terminal
from netlab.errors import NetlabError

HEAD = """\
# Reference of the Python API

<!-- proven by tests/api/test_pages.py -->

`python -m netlab.cli.api_reference > docs/api-reference.md` writes this page from the docstrings.
[api.md](api.md) has examples, and says what is stable."""

# What a class has for netlab itself, and may change in any version.
NOT_PUBLIC = {
    "Lab": frozenset(
        (
            *("add_system", "change", "cluster_as", "cluster_with_system", "edit", "execute", "execute_as"),
            *("held", "is_behind", "listening", "machine", "machines_of_nodes", "namespace_path"),
            *("of_part", "prepared", "receive", "records", "take", "wanted"),
        )
    ),
    "Cluster": frozenset(("asked_pods", "memo")),
    "Decision": frozenset(("sides", "view", "asked")),
    "Document": frozenset(("memo",)),
    "Explanation": frozenset(("in_lines",)),
    "Measurement": frozenset(("without_control",)),
    "Node": frozenset(("holds",)),
    "Pod": frozenset(("source", "traits")),
    "Ruleset": frozenset(("since",)),
    "Scenario": frozenset(("read_until", "source", "without_errors", "wrong")),
    "Service": frozenset(("source",)),
}
_ITEM = re.compile(r"^(?P<indent> +)(?P<name>[\w, *]+): ")
_PROPERTIES = (property, functools.cached_property)
_HEADINGS = ("Args", "Attributes", "Raises")


def lines() -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    found = [(name, getattr(netlab, name)) for name in netlab.__all__]
    errors = [one for one in found if inspect.isclass(one[1]) and issubclass(one[1], Exception)]
    classes = [one for one in found if inspect.isclass(one[1]) and one not in errors]
    functions = [one for one in found if not inspect.isclass(one[1])]
    for title, group in (("Functions", functions), ("Classes", classes), ("Errors", errors)):
        yield f"\n## {title}"
        for name, value in group:
            yield from _class(name, value) if inspect.isclass(value) else _function("###", name, value)


def members(name: str, value: type) -> list[str]:
    """Return the public members of a class that are no fields, in the order of its text.

    After them come those of a base class that is not public itself.
    """
    hidden = NOT_PUBLIC.get(name, frozenset()) | _fields(value).keys()
    found = {one: kind for part in reversed(_parts(value)) for one, kind in vars(part).items()}
    own = [one for part in _parts(value) for one in vars(part) if not one.startswith("_") and one not in hidden]
    return [one for one in dict.fromkeys(own) if callable(getattr(value, one)) or isinstance(found[one], _PROPERTIES)]


def _parts(value: type) -> list[type]:
    """Return a class, and its bases of netlab that are not public."""
    bases = [one for one in value.__mro__[1:] if one.__module__.startswith("netlab.")]
    return [value, *(one for one in bases if one.__name__ not in netlab.__all__)]


def _class(name: str, value: type) -> Iterator[str]:
    bases = [one.__name__ for one in value.__bases__ if one.__name__ in netlab.__all__]
    yield f"\n### {name}{f' ({bases[0]})' if bases else ''}"
    yield from _after_line(inspect.getdoc(value))
    hidden = NOT_PUBLIC.get(name, frozenset())
    if fields := {field: kind for field, kind in _fields(value).items() if field not in hidden}:
        yield "\nFields:\n"
        yield from (f"- `{field}: {kind}`" for field, kind in fields.items())
    if issubclass(value, NetlabError):
        yield f"\nThe exit code of commands is {value.exit_code}."
    for member in members(name, value):
        found = inspect.getattr_static(value, member)
        if isinstance(found, _PROPERTIES):
            getter = found.fget if isinstance(found, property) else found.func
            kind = inspect.signature(getter).return_annotation if getter else ""
            yield f"\n#### {name}.{member}: {kind}"
            yield from _after_line(inspect.getdoc(found))
        else:
            yield from _function("####", f"{name}.{member}", getattr(value, member))


def _fields(value: type) -> dict[str, str]:
    if dataclasses.is_dataclass(value):
        return {one.name: str(one.type) for one in dataclasses.fields(value) if not one.name.startswith("_")}
    names = getattr(value, "_fields", ())
    return {name: str(getattr(kind, "__forward_arg__", kind)) for name, kind in _hints(value).items() if name in names}


def _hints(value: type) -> dict[str, Any]:
    return dict(value.__annotations__)


def _function(level: str, name: str, value: Any) -> Iterator[str]:
    yield f"\n{level} {name}\n"
    signature = inspect.signature(value)
    parameters = [one for one in signature.parameters.values() if one.name not in ("self", "cls")]
    shown = [
        one.replace(annotation=one.annotation if one.annotation is one.empty else _Written(one.annotation))
        for one in parameters
    ]
    returned = signature.return_annotation
    whole = signature.replace(parameters=shown, return_annotation=_Written(returned))
    yield "```text"
    yield from _wrapped(f"{name}{whole}")
    yield "```"
    yield from _after_line(inspect.getdoc(value))


class _Written:
    """An annotation that prints as it was written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _wrapped(text: str) -> Iterator[str]:
    """Yield a signature on one line, or with a line for each parameter."""
    if len(text) <= 100:
        yield text
        return
    start, _, rest = text.partition("(")
    inner, _, end = rest.rpartition(")")
    yield f"{start}("
    depth, part = 0, ""
    for sign in inner:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and not depth:
            yield f"    {part.strip()},"
            part = ""
        else:
            part += sign
    yield f"    {part.strip()},"
    yield f"){end}"


def _after_line(docstring: str | None) -> Iterator[str]:
    if docstring:
        yield ""
        yield from _text(docstring)


def _text(docstring: str) -> Iterator[str]:
    """Yield a docstring as Markdown."""
    example = in_list = False
    for line in docstring.replace("``", "`").splitlines():
        if example and line and not line.startswith(" "):
            example = False
            yield "```\n"
        if line == "Example::":
            example = True
            yield "```python"
        elif example:
            if line:
                yield line[4:]
        elif line.rstrip(":") in _HEADINGS and line.endswith(":"):
            in_list = True
            yield f"{line}\n"
        elif in_list and line.startswith("  "):
            yield _item(line)
        else:
            in_list = False
            yield line
    if example:
        yield "```"


def _item(line: str) -> str:
    """Return a line of a list of arguments, attributes or errors."""
    if line.startswith("    "):
        return f"  {line.strip()}"
    if match := _ITEM.match(line):
        return f"- `{match['name']}`: {line[match.end() :]}"
    return f"- {line.strip()}"


if __name__ == "__main__":
    terminal.emit("\n".join(lines()).split("\n"))
