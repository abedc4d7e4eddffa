"""``-f cluster:CONTEXT``: answers of an API server that are late, wrong, too large or errors, and kubeconfigs."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from click.testing import Result
from sources.api_server import Answer, ApiServer, kubeconfig, ok, serving, slow, status

# A forked process has it then, and does not import it for each test.
import netlab.kernel.kube_library
from netlab.errors import HostError
from netlab.kernel import kube_process, privilege
from netlab.objects import bounds, read_input
from netlab.sources import SOURCES, cluster_api
from netlab.sources.cluster import opened
from netlab.sources.cluster_json import memory

# The server has threads, and Python 3.12 warns of a fork beside them. The process that netlab forks needs none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
Call = Callable[..., Result]
Query = Mapping[str, list[str]]
PODS = "/api/v1/pods"
NOBODY = pwd.getpwnam("nobody")


def pod(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "a"}, "spec": {}}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    """Run a server with 12 pods, which come in three pages; the kubeconfig names it."""
    monkeypatch.setattr(cluster_api, "PAGE", 5)
    monkeypatch.setattr(cluster_api, "FIRST_WAIT", 0.0)
    found = ApiServer([pod(f"p{number}") for number in range(12)])
    with serving(found, tmp_path) as path:
        monkeypatch.setenv("KUBECONFIG", str(path))
        yield found


def failed(netlab: Call, code: int, *messages: str) -> str:
    """Ask about the current context, and check that it is refused in one line."""
    done = netlab("check", "-f", "cluster:")

    assert (code, 1) == (done.exit_code, len(done.stderr.splitlines())), done.stderr
    for message in messages:
        assert message in done.stderr
    return done.stderr


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 9])
def test_a_list_that_is_gone_begins_again(server: ApiServer, times: int) -> None:
    """Twice; then it is asked for in one page, as a page cannot be gone then."""
    gone = iter(range(times))

    def before(path: str, query: Query) -> Answer | None:
        return status(410, "too old") if path == PODS and "continue" in query and next(gone, None) is not None else None

    server.before = before
    found = read_input(["cluster:"], sources=SOURCES).objects
    first = [query for _, path, query in server.requests if path == PODS and "continue" not in query]

    assert 12 == len(found.pods)
    assert [{"limit": ["5"]}] * (2 if times == 1 else 3) + ([{}] if times == 9 else []) == first


def limit(patch: pytest.MonkeyPatch, **limits: int) -> None:
    """Have an input these limits, in place of the usual ones."""
    usual = bounds.Budget.__init__
    patch.setattr(bounds.Budget, "__init__", lambda budget, **given: usual(budget, **{**limits, **given}))


def test_a_list_without_an_end_is_refused(server: ApiServer, netlab: Call) -> None:
    """Each page names itself as the next; or there are more pages than an input may have files."""
    page: dict[str, object] = {"metadata": {"continue": "x"}, "items": []}
    server.before = lambda path, query: ok(page) if path == PODS else None
    failed(netlab, 3, f"{server.url}{PODS}: the list does not end")
    numbers = iter(range(1_000_000))
    server.before = lambda path, query: ok({"metadata": {"continue": f"{next(numbers)}"}}) if path == PODS else None
    with pytest.MonkeyPatch.context() as patch:
        limit(patch, files=30)
        assert "too much to read" in netlab("check", "-f", "cluster:").stderr


@pytest.mark.parametrize("code", [429, 503])
def test_a_busy_server_is_asked_again(server: ApiServer, netlab: Call, code: int) -> None:
    """After the time that it names. A server that stays busy is an error."""
    busy = iter(range(2))
    server.before = lambda p, q: (
        status(code, "busy", Retry_After="0") if p == PODS and next(busy, None) is not None else None
    )
    assert 12 == len(read_input(["cluster:"], sources=SOURCES).objects.pods)
    server.before = lambda p, q: status(code, "busy", Retry_After="0") if p == PODS else None
    failed(netlab, 3, "cluster:prod: pods cannot be listed: busy; try again later")


# --- answers that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {}, b"<html>login</html>"), "the answer is not JSON"),
        ((200, {}, b"\xff"), "the answer is not JSON"),
        ((200, {}, b"[" * 100_000), "the answer is not JSON"),
        ((200, {}, b'{"items": NaN}'), "the answer is not JSON"),
        (ok([1]), "the answer is no object"),
        (ok({"items": 5, "metadata": {}}), "the answer is no list"),
        (ok({"items": []}), "the answer is no list"),
        (ok({"items": ["a"], "metadata": {}}), "the list has an item that is no object"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b"moved"), "status 302: moved"),
        ((200, {"Content-Encoding": "gzip"}, b"no gzip"), ""),
    ],
)
def test_an_answer_that_is_none_is_refused(server: ApiServer, netlab: Call, answer: Answer, message: str) -> None:
    """In one line that names the server and the path; no redirect is followed."""
    server.before = lambda path, query: answer if path == PODS else None
    failed(netlab, 3, server.url, message)


def test_a_server_of_another_kind_is_refused(server: ApiServer, netlab: Call) -> None:
    """The first question has no answer there."""
    server.before = lambda path, query: (404, {}, b"nothing\nhere")
    failed(netlab, 3, f"{server.url}/api: status 404: nothing here; see that it is an API server")


def test_kinds_of_strange_names_are_left_out(server: ApiServer) -> None:
    """Their names would be parts of paths."""
    strange = {
        "resource": "../pods?x",
        "responseKind": {"kind": "EvilNetworkPolicy"},
        "scope": "Cluster",
        "verbs": ["list"],
    }
    group = {"metadata": {"name": "x.y"}, "versions": [{"version": "v1", "resources": [strange, 5]}, 5]}
    server.before = lambda path, query: (
        ok({"kind": "APIGroupDiscoveryList", "items": [group, 5]}) if path == "/apis" else None
    )
    read_input(["cluster:"], sources=SOURCES)

    assert [] == [path for path in server.paths() if ".." in path]


def test_names_that_are_none_are_errors_of_the_objects(server: ApiServer, netlab: Call) -> None:
    """They are in no path, and end nothing."""
    strange: list[object] = [{"name": 5, "namespace": [1]}, {"name": "../x?y", "namespace": "../z"}, {}]
    owner = {"ownerReferences": [5, {"controller": True, "kind": ["x"], "name": {}}]}
    server.objects = [{"apiVersion": "v1", "kind": k, "metadata": m} for k in ("Namespace", "Pod") for m in strange]
    server.objects += [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", **owner}}]
    server.forbidden |= {"/apis/networking.k8s.io/v1/networkpolicies"}
    done = netlab("check", "-f", "cluster:")

    assert 2 == done.exit_code
    assert "metadata.name: Invalid value: 5: must be a string" in done.stderr
    assert [] == [path for path in server.paths() if "/../" in path]


def test_half_a_surrogate_pair_is_replaced(server: ApiServer) -> None:
    """As Go does; it could not be printed."""
    server.objects = [pod("a") | {"metadata": {"name": "a", "labels": {"k": "\ud800"}}}]

    assert "\ufffd" in str(read_input(["cluster:"], sources=SOURCES).objects.documents[0].data)


def test_an_answer_has_limits(server: ApiServer, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes, also of a compressed answer, memory and depth are those of an input."""
    server.before = lambda path, query: (200, {}, b'{"x": "' + b"a" * 3_000_000 + b'"}') if path == PODS else None
    with monkeypatch.context() as patch:
        limit(patch, bytes=1 << 20)
        failed(netlab, 2, "too much to read: more than 256 MiB in all")
    server.before = lambda path, query: (200, {}, b'{"x": [' + b"{}," * 900_000 + b"{}]}") if path == PODS else None
    failed(netlab, 2, "too much to read")
    nested: object = "x"
    for _ in range(bounds.MAX_DEPTH + 1):
        nested = [nested]
    with pytest.raises(bounds.TooLargeError, match="nested more than 200 deep"):
        memory({"x": nested})


