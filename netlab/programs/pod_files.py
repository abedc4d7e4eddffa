"""The files by which programs of an endpoint find names, as the kubelet writes them: /etc/resolv.conf and /etc/hosts.

Source: Kubernetes, pkg/kubelet/network/dns/dns.go, pkg/kubelet/kubelet_pods.go; DNS for Services and Pods.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netlab.cluster import Cluster, Endpoint, Pod
from netlab.frozen import frozen
from netlab.objects.services import Service

DNS_SERVICE = "kube-system/kube-dns"
RESOLV, HOSTS = "/etc/resolv.conf", "/etc/hosts"

# validation.MaxDNSNameservers, MaxDNSSearchPaths, MaxDNSSearchListChars; DNS1123SubdomainMaxLength.
_NAMESERVERS, _SEARCHES, _SEARCH_LENGTH, _NAME_LENGTH = 3, 32, 2048, 253
# Linux's limit of hostnames.
_HOSTNAME_LENGTH = 63
_CLUSTER_OPTIONS = (("ndots", "5"),)

_LOCAL = """127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
"""


@frozen
class PodFiles:
    """The files of an endpoint, and its hostname; ``warnings`` name what exceeds the kubelet's limits."""

    resolv: str
    hosts: str
    hostname: str
    warnings: tuple[str, ...] = ()


def dns_service(cluster: Cluster) -> Service | None:
    """Return the Service of the cluster's DNS, None if the lab answers no DNS."""
    found = (one for one in cluster.services if one.meta.key == DNS_SERVICE)
    return next(found, None) if cluster.dns else None


def of(cluster: Cluster, endpoint: Endpoint) -> PodFiles:
    """Return the files of a pod, a node or an outside host."""
    if not isinstance(endpoint, Pod):
        return PodFiles(_no_servers("a machine of the lab has no name server"), machine_hosts(cluster), endpoint.name)
    # A pod in its node's network has the node's hostname, whatever it asks for.
    hostname = endpoint.node if endpoint.host_network else endpoint.hostname or endpoint.name
    hostname = hostname[:_HOSTNAME_LENGTH].rstrip("-.")
    resolv, warnings = _resolv(cluster, endpoint)
    return PodFiles(resolv, _hosts(cluster, endpoint, hostname), hostname, warnings)


# --- resolv.conf ----------------------------------------------------------------------------------------------------


def _resolv(cluster: Cluster, pod: Pod) -> tuple[str, tuple[str, ...]]:
    zone, service = cluster.cluster_domain, dns_service(cluster)
    servers: list[str] = []
    searches: list[str] = []
    options: list[tuple[str, str]] = []
    why = f"dnsPolicy {pod.dns_policy}: the nodes of the lab have no name server"
    policy = pod.dns_policy
    if policy == "ClusterFirstWithHostNet" or (policy == "ClusterFirst" and not pod.host_network):
        servers = [str(address) for address in service.cluster_ips] if service else []
        why = "the lab answers no DNS" if not cluster.dns else f"Service {DNS_SERVICE} has no cluster IP"
        if servers:
            searches = [f"{pod.namespace}.svc.{zone}", f"svc.{zone}", zone]
            options = list(_CLUSTER_OPTIONS)
    elif policy == "None":
        why = "dnsPolicy None"
    if pod.dns_config is not None:
        servers = list(dict.fromkeys((*servers, *pod.dns_config.nameservers)))
        searches = list(dict.fromkeys((*searches, *pod.dns_config.searches)))
        options = list((dict(options) | dict(pod.dns_config.options)).items())
    warnings = []
    if len(servers) > _NAMESERVERS:
        servers = servers[:_NAMESERVERS]
        warnings.append(f"{pod.ref}: only {_NAMESERVERS} name servers fit: {' '.join(servers)}")
    fitting = _fitting(searches)
    if fitting != searches:
        warnings.append(f"{pod.ref}: search domains exceed the limits; in use are {len(fitting)} of {len(searches)}")
    lines = [f"search {' '.join(fitting)}"] if fitting else []
    lines += [f"nameserver {server}" for server in servers]
    words = [word for key, value in options if len((word := f"{key}:{value}" if value else key).split()) == 1]
    lines += [f"options {' '.join(words)}"] if words else []
    text = "".join(f"{line}\n" for line in lines)
    return (text if servers else _no_servers(why) + text), tuple(warnings)


def _no_servers(why: str) -> str:
    # A resolver without servers asks 127.0.0.1 (resolv.conf(5)), which is the pod's own loopback.
    return f"# No name server: {why}.\n"


def _fitting(searches: Sequence[str]) -> list[str]:
    """Return the search domains within the kubelet's limits: of their number, of each length, and of all together."""
    found = [one for one in searches[:_SEARCHES] if len(one) <= _NAME_LENGTH]
    while found and len(" ".join(found)) > _SEARCH_LENGTH:
        found.pop()
    return found


# --- hosts ----------------------------------------------------------------------------------------------------------


def _hosts(cluster: Cluster, pod: Pod, hostname: str) -> str:
    if pod.host_network:
        text = "# Kubernetes-managed hosts file (host network).\n" + machine_hosts(cluster)
    else:
        full = f"{hostname}.{pod.subdomain}.{pod.namespace}.svc.{cluster.cluster_domain}" if pod.subdomain else ""
        names = f"{full}\t{hostname}" if full else hostname
        own = "".join(f"{address}\t{names}\n" for address in pod.addresses)
        text = "# Kubernetes-managed hosts file.\n" + _LOCAL + own
    if pod.host_aliases:
        text += "\n# Entries added by HostAliases.\n"
        text += "".join(_line(alias.ip, alias.hostnames) for alias in pod.host_aliases)
    return text


def machine_hosts(cluster: Cluster) -> str:
    """Return the hosts file of nodes and outside hosts, which names all nodes and outside hosts."""
    lines = [_line(str(address), [node.name]) for node in cluster.nodes for address in node.addresses]
    lines += [_line(str(address), [host.name, *host.hostnames]) for host in cluster.hosts for address in host.addresses]
    return _LOCAL + "".join(lines)


def _line(address: str, names: Iterable[str]) -> str:
    return "\t".join((address, *names)) + "\n"
