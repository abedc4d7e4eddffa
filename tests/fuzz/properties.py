"""Properties of every input, also of wrong ones: a documented exit code, and one line for each problem."""

from __future__ import annotations

import itertools
import json
import re
import signal
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from click.testing import CliRunner, Result

from netlab.cli import cli, failures
from netlab.cluster.flows import every_pair
from netlab.cluster.types import Cluster, Host
from netlab.cni.conflist import ConflistError, conflist
from netlab.cni.types import CniError
from netlab.cni.types import Result as CniResult
from netlab.conformance import judges
from netlab.errors import NetlabError
from netlab.objects import Document, decode
from netlab.objects.documents import from_record, parse, to_record
from netlab.plugin.request import decoded, request
from netlab.programs import dns_snapshot, pod_files
from netlab.programs.dns_records import Zone
from netlab.programs.nginx_conf import configuration

_RESOLV_LINE = re.compile(r"(# [!-~ ]*|nameserver [0-9a-f.:]+|search( [-a-zA-Z0-9._]+)+|options( [!-~]+)+)?", re.ASCII)
_HOSTS_LINE = re.compile(r"(#[!-~ ]*|[0-9a-f.:]+([\t ][-a-z0-9.]+)+)?", re.ASCII)
_NGINX_WORD = re.compile(
    r"daemon|worker_processes|pid|(error|access)_log|log_format|events|http|(client_body|proxy|[fsu]\w+)_temp_path"
    r"|default_type|merge_slashes|server_names_hash_(bucket|max)_size|large_client_header_buffers|proxy_request_buffering"
    r"|proxy_max_temp_file_size|proxy_http_version|proxy_connect_timeout|proxy_next_upstream|proxy_set_header|map"
    r"|upstream|server|listen|server_name|ssl_reject_handshake|ssl_certificate|ssl_certificate_key|return|location|}"
)
_SECONDS = 20
_PAIRS = 2_000
_PODS = 300
_CODES = (0, 1, 2, 3)
_PROBLEM = re.compile(r"(Warning: )?\S.*: .+|skipped .*|\d+ warnings?.*|Error: .+|Usage: .+|Try .+|network .+|")


class Hang(AssertionError):
    """A command took too long."""


