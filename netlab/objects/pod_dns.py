"""The DNS fields of a pod's spec, with the API server's rules.

Names and values become lines of the pod's resolv.conf and hosts file, so none may have a space or a line break.

Source: kubernetes pkg/apis/core/validation (``validatePodDNSConfig``, ``ValidateHostAliases``).
"""

from __future__ import annotations

from netlab.frozen import NamedTuple
from netlab.objects import names
from netlab.objects.core_v1 import checked_addresses
from netlab.objects.field_types import Choice, Part, Parts, Text, Texts
from netlab.objects.fields import Fields, invalid, required
from netlab.objects.shapes import Shape
from netlab.objects.types import DnsConfig, DnsPolicy, HostAlias
from netlab.patterns import pattern

MOST_NAMESERVERS = 3
MOST_SEARCHES = 32
MOST_SEARCH_CHARACTERS = 2048
MOST_OPTIONS = 100
MOST_ALIASES = 1_000
_WORD = pattern(r"[!-~]*")


class _Option(Shape):
    """An option of the resolver."""

    name = Text("name", "The option's name.")
    value = Text("value", "The option's value.")


class _DnsConfig(Shape):
    """Settings of the pod's resolver."""

    nameservers = Texts("nameservers", "Addresses of servers.")
    searches = Texts("searches", "Domains in which names are looked up.")
    options = Parts("options", "Options of the resolver.", shape=_Option)


class _HostAlias(Shape):
    """A line of the pod's hosts file."""

    ip = Text("ip", "The address.")
    hostnames = Texts("hostnames", "The names of the address.")


class PodDnsShape(Shape):
    """The fields of a pod's spec about its names and its resolver."""

    hostname = Text("hostname", "The pod's host name.", check=names.dns_label)
    subdomain = Text("subdomain", "The Service below which DNS has the pod's host name.", check=names.dns_label)
    dns_policy = Choice[DnsPolicy](
        "dnsPolicy",
        "Which servers the pod's resolver asks.",
        values=("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"),
        default="ClusterFirst",
        blank=True,
    )
    dns_config = Part("dnsConfig", "Settings of the pod's resolver.", shape=_DnsConfig)
    host_aliases = Parts("hostAliases", "Further lines of the pod's hosts file.", shape=_HostAlias)


class PodDns(NamedTuple):
    """The decoded fields, in the order of those of ``PodSpec``."""

    hostname: str
    subdomain: str
    dns_policy: DnsPolicy
    dns_config: DnsConfig | None
    host_aliases: tuple[HostAlias, ...]


_UNUSED_HOSTNAME = Text(PodDnsShape.hostname.name, PodDnsShape.hostname.about)
_UNUSED_SUBDOMAIN = Text(PodDnsShape.subdomain.name, PodDnsShape.subdomain.about)
_FIELDS = frozenset(PodDnsShape.fields)
_DEFAULT = PodDns("", "", "ClusterFirst", None, ())


def pod_dns(fields: Fields, *, named: bool = True) -> PodDns:
    """Decode the DNS fields of a pod's spec. Without ``named``, its names are not used and not checked."""
    if _FIELDS.isdisjoint(fields.data):
        return _DEFAULT
    policy = PodDnsShape.dns_policy.read(fields)
    config = PodDnsShape.dns_config.find(fields)
    aliases = PodDnsShape.host_aliases.read(fields)
    if config is None and policy == "None" and not PodDnsShape.dns_config.has(fields):
        PodDnsShape.dns_config.error(fields, required("must provide `dnsConfig` when `dnsPolicy` is None"))
    if len(aliases) > MOST_ALIASES:
        PodDnsShape.host_aliases.error(fields, f"Too many: {len(aliases)}: must have at most {MOST_ALIASES} items")
        aliases = []
    return PodDns(
        (PodDnsShape.hostname if named else _UNUSED_HOSTNAME).read(fields),
        (PodDnsShape.subdomain if named else _UNUSED_SUBDOMAIN).read(fields),
        policy,
        None if config is None else _config(config, policy),
        tuple(_alias(item) for item in aliases),
    )


def _config(fields: Fields, policy: DnsPolicy) -> DnsConfig:
    servers = _DnsConfig.nameservers.read(fields)
    searches = _DnsConfig.searches.read(fields)
    options = _DnsConfig.options.read(fields)
    if policy == "None" and not servers:
        _DnsConfig.nameservers.error(
            fields, required("must provide at least one DNS nameserver when `dnsPolicy` is None")
        )
        # The API server does not check the other fields then.
        return DnsConfig()
    if len(servers) > MOST_NAMESERVERS:
        message = f"must not have more than {MOST_NAMESERVERS} nameservers"
        _DnsConfig.nameservers.error(fields, invalid([text for _, text in servers], message))
    if len(searches) > MOST_SEARCHES:
        message = f"must not have more than {MOST_SEARCHES} search paths"
        _DnsConfig.searches.error(fields, invalid([text for _, text in searches], message))
    if len(" ".join(text for _, text in searches)) > MOST_SEARCH_CHARACTERS:
        message = f"must not have more than {MOST_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        _DnsConfig.searches.error(fields, invalid([text for _, text in searches], message))
    if len(options) > MOST_OPTIONS:
        _DnsConfig.options.error(fields, f"Too many: {len(options)}: must have at most {MOST_OPTIONS} items")
        options = []
    for path, text in searches:
        # A dot alone, and an underscore, are allowed since Kubernetes 1.34.
        name = text.removesuffix(".")
        for message in () if text == "." else names.subdomain_with_underscore(name):
            fields.report.error(path, invalid(name, message))
    return DnsConfig(
        tuple(str(address) for _, address in checked_addresses(fields, servers)),
        tuple(text for _, text in searches),
        tuple(_option(item) for item in options),
    )


def _option(fields: Fields) -> tuple[str, str]:
    name, value = _Option.name.read(fields), _Option.value.read(fields)
    if _Option.name.missing(fields):
        fields.report.error(fields.path, required("must not be empty"))
    for field, text in ((_Option.name, name), (_Option.value, value)):
        if not _WORD.fullmatch(text):
            field.error(fields, invalid(text, "must have no space and no control character"))
    return name, value


def _alias(fields: Fields) -> HostAlias:
    ip = _HostAlias.ip.read(fields)
    hostnames = _HostAlias.hostnames.read(fields)
    found = checked_addresses(fields, [(_HostAlias.ip.at(fields), ip)])
    for path, text in hostnames:
        for message in names.dns_subdomain(text):
            fields.report.error(path, invalid(text, message))
    return HostAlias(str(found[0][1]) if found else "", tuple(text for _, text in hostnames))