def test_a_late_answer_is_not_waited_for(server: ApiServer, netlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one answer, and of all together."""
    server.before = lambda path, query: slow(0.7) if path == PODS else None
    with monkeypatch.context() as patch:
        patch.setattr(kube_process, "ANSWER_SECONDS", 0.5)
        failed(netlab, 3, f"{server.url}: no answer in 0.5 seconds")
    monkeypatch.setattr(cluster_api, "SECONDS", 0.0)
    failed(netlab, 3, f"{server.url}: reading took more than 0 seconds")


def test_an_answer_that_comes_too_late_is_not_that_of_the_next_question(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its head nor the rest of its body."""
    large = ok({"items": ["x" * (1 << 20)]})
    monkeypatch.setattr(kube_process, "ANSWER_SECONDS", 0.3)
    for late in (ok({"late": 1}), large):
        server.before = lambda path, query, late=late: (slow(0.5), late)[1] if path == "/late" else ok({"path": path})  # type: ignore[misc]
        with opened("cluster:") as process:
            with pytest.raises(HostError, match=r"no answer in 0\.3 seconds"):
                process.get("/late", "application/json", 1 << 22)
            time.sleep(0.4)
            found = [json.loads(process.get(f"/{n}", "application/json", 1 << 22).body) for n in range(3)]

        assert [{"path": f"/{n}"} for n in range(3)] == found


def test_credentials_that_are_not_accepted(server: ApiServer, netlab: Call) -> None:
    """They may have expired."""
    server.before = lambda path, query: status(401, "Unauthorized")
    failed(netlab, 3, "the credentials of context prod are not accepted: they are wrong or have expired; log in again")


def test_a_server_that_is_not_there(netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is in the line, and the way out."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", "http://127.0.0.1:1")))
    failed(netlab, 3, "http://127.0.0.1:1: Connection refused; see that kubectl reaches it, as the same user")


