"""``netlab graph``: draw the wiring, who reaches whom, or which policies select which pods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.report.picture import DrawnPicture

if TYPE_CHECKING:
    from netlab.pictures.reach import Unit


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
    help="With `reach`: what a box stands for. By default, the smallest unit that gives a readable picture.",
)
@click.option("--label", "label", metavar="KEY", default="", help="With `reach`: name groups by this label's value.")
@options.output(DrawnPicture)
@options.verbose
def graph_command(
    question: Literal["topology", "reach", "policies"],
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
) -> None:
    """Draw a picture: the wiring (topology), who reaches whom (reach), or which pods policies select (policies).

    netlab needs no kernel for it. Without -f, the objects are those of the running lab.
    """
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    if question == "topology":
        from netlab.pictures.topology import topology_picture

        picture = topology_picture(cluster)
    elif question == "policies":
        from netlab.pictures.policies import policies_picture

        picture = policies_picture(cluster)
    else:
        from netlab.pictures.reach import reach_picture

        selection = flow_arguments.selection_of(cluster, ports, family, nodes, self_pairs, system, services)
        picture = reach_picture(cluster, selection, unit=unit, label=label)
    rendering.render(DrawnPicture(picture), output)