@contextmanager
def soon() -> Iterator[None]:
    """Raise Hang if the block takes more than 20 seconds of processor time, which other programs do not affect."""

    def late(number: int, frame: FrameType | None) -> None:
        raise Hang(f"no answer within {_SECONDS} seconds of processor time")

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def call(*arguments: str, stdin: bytes = b"") -> Result:
    """Run a command in this process, and check the properties of every command."""
    # -v holds for the rest of a process, and this one runs many commands.
    failures._verbose = False
    with soon():
        result = CliRunner().invoke(cli, list(arguments), input=stdin)
    details = f"{arguments}: exit {result.exit_code}\n{result.stderr[-2000:]}"
    assert result.exit_code in _CODES, details
    assert "-v" in arguments or "--verbose" in arguments or "Traceback" not in result.stderr, details
    assert "internal error" not in result.stderr, details
    for text in (result.stdout, result.stderr):
        wild = {c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs")}
        assert not wild, f"{arguments}: control characters {wild!r}"
    return result


def input_holds(content: bytes, suffix: str = ".yaml") -> None:
    """Commands that read objects agree on whether an input is valid; a valid input has one meaning."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, f"input{suffix}"))
        Path(file).write_bytes(content)
        check = call("check", "-f", file)
        again = call("check", "-f", file)
        assert (check.stdout, check.stderr) == (again.stdout, again.stderr), "check differs from run to run"
        problems = json.loads(call("check", "-f", file, "-o", "json").stdout or '{"problems": []}')["problems"]
        if check.exit_code == 2:
            assert check.stderr.strip(), "exit 2 without a word"
            for line in check.stderr.splitlines():
                assert _PROBLEM.fullmatch(line), f"not a problem: {line!r}"
        lines = content.count(b"\n") + 1
        for problem in problems:
            assert 0 <= problem["line"] <= lines or not content.isascii(), problem
        lint = call("lint", "-f", file, "-o", "json", "--no-config", "--fail-on", "never")
        assert (check.exit_code == 2) == (lint.exit_code == 2), (check.exit_code, lint.exit_code)
        for finding in json.loads(lint.stdout or '{"findings": []}')["findings"]:
            assert 0 <= finding["line"] <= lines or not content.isascii(), finding
            assert len(finding["fingerprint"]) >= 32, finding
        if any(n > _PODS for n in map(int, re.findall(r"(\d+) pods", check.stdout))):
            return  # millions of pairs are right, and take their time
        if b"Scenario" in content.replace(b"\x00", b""):
            return  # only check and test judge what a scenario expects
        reach = call("reach", "-f", file, "-o", "json")
        compiled = call("compile", "-f", file)
        assert (check.exit_code == 2) == (reach.exit_code == 2) == (compiled.exit_code == 2), (
            check.exit_code,
            reach.exit_code,
            compiled.exit_code,
        )
        if reach.exit_code != 2:
            rows = json.loads(reach.stdout)["rows"]
            assert all(row["expected"] in ("allow", "deny", "unknown") for row in rows)
            if reach.exit_code != 3:
                services = call("reach", "-f", file, "--services", "--system", "-o", "json")
                assert services.exit_code == reach.exit_code, services.exit_code
            _one_meaning(content, file)
        else:
            assert not reach.stdout, "data beside an error"


def _one_meaning(content: bytes, file: str) -> None:
    """A record keeps the meaning of documents, and the ruleset's text has the evaluator's verdicts."""
    documents = _parsed(content, file)
    kept = list(from_record(json.loads(json.dumps(to_record(documents)))))
    # A scenario is no part of a lab, and so of no record.
    before, after = (decode(of) for of in (_lab(documents), _lab(kept)))
    assert _meaning(before[0]) == _meaning(after[0]), "a record means something else"
    try:
        cluster = judges.cluster_of(_lab(documents))
    except NetlabError:
        return
    _served(cluster)
    if len(cluster.networks) > 1:
        return  # the tracer does not read the chain that keeps networks apart
    flows = [f for f in itertools.islice(every_pair(cluster), _PAIRS) if not isinstance(f.destination, Host)]
    flows = [f for f in flows if f.destination is not None and f.address is not None]
    expected = judges.evaluator(documents, cluster, flows)
    traced = judges.tracer()(documents, cluster, flows)
    for flow, one, other in zip(flows, expected, traced, strict=True):
        assert one in (other, "unknown"), (
            f"{flow.source.ref} -> {flow.target} {flow.protocol}/{flow.port}: {one}, {other}"
        )


def _served(cluster: Cluster) -> None:
    """What programs of a lab read has one line for each fact, whatever the input's texts are."""
    zone = Zone(json.loads(json.dumps(dns_snapshot.of(cluster))))
    for service in cluster.services:
        zone.find(f"{service.meta.name}.{service.meta.namespace}.svc.{zone.name}", "ANY")
    for endpoint in cluster.by_ref.values():
        files = pod_files.of(cluster, endpoint)
        for text, line in ((files.resolv, _RESOLV_LINE), (files.hosts, _HOSTS_LINE)):
            assert text.endswith("\n"), text
            for one in text[:-1].split("\n"):
                assert line.fullmatch(one), (endpoint.ref, one)
    made = configuration(cluster, "/run/netlab", (4, 6))
    # A quoted word of the input has no say outside of its quotes: every other word is one of netlab's own.
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', made.text)
    for row in bare.splitlines():
        assert row.isascii(), row
        assert row.isprintable(), row
        assert not row or _NGINX_WORD.fullmatch(row.split()[0].rstrip(";")), row
    for secret in cluster.tls_secrets:
        assert not secret.key or secret.key not in made.text, "a key in the configuration"


def _parsed(content: bytes, file: str) -> list[Document]:
    from netlab.objects.documents import read

    found, _ = read([file])[:2]
    return list(found)


def _lab(documents: Sequence[Document]) -> list[Document]:
    return [d for d in documents if d.kind != "Scenario"]


def _meaning(objects: object) -> tuple[object, ...]:
    names = (
        "namespaces", "nodes", "pods", "workloads", "services", "slices", "endpoints", "ingresses",
        "ingress_classes", "tls_secrets", "policies", "topology",
    )  # fmt: skip
    return tuple(getattr(objects, name) for name in names)


def name_holds(name: str) -> None:
    """An invalid name of a lab touches nothing, in any command."""
    before = sorted(Path("/run").rglob("*"))
    valid = re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) is not None
    for arguments in (
        ["down", "--", name],
        ["get", "pods", f"--lab={name}"],
        ["probe", f"--lab={name}"],
        ["exec", f"--lab={name}", "a/b", "--", "true"],
    ):
        if "\x00" in name and arguments[0] == "exec":
            continue
        result = call(*arguments)
        assert result.exit_code != 0, arguments
        if not valid and name:
            assert result.exit_code == 2, arguments
    assert sorted(Path("/run").rglob("*")) == before, "something was touched"


def record_holds(content: bytes) -> None:
    """A damaged record of one lab does not break other commands, and the lab can be removed."""
    where = Path("/run/netlab/fuzzed")
    where.mkdir(parents=True, mode=0o700, exist_ok=True)
    record = where / "record.json"
    record.write_bytes(content)
    record.chmod(0o600)
    listed = call("get", "labs")
    assert listed.exit_code in (0, 1, 3) or "fuzzed" in listed.stderr, listed.stderr
    call("get", "pods", "--lab", "fuzzed")
    gone = call("down", "fuzzed")
    assert gone.exit_code == 0 or not record.exists(), gone.stderr
    assert not record.exists(), gone.stderr


def flags_hold(arguments: Sequence[str], content: bytes) -> None:
    """Any command line of a command that only reads ends with a documented exit code."""
    call(*arguments, stdin=content)


def parse_holds(content: str) -> None:
    """The parser gives documents and problems for any text, and raises nothing."""
    with soon():
        parse(content, "input.yaml")


def conflist_holds(data: object) -> None:
    """A list is refused by its problems, or every plugin of it gets a configuration."""
    with soon():
        try:
            found = conflist(data)
        except ConflistError:
            return
        for index in range(len(found.plugins)):
            json.dumps(found.request(index, found.versions[-1]))
        _ = found.programs, found.ranges, found.has_default_route, found.has_gateway, found.publishes, found.masquerades


def plugin_holds(data: object) -> None:
    """A call of netlab-cni is read, or refused with a CNI error; so is the result of a plugin, with a ValueError."""
    parts = data if isinstance(data, dict) else {}
    environment, config = parts.get("environment"), parts.get("config")
    texts = {k: v for k, v in environment.items() if isinstance(v, str)} if isinstance(environment, dict) else {}
    with soon():
        try:
            request(texts, decoded(json.dumps(config).encode()))
        except CniError as error:
            json.dumps(error.document("1.1.0"))
        try:
            CniResult.read(config.get("prevResult") if isinstance(config, dict) else config)
        except ValueError:
            return
