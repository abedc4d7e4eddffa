"""``netlab graph``: draw the wiring, who reaches whom, or which policies select which pods."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.cli.option import option
from netlab.errors import UsageError
from netlab.report.picture import DrawnPicture

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.pictures.model import Picture
    from netlab.pictures.reach import Unit

Question = Literal["topology", "reach", "policies"]

# The question of each option that does nothing for others. Only ``reach`` asks about pairs of endpoints.
_OF_REACH = ("unit", "name_by", "ports", "family", "nodes", "self_pairs", "system", "services")
_ONLY_OF = MappingProxyType({**dict.fromkeys(_OF_REACH, "reach"), "only": "policies"})


@click.command("graph")
@click.argument("question", type=click.Choice(["topology", "reach", "policies"]))
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@options.pairs
@option(
    "--unit",
    type=click.Choice(["auto", "workload", "group", "namespace"]),
    default="auto",
    show_default=True,
    help="What a box stands for. By default, the smallest unit that gives a readable picture.",
)
@option("--name-by", "name_by", metavar="KEY", default="", help="Name groups by this label's value.")
@option(
    "--only",
    "only",
    multiple=True,
    metavar="NAMESPACE",
    help="With `policies`: draw only this namespace; repeatable.",
)
@options.output(DrawnPicture)
@option(
    "--output-file",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the picture to this file, whole or not at all, and print nothing.",
)
@options.verbose
def graph_command(
    question: Question,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    self_pairs: bool,
    system: bool,
    services: bool,
    unit: Unit,
    name_by: str,
    only: Sequence[str],
    output: str,
    file: str | None,
) -> None:
    """Draw a picture: the wiring (topology), who reaches whom (reach), or which pods policies select (policies).

    netlab needs no kernel for it. Without -f, the objects are those of the running lab. docs/pictures.md says what each
    picture shows. A Mermaid flowchart has at most 20 boxes.

    Options that select pairs, --unit and --name-by are for `graph reach` only.
    """
    _refuse_other_options(question)
    if file is not None:
        from netlab.kernel import output as kernel_output

        options.keep_manifests(file, "--output-file")
        kernel_output.check(file, "--output-file")
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    if question == "reach":
        from netlab.pictures.reach import reach_picture

        selection = flow_arguments.selection_of(cluster, ports, family, nodes, self_pairs, system, services)
        picture = reach_picture(cluster, selection, unit=unit, label=name_by)
    else:
        picture = _picture(question, cluster, only)
    if file is None:
        rendering.render(DrawnPicture(picture), output)
    else:
        rendering.write(DrawnPicture(picture), [(output, file)])


def _picture(question: Question, cluster: Cluster, only: Sequence[str]) -> Picture:
    if question == "topology":
        from netlab.pictures.topology import topology_picture

        return topology_picture(cluster)
    from netlab.pictures.policies import policies_picture

    return policies_picture(cluster, only=only)


def _refuse_other_options(question: str) -> None:
    """Raise UsageError for each option on the command line that does nothing for a question."""
    context = click.get_current_context()
    wrong = []
    for parameter in context.command.params:
        of = _ONLY_OF.get(parameter.name or "", question)
        if of != question and context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            wrong.append(f"{parameter.opts[0]} is for `graph {of}` only")
    if wrong:
        raise UsageError(*wrong)