# --- kubeconfigs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "file is empty"),
        ("{", "cannot be read"),
        ("[]", ""),
        ("contexts: [{name: prod, context: {cluster: c, user: gone}}]\ncurrent-context: prod\n", "has no user 'gone'"),
        ("contexts: [{name: prod, context: {cluster: gone}}]\ncurrent-context: prod\n", "context prod: "),
        (
            "contexts: [{name: prod, context: {cluster: gone}}]\ncurrent-context: x\n",
            "the current context 'x' is not in it",
        ),
        ("contexts: [{name: prod, context: {cluster: gone}}]\n", "has no current context; name one; there are prod"),
        (
            "contexts: [{name: p, context: {cluster: c}}]\ncurrent-context: p\n"
            "clusters: [{name: c, cluster: {server: 'file:///etc/passwd'}}]\n",
            "its cluster has no server with http or https",
        ),
        (
            "contexts: [{name: p, context: {cluster: c}}]\ncurrent-context: p\n"
            "clusters: [{name: c, cluster: {server: 'https://x', certificate-authority: /nonexistent}}]\n",
            "context p: File does not exist: /nonexistent",
        ),
    ],
)
def test_a_wrong_kubeconfig(
    netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """One line with exit code 2."""
    path = tmp_path / "config"
    path.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(path))
    failed(netlab, 2, message)


def test_no_kubeconfig(netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a variable nor a file."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    failed(netlab, 2, "cluster:: no kubeconfig with a context: ~/.kube/config has none")


def test_a_context_that_is_not_there(server: ApiServer, netlab: Call) -> None:
    """The names that exist follow, the nearest one first."""
    done = netlab("check", "-f", "cluster:team/a@prd")

    assert 2 == done.exit_code
    assert (
        "cluster:team/a@prd: no such context; did you mean cluster:team/a@prod? there are team/a@prod, prod"
        == done.stderr.strip()
    )


def test_several_kubeconfigs(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kubectl reads them: the first current context and the first entry of a name count."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("current-context: team/a@prod\n")
    kubeconfig(second, server.url)
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'gone'}:{second}")

    assert ("cluster:team/a@prod",) == read_input(["cluster:"], sources=SOURCES).files


def test_a_user_that_acts_as_another(server: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its headers are those of kubectl."""
    other: dict[str, object] = {"as": "jane", "as-uid": "7", "as-groups": ["a"], "as-user-extra": {"scopes": ["x"]}}
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", server.url, token="t", **other)))  # noqa: S106
    read_input(["cluster:"], sources=SOURCES)
    named = {name: value for name, value in server.headers.items() if name.startswith("Impersonate")}

    assert {
        "Impersonate-User": "jane",
        "Impersonate-Uid": "7",
        "Impersonate-Group": "a",
        "Impersonate-Extra-scopes": "x",
    } == named
    several = netlab.kernel.kube_library.impersonation({"as-groups": ["a", "b"]})
    assert [("Impersonate-Group", "a"), ("Impersonate-Group", "b")] == [*several]


def test_a_proxy_of_the_kubeconfig(server: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is asked for the server."""
    path = kubeconfig(tmp_path / "k", "http://cluster.invalid", token="t")  # noqa: S106
    text = path.read_text()
    path.write_text(text.replace("server: ", f"proxy-url: {server.url}\n    server: "))
    monkeypatch.setenv("KUBECONFIG", str(path))

    assert 12 == len(read_input(["cluster:"], sources=SOURCES).objects.pods)
    assert "cluster.invalid" == server.headers["Host"]


def plugin(folder: Path, text: str, interpreter: str = sys.executable) -> dict[str, object]:
    """Write a credential plugin, and return the user that has it."""
    path = folder / "plugin"
    path.write_text(f"#!{interpreter}\n{text}\n")
    path.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(path), "interactiveMode": "Never"}}


