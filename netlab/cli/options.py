"""Options that several commands share, under one name and with one meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from netlab.cli.failures import be_verbose
from netlab.report import formats

_F = TypeVar("_F", bound=Callable[..., Any])
_REPORTS = f"{__name__}.reports"

files = click.option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    help="Read objects from here; repeatable. A directory is read recursively, - is standard input.",
)
strict = click.option("--strict", is_flag=True, help="Refuse kinds that netlab does not read, not skip them.")
yes = click.option("--yes", is_flag=True, help="Build a lab of more than 5,000 pods.")
ignore = click.option(
    "--ignore",
    "ignore",
    multiple=True,
    metavar="KIND[.GROUP]",
    help="Policies of this kind, which netlab does not read, do not count; repeatable.",
)


# The names of ``netlab.kernel.machine.KERNELS``, which takes longer to read than to print a command's help.
KERNELS = ("fast", "pyroute2")
kernel = click.option(
    "--kernel",
    "kernel",
    type=click.Choice(KERNELS),
    default=KERNELS[0],
    show_default=True,
    envvar="NETLAB_KERNEL",
    help="What makes links: netlab's own netlink messages, or pyroute2, slower and the same.",
)


def lab_name(text: str) -> str:
    """Return the name of a lab, of every option and argument that takes one; raises UsageError for what is none."""
    from netlab.objects.names import LabName

    return LabName(text)


def or_empty(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """Return "" for a lab that was not named: an empty name that was given is no lab's name."""
    return value or ""


def lab_option(help_text: str) -> Callable[[_F], _F]:
    """Return ``--lab``, with its help."""
    return click.option(
        *("--lab", "lab"), metavar="NAME", envvar="NETLAB_LAB", type=lab_name, callback=or_empty, help=help_text
    )


lab = lab_option("The running lab; by default the only one.")
namespace = click.option(
    "-n",
    "--namespace",
    metavar="NAMESPACE",
    envvar="NETLAB_NAMESPACE",
    default="default",
    show_default=True,
    help="The namespace of names that are given without one.",
)
ports = click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="PORT/PROTO",
    help="Ask exactly this of every destination, as 80, 53/UDP or ICMP; repeatable. By default the declared"
    " container ports, TCP 80 where there are none.",
)
family = click.option("--family", type=click.Choice(["4", "6"]), help="Only IPv4, or only IPv6.  [default: both]")
nodes = click.option("--nodes", is_flag=True, help="Also ask from and to the nodes.")
self_pairs = click.option("--self", "self_pairs", is_flag=True, help="Also ask pairs of a pod with itself.")


class _Formats(click.Choice[str]):
    """The formats that a class of results is printed in, as they are registered when the command is called."""

    def __init__(self, result: type) -> None:
        self._result = result
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        return formats.printed(self._result)


def output(result: type) -> Callable[[_F], _F]:
    """Return ``-o`` with the formats of a class of results; the first is the default."""
    return click.option(
        "-o",
        "--output",
        type=_Formats(result),
        default=formats.printed(result)[0],
        show_default=True,
        help="How to print it.",
    )


def reports(result: type) -> Callable[[_F], _F]:
    """Return an option ``--FORMAT FILE`` for each format that a class of results is written to a file in."""

    def add(command: _F) -> _F:
        for name in reversed(formats.filed(result)):
            what = f"Also write {formats.FORMATS[name].file} there."
            file = click.Path(dir_okay=False)
            command = click.option(
                f"--{name}", type=file, metavar="FILE", expose_value=False, callback=_report, help=what
            )(command)
        return command

    return add


def _report(ctx: click.Context, parameter: click.Parameter, file: str | None) -> None:
    if file is not None:
        ctx.meta.setdefault(_REPORTS, []).append((parameter.name, file))


def wanted_reports() -> list[tuple[str, str]]:
    """Return the formats and files of the command's ``reports``; raises UsageError for what can be no file."""
    from netlab.kernel import output as kernel_output

    found: list[tuple[str, str]] = click.get_current_context().meta.get(_REPORTS, [])
    for name, file in found:
        kernel_output.check(file, f"--{name}")
    return found


def _verbose(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    be_verbose(wanted)


verbose = click.option(
    "-v", "--verbose", is_flag=True, is_eager=True, expose_value=False, callback=_verbose, help="Show more detail."
)


def pairs(command: _F) -> _F:
    """Add the options that say which pairs are asked."""
    for option in (self_pairs, nodes, family, ports):
        command = option(command)
    return command
