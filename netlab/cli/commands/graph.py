"""``netlab graph``: draw the wiring, who reaches whom, or which policies select which pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click
from click.core import ParameterSource

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.errors import UsageError
from netlab.report.picture import DrawnPicture

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.pictures.model import Picture
    from netlab.pictures.reach import Unit

Question = Literal["topology", "reach", "policies"]

# Options about pairs of endpoints: no other question has any.
_OF_REACH = ("unit", "label", "ports", "family", "nodes", "self_pairs", "system", "services")


@click.command("graph")
@click.argument("question", type=click.Choice(["topology", "reach", "policies"]))
@options.files
@options.profile
@options.strict
@options.ignore
@options.lab_without_files
@options.pairs
@click.option(
    "--unit",
    type=click.Choice(["auto", "workload", "group", "namespace"]),
    default="auto",
    show_default=True,
    help="What a box stands for. By default, the smallest unit that gives a readable picture.",
)
@click.option("--label", "label", metavar="KEY", default="", help="Name groups by this label's value.")
@options.output(DrawnPicture, default="svg")
@click.option(
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
    label: str,
    output: str,
    file: str | None,
) -> None:
    """Draw a picture: the wiring (topology), who reaches whom (reach), or which pods policies select (policies).

    netlab needs no kernel for it. Without -f, the objects are those of the running lab. docs/pictures.md says what each
    picture shows. A Mermaid flowchart has at most 20 boxes.

    Options that select pairs, --unit and --label are for `graph reach` only.
    """
    if question != "reach":
        _refuse_options_of_reach(question)
    if file is not None:
        from netlab.kernel import output as kernel_output

        kernel_output.check(file, "--output-file")
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    if question == "reach":
        from netlab.pictures.reach import reach_picture

        selection = flow_arguments.selection_of(cluster, ports, family, nodes, self_pairs, system, services)
        picture = reach_picture(cluster, selection, unit=unit, label=label)
    else:
        picture = _picture(question, cluster)
    if output == "mermaid":
        from netlab.pictures import mermaid

        mermaid.check(picture)
    if file is None:
        rendering.render(DrawnPicture(picture), output)
    else:
        rendering.write(DrawnPicture(picture), [(output, file)])


def _picture(question: Question, cluster: Cluster) -> Picture:
    if question == "topology":
        from netlab.pictures.topology import topology_picture

        return topology_picture(cluster)
    from netlab.pictures.policies import policies_picture

    return policies_picture(cluster)


def _refuse_options_of_reach(question: str) -> None:
    """Raise UsageError for each option on the command line that does nothing for a question."""
    context = click.get_current_context()
    named = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in _OF_REACH and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if named:
        raise UsageError(
            *(f"{option} is for `graph reach` only: `graph {question}` asks about no pairs" for option in named)
        )