ANSWER = """
import json, os, sys
credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
token = f"{os.geteuid()}-{os.environ.get('HOME')}-{len(os.listdir('/proc/self/fd'))}-{sys.stdin.isatty()}"
print(json.dumps({**credential, "status": {"token": token}}))
"""


def test_a_credential_plugin(server: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It has no terminal, and no descriptor of netlab's."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", server.url, **plugin(tmp_path, ANSWER))))
    with (tmp_path / "k").open():
        read_input(["cluster:"], sources=SOURCES)

    assert f"Bearer {os.geteuid()}-{os.environ.get('HOME')}-4-False" == server.headers["Authorization"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise SystemExit('log in\\nfirst')", "log in first"),
        ("print('{}')", "malformed response"),
        (None, "No such file"),
    ],
)
def test_a_credential_plugin_that_fails(
    server: ApiServer, netlab: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, message: str
) -> None:
    """Its message is in the line; the server is not asked as an anonymous user."""
    user = plugin(tmp_path, text or "")
    if text is None:
        (tmp_path / "plugin").unlink()
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", server.url, **user)))
    failed(netlab, 3, f"the credential plugin {tmp_path / 'plugin'} of the kubeconfig failed", message)

    assert [] == server.requests


def test_without_the_package_the_extra_is_named(netlab: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With exit code 3."""
    monkeypatch.setitem(sys.modules, "netlab.kernel.kube_library", None)
    failed(netlab, 3, "cluster: needs the kubernetes package; install it: pip install 'netlab[cluster]'")
    named = netlab("check", "-f", "cluster:prod")

    assert "cluster:prod needs the kubernetes package" in named.stderr


IDENTITY = """
cat <<END
{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
 "status": {"token": "$(id -u)-$(id -g)-$HOME"}}
END
"""


def test_in_the_network_of_a_users_labs_no_server_is_asked(
    server: ApiServer, netlab: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command without root that opened a lab has entered it."""
    monkeypatch.setattr(privilege, "rootless", lambda: True)
    failed(netlab, 3, "is in the lab's network and reaches no API server; use sudo, or export the objects")


# --- sudo -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``nobody`` call sudo."""
    if os.geteuid():
        pytest.skip("needs root")
    monkeypatch.setenv("SUDO_UID", str(NOBODY.pw_uid))
    monkeypatch.setenv("SUDO_GID", str(NOBODY.pw_gid))


@pytest.mark.usefixtures("as_nobody")
def test_under_sudo_a_plugin_runs_as_the_caller(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the caller's home, and without root's rights."""
    # The caller may enter no folder of pytest's.
    folder = Path(f"/var/tmp/netlab-test-{os.getpid()}")  # noqa: S108
    folder.mkdir(mode=0o755)
    try:
        user = plugin(folder, IDENTITY, "/bin/sh")
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(folder / "k", server.url, **user)))
        read_input(["cluster:"], sources=SOURCES)
    finally:
        shutil.rmtree(folder)

    assert f"Bearer {NOBODY.pw_uid}-{NOBODY.pw_gid}-{NOBODY.pw_dir}" == server.headers["Authorization"]


@pytest.mark.usefixtures("as_nobody")
def test_under_sudo_a_file_that_only_root_reads_is_not_read(
    server: ApiServer, netlab: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither the kubeconfig, nor what it names."""
    secret = tmp_path / "secret"
    secret.write_text("root only")
    path = kubeconfig(tmp_path / "k", server.url, tokenFile=str(secret))
    path.chmod(0o600)
    monkeypatch.setenv("KUBECONFIG", str(path))
    failed(netlab, 2)

    assert [] == server.requests


def test_what_the_process_answers_is_bounded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user may control it."""
    for text in (b"x" * (1 << 19), b"[]\n", b"5\n", b"", b'{"error": "other", "message": "m"}\n'):

        def child(context: str, user: object, questions: int, answers: int, *more: int, said: bytes = text) -> None:
            try:
                view = memoryview(said)
                while view:
                    view = view[os.write(answers, view) :]
            finally:
                os._exit(0)

        monkeypatch.setattr(kube_process, "_child", child)
        with pytest.raises(HostError):
            kube_process.KubeProcess("")


def test_the_kubeconfig_stays_as_it_is(server: ApiServer, tmp_path: Path) -> None:
    """Nothing is written to it or beside it."""
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    read_input(["cluster:"], sources=SOURCES)

    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_what_a_server_says_is_escaped(server: ApiServer, netlab: Call) -> None:
    """No escape sequence of its message reaches the terminal."""
    server.before = lambda path, query: status(500, "\x1b[2J\u202e") if path == PODS else None
    said = failed(netlab, 3, "pods cannot be listed")

    assert said.rstrip("\n").isprintable()
