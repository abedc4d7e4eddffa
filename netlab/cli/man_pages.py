"""Manual pages: one for netlab and one for each command, from the same texts as ``--help``.

``python -m netlab.cli.man_pages FOLDER`` writes them, in the language of man(7).
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from netlab.cli.command_group import COMMANDS, cli

_EXIT_CODES = (
    ("0", "done, and all as expected"),
    ("1", "a verdict differs or is inconclusive, or a check found a problem in the policy set"),
    ("2", "the input or the command line is wrong"),
    ("3", "this host cannot do it; the message says what to do"),
    ("70", "a bug in netlab"),
    ("129, 130, 143", "ended by SIGHUP, SIGINT or SIGTERM"),
    ("141", "the reader of standard output has closed it"),
)
_FILES = (
    ("/run/netlab", "records of the running labs of root"),
    ("/run/netns/netlab.*", "network namespaces of the labs of root"),
)
_LINK = re.compile(r"`netlab ([a-z]+)[^`]*`")


def pages() -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the lines of each page."""
    yield "netlab.1", list(_netlab())
    above = click.Context(cli, info_name="netlab", **cli.context_settings)
    for name, (_, short) in COMMANDS.items():
        command = cli.get_command(above, name)
        assert command is not None
        yield f"netlab-{name}.1", list(_command(name, short, command, click.Context(command, above, info_name=name)))


def _netlab() -> Iterator[str]:
    yield from _head("netlab", inspect.cleandoc(cli.help or "").split("\n\n")[0])
    yield from (".SH SYNOPSIS", ".B netlab", ".I command", "[\\fIoptions\\fR]")
    yield ".SH DESCRIPTION"
    yield "Nodes and pods are network namespaces, and NetworkPolicies are nftables rules."
    yield "No packet of a lab leaves the lab, and the host's own network stays as it is."
    yield ".SH COMMANDS"
    for name, (_, short) in COMMANDS.items():
        yield from (".TP", f"\\fBnetlab\\-{_escaped(name)}\\fR(1)", _escaped(short))
    yield ".SH EXIT STATUS"
    yield from _list(_EXIT_CODES)
    yield ".SH ENVIRONMENT"
    yield "An environment variable sets the default of an option:"
    yield "NETLAB_, the command, _ and the option's name, as in NETLAB_REACH_OUTPUT=json."
    yield "For \\-\\-lab and \\-n of all commands it is NETLAB_LAB and NETLAB_NAMESPACE."
    yield "NO_COLOR turns colour off."
    yield ".SH FILES"
    yield from _list(_FILES)


def _command(name: str, short: str, command: click.Command, context: click.Context) -> Iterator[str]:
    yield from _head(f"netlab-{name}", short)
    yield ".SH SYNOPSIS"
    yield f".B netlab {_escaped(name)}"
    # A list of choices may be longer than a line. It may end after each choice, and is not stretched.
    yield ".ad l"
    yield _text(" ".join(command.collect_usage_pieces(context))).replace("|", "|\\:")
    yield ".ad b"
    yield ".SH DESCRIPTION"
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(command.help or ""))
    for at, paragraph in enumerate(paragraphs):
        if at:
            yield ".PP"
        yield _text(paragraph)
    yield ".SH OPTIONS"
    yield from _options(command, context)
    for inner, below in _below(command, context):
        yield f".SH {_escaped(below.command_path.upper())}"
        yield f".B {_escaped(below.command_path)}"
        yield _text(" ".join(inner.collect_usage_pieces(below)))
        for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(inner.help or "")):
            yield ".PP"
            yield _text(paragraph)
        yield from _options(inner, below)
    yield ".SH SEE ALSO"
    named = [one for one in dict.fromkeys(_LINK.findall(command.help or "")) if one in COMMANDS and one != name]
    others = [f"\\fBnetlab\\-{one}\\fR(1)" for one in named]
    yield ", ".join(["\\fBnetlab\\fR(1)", *others])


def _below(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield the commands of a group."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield inner, click.Context(inner, context, info_name=name)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[1]:
            # click keeps the option of the first context that a command had, which may have had other names for it.
            declared, meaning = ("-h, --help", record[1]) if "--help" in parameter.opts else record
            yield from (".TP", f"\\fB{_escaped(declared)}\\fR", _text(meaning))


def _head(name: str, short: str) -> Iterator[str]:
    yield '.\\" Written by python -m netlab.cli.man_pages.'
    # Without a date, as the text would depend on the day.
    yield f'.TH {_escaped(name.upper())} 1 "" "netlab" "netlab manual"'
    yield ".SH NAME"
    yield f"{_escaped(name)} \\- {_escaped(short[:1].lower() + short[1:].rstrip('.'))}"


def _list(items: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for term, meaning in items:
        yield from (".TP", f"\\fB{_escaped(term)}\\fR", _escaped(meaning))


def _text(text: str) -> str:
    """Return a paragraph with a sentence a line, as man(7) wants it."""
    joined = _escaped(" ".join(text.split()))
    lines = re.split(r"(?<=[a-z)][.:]) (?=[A-Z])", joined)
    return "\n".join(_start(line) for line in lines)


def _start(line: str) -> str:
    # A dot or an apostrophe at the beginning of a line is a request.
    return f"\\&{line}" if line[:1] in ".'" else line


def _escaped(text: str) -> str:
    marks = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti", "…": "..."}
    return "".join(marks.get(c, c) for c in text)


def main() -> None:
    """Write the pages into the folder that the command line names."""
    folder = Path(sys.argv[1])
    for name, lines in pages():
        (folder / name).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
