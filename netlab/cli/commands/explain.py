"""``netlab explain``: print why one pair is allowed or denied."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import flow_arguments, inputs, options, rendering
from netlab.cli.option import option
from netlab.errors import UsageError
from netlab.report.explanations import Explanations


@click.command("explain")
@click.argument("source", metavar="SRC", shell_complete=options.completed("endpoints"))
@click.argument(
    "destination", metavar="DST:PORT[/PROTO]", required=False, shell_complete=options.completed("endpoints")
)
@option("--from", "client", metavar="SRC", default="", help="The client that asks for a URL.")
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.lab_without_files
@options.namespace
@options.family
@options.system
@options.verbose
def explain_command(
    source: str,
    destination: str | None,
    client: str,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    namespace: str,
    family: str | None,
    system: bool,
) -> None:
    """Print the verdict of one pair, and the policy, rule and line that decided on each side.

    SRC and DST are NAMESPACE/POD, node:NAME or host:NAME; DST may be an IP address, or service:NAMESPACE/NAME with the
    number or name of a port of the Service. NAMESPACE/WORKLOAD stands for its first pod. Without a port, netlab
    explains every port that DST declares; DST/ICMP explains ICMP.

    An address that no machine of the lab has gets no packet, so the verdict is deny. If policies allow it, the first
    line says so. To send packets there, add a host with this address to the Topology.

    `netlab explain http://HOST/PATH --from SRC` explains a request: the Ingress and its rule, the Service, the pods
    that answer, and the policy that stops it.
    """
    if client or destination is None or destination.startswith(("http://", "https://")):
        url, client = (destination, source) if destination else (source, client)
        _explain_url(url, client, files, strict, ignore, lab, namespace, family)
        return
    from netlab.policy.explain import explain

    system = system or (bool(files) and destination.startswith("service:"))
    cluster = inputs.read_cluster(files, strict, lab, ignore, system=system)
    flows = flow_arguments.one_pair(cluster, source, destination, namespace, family=family)
    services = [one for one in cluster.services if not one.system]
    objects = (cluster.asked_pods(), cluster.policies, cluster.unread, cluster.understood, services)
    sources = [one.source for many in objects for one in many]
    found = (explain(cluster, flow) for flow in flows)
    rendering.render(Explanations(found, {source.file for source in sources}))


def _explain_url(
    text: str,
    client: str,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    lab: str,
    namespace: str,
    family: str | None,
) -> None:
    from netlab.cluster.find import find
    from netlab.cluster.types import address_of
    from netlab.programs.explain_url import explain_url, is_url, parse_url

    if not is_url(text):
        raise UsageError(f"explain {text}: write SRC DST:PORT, or a URL and its client: http://HOST/PATH --from SRC")
    if not client:
        raise UsageError(f"explain {text}: name the client with --from SRC, as in --from host:client")
    url = parse_url(text)
    cluster = inputs.read_cluster(files, strict, lab, ignore)
    source = find(cluster, client, namespace)
    families = flow_arguments.families_of(cluster, family)
    asked = [one for one in families if address_of(source, one) is not None] or families[:1]
    objects = (cluster.asked_pods(), cluster.policies, cluster.unread, cluster.understood, cluster.ingresses)
    sources = {one.source.file for many in objects for one in many}
    rendering.render(Explanations((explain_url(cluster, source, url, one) for one in asked), sources))
