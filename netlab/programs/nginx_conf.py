"""The configuration of the lab's nginx, as text; one text for nginx from 1.19.5 on.

Hosts and paths are from strangers. Each is checked, and is one quoted word or is left out (``quoted``). All other names
are numbers and hashes of netlab.

nginx has habits that an Ingress must not have:

- ``*.example.com`` matches several labels, so a wildcard is a regular expression.
- It merges slashes (``merge_slashes off``).
- A location that ends in ``/`` and proxies requests redirects the path without the slash (301). So each such location
  has another one for the path without the slash.
- At its start it creates temporary directories, also for modules that are not used, and as root gives them to another
  user. They are in ``/tmp``, which is nginx's own (``kernel/program_process.py``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from hashlib import blake2b

from netlab.cluster.types import Cluster
from netlab.frozen import frozen
from netlab.objects.ingresses import TlsSecret
from netlab.programs.ingress_routes import ready_endpoints
from netlab.programs.ingress_rules import Backend, Location, Server, rules

CONNECT_SECONDS = 3
"""Seconds that nginx waits for an endpoint to accept a connection, so that a client gets 504 in less than 5 s."""

CONNECTIONS = 1024
_OWN = "/tmp"  # noqa: S108  of nginx's own mount namespace
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_LOG = '$remote_addr $scheme $host "$request" $status $request_time upstream=$upstream_addr'


@frozen
class Configuration:
    """The files of nginx: the text of ``nginx.conf``, and certificates and keys by file name."""

    text: str
    secrets: tuple[tuple[str, str], ...] = ()


def configuration(
    cluster: Cluster, directory: str, families: Sequence[int], user: str = "", without: Collection[str] = ()
) -> Configuration:
    """Return the configuration that serves a cluster's Ingresses.

    Args:
      cluster: the cluster.
      directory: where the files and the logs are, as nginx sees it. Temporary files are in ``/tmp``.
      families: the IP families (4 or 6) of the controller pod's addresses.
      user: the user and group of the worker processes; "" if nginx starts without privilege.
      without: ``NAMESPACE/NAME`` of TLS Secrets that cannot be used.
    """
    writer = _Writer(cluster, families, without)
    servers = [line for server in rules(cluster).servers for line in writer.server(server)]
    lines = [*_head(directory, user), *writer.upstreams(), *servers, "}", ""]
    return Configuration("\n".join(lines), tuple(writer.secrets.items()))


def quoted(text: str) -> str:
    r"""Return a text as one word of nginx's configuration, which nginx reads as the same text.

    In double quotes only ``\`` and ``"`` are special to nginx's parser (ngx_conf_read_token). Variables are special in
    some arguments, but not in names of locations and servers.

    Raises:
      ValueError: if the text has a control character.
    """
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in text):
        raise ValueError("a control character in a word of nginx's configuration")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _head(directory: str, user: str) -> Iterator[str]:
    """Yield the lines before the servers."""
    if user:
        yield f"user {user};"
    yield "daemon off;"
    yield "worker_processes 1;"
    yield f"pid {quoted(f'{_OWN}/nginx.pid')};"
    yield f"error_log {quoted(f'{directory}/error.log')} warn;"
    yield f"events {{ worker_connections {CONNECTIONS}; }}"
    yield "http {"
    for name in _TEMPORARY:
        yield f"  {name}_temp_path {quoted(f'{_OWN}/{name}')};"
    yield f"  log_format netlab '{_LOG}';"
    yield f"  access_log {quoted(f'{directory}/access.log')} netlab;"
    yield "  default_type text/plain;"
    yield "  merge_slashes off;"
    yield "  server_names_hash_bucket_size 512;"
    yield "  server_names_hash_max_size 16384;"
    yield "  large_client_header_buffers 4 8k;"
    # No request or answer is written to a file, as nginx's directory is in memory.
    yield "  proxy_request_buffering off;"
    yield "  proxy_max_temp_file_size 0;"
    yield "  proxy_http_version 1.1;"
    yield f"  proxy_connect_timeout {CONNECT_SECONDS}s;"
    # A request goes to one endpoint. With a second try, no client would see that policy forbids one of them.
    yield "  proxy_next_upstream off;"
    yield "  proxy_set_header Host $http_host;"
    yield "  proxy_set_header X-Real-IP $remote_addr;"
    yield "  proxy_set_header X-Forwarded-For $remote_addr;"
    yield "  proxy_set_header X-Forwarded-Host $http_host;"
    yield "  proxy_set_header X-Forwarded-Port $server_port;"
    yield "  proxy_set_header X-Forwarded-Proto $scheme;"
    yield "  proxy_set_header Upgrade $http_upgrade;"
    yield "  proxy_set_header Connection $netlab_connection;"
    yield "  map $http_upgrade $netlab_connection { default upgrade; '' close; }"


class _Writer:
    """Writes servers, and collects the upstreams and certificates that they need."""

    def __init__(self, cluster: Cluster, families: Sequence[int], without: Collection[str]) -> None:
        self._cluster = cluster
        self._without = without
        self._families = families
        self._upstreams: dict[tuple[str, int], tuple[int, list[str]]] = {}
        self.secrets: dict[str, str] = {}

    def upstreams(self) -> Iterator[str]:
        """Yield the blocks of all upstreams."""
        for number, addresses in self._upstreams.values():
            if not addresses:
                continue
            yield f"  upstream u{number} {{"
            yield from (f"    server {address} max_fails=0;" for address in addresses)
            yield "  }"

    def server(self, server: Server) -> Iterator[str]:
        """Yield the block of a server; the server of all other hosts has one for HTTP and one for HTTPS."""
        if not server.host:
            yield from self._block(server, self._listen(80, " default_server"))
            yield "  server {"
            yield from (f"    {line}" for line in self._listen(443, " ssl default_server"))
            yield '    server_name "";'
            yield "    ssl_reject_handshake on;"
            # A client may ask for a host without a certificate in a connection for another host.
            yield "    return 421;"
            yield "  }"
            return
        lines = [*self._listen(80, ""), _name(server.host)]
        if server.secret is not None and server.secret.meta.key not in self._without:
            file = self._secret(server.secret)
            lines += [*self._listen(443, " ssl"), f"ssl_certificate {file}.crt;", f"ssl_certificate_key {file}.key;"]
        yield from self._block(server, lines)

    def _block(self, server: Server, lines: Iterable[str]) -> Iterator[str]:
        yield "  server {"
        yield from (f"    {line}" for line in (*lines, *self._locations(server)))
        yield "  }"

    def _listen(self, port: int, more: str) -> Iterator[str]:
        for family in self._families:
            yield f"listen {port}{more};" if family == 4 else f"listen [::]:{port}{more};"

    def _locations(self, server: Server) -> Iterator[str]:
        found: dict[str, Location | None] = {}
        for location in server.locations:
            if location.kind == "Exact":
                found[f"= {quoted(location.path)}"] = location
            elif location.path:
                found.setdefault(f"= {quoted(location.path)}", server.find(location.path))
                found[f"^~ {quoted(f'{location.path}/')}"] = location
        for location in server.locations:
            if location.kind == "Exact" and location.path.endswith("/") and location.path != "/":
                less = location.path[:-1]
                found.setdefault(f"= {quoted(less)}", server.find(less))
        for name, one in found.items():
            yield f"location {name} {{ {self._action(one)} }}"
        rest = next((one for one in server.locations if one.kind == "Prefix" and not one.path), server.default)
        yield f"location / {{ {self._action(rest)} }}"

    def _action(self, location: Location | None) -> str:
        if location is None:
            return "return 404;"
        service, port = location.backend.service, location.backend.port
        if service is None or port is None:
            return "return 503;"
        key = (service.meta.key, port.port)
        if key not in self._upstreams:
            self._upstreams[key] = (len(self._upstreams), self._addresses(location.backend))
        number, addresses = self._upstreams[key]
        return f"proxy_pass http://u{number};" if addresses else "return 503;"

    def _addresses(self, backend: Backend) -> list[str]:
        found = ready_endpoints(self._cluster, backend, self._families)
        shown = (f"[{one.address}]" if one.address.version == 6 else str(one.address) for one in found)
        return [f"{address}:{one.port}" for address, one in zip(shown, found, strict=True)]

    def _secret(self, secret: TlsSecret) -> str:
        """Return the name of a certificate's files, without its ending."""
        name = file_name(secret)
        self.secrets |= {f"{name}.crt": secret.certificate, f"{name}.key": secret.key}
        return name


def file_name(secret: TlsSecret) -> str:
    """Return the name of the files of a certificate and its key, without its ending: a hash of their content.

    So a new certificate has files of its own while nginx may still read the old ones.
    """
    return f"tls-{blake2b(f'{secret.certificate} {secret.key}'.encode(errors='replace'), digest_size=16).hexdigest()}"


def _name(host: str) -> str:
    """Return the line with the name of a server, for a host that ``ingress_rules.valid_host`` accepted."""
    name = f"~^[^.]+{re.escape(host[1:])}$" if host.startswith("*.") else host
    return f"server_name {quoted(name)};"
