"""``-f REV:PATH`` reads a file or folder of a git revision as it reads those of this host."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from repositories import git

from netlab.errors import InputError, Problem
from netlab.kernel import git as program
from netlab.objects import Document, Input, input_of, load, read_input
from netlab.objects.bounds import Budget
from netlab.objects.documents import Reader
from netlab.sources import SOURCES
from netlab.sources.revision import SOURCE, split

Call = Callable[..., Result]
Commit = Callable[[], None]
POD = "{apiVersion: v1, kind: Pod, metadata: {name: NAME}}\n"
POLICY = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
CONFLIST = '{"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "bridge"}]}'
TOPOLOGY = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: t}
spec: {networks: [{name: default, mode: cni, conflist: PATH}]}
"""
SCENARIO = """\
apiVersion: netlab/v1alpha1
kind: Scenario
metadata: {name: s}
spec:
  resources: [../manifests/a.yaml]
  steps: [{expect: [{from: default/a, to: default/b, port: 80, verdict: allow}]}]
"""


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def pod(name: str) -> str:
    return POD.replace("NAME", name)


def names_of(*paths: str) -> list[str]:
    """Return the names of the objects that are read, and require that there is no problem."""
    found = read_input(paths, sources=SOURCES)
    assert () == found.problems
    return [one.data["metadata"]["name"] for one in found.objects.documents]


def problems_of(*paths: str) -> list[str]:
    return [str(one) for one in read_input(paths, sources=SOURCES).problems]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("HEAD:a/b", ("HEAD", "a/b")),
        ("HEAD:", ("HEAD", "")),
        ("main~2:./x:y", ("main~2", "./x:y")),
        ("HEAD^{/fix: all}:x", ("HEAD^{/fix: all}", "x")),
        ("@{1 day ago}:x", ("@{1 day ago}", "x")),
        (":x", None),
        ("x", None),
        ("", None),
    ],
)
def test_a_text_has_a_revision_and_a_path(text: str, parts: tuple[str, str] | None) -> None:
    """The first colon that is not in braces is between them."""

    assert parts == split(text)


@pytest.mark.parametrize("text", ["https://a/b", "./a:b", "../a:b", "/a:b", "-a:b", "a", ":a"])
def test_a_path_is_no_revision(text: str) -> None:
    """A text that begins as a path is a path, and no revision begins with a dash."""

    assert not SOURCE.claims(text)


def test_a_folder_and_a_file_are_read_as_they_were(repository: Path, commit: Commit) -> None:
    """Files of the work tree do not count; the path is from the root of the repository."""
    write(repository, manifests__a_yaml=pod("old"), manifests__deep__b_yaml=pod("b"), other_yaml=pod("c"))
    commit()
    write(repository, manifests__a_yaml=pod("new"))
    commit()
    shutil.rmtree(repository / "manifests")

    assert ["old", "b"] == names_of("HEAD~1:manifests")
    assert ["new", "b"] == names_of("HEAD:manifests/")
    assert ["old"] == names_of("main~1:manifests/a.yaml")
    assert ["new", "b", "c"] == names_of("HEAD:")
    assert ["old", "b", "c"] == names_of("HEAD~1:manifests", "other.yaml")


def test_a_path_is_from_here_with_a_dot(
    repository: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As for ``git show``; an absolute path names the repository too."""
    write(repository, a__x_yaml=pod("x"), b__y_yaml=pod("z"))
    commit()
    monkeypatch.chdir(repository / "a")

    assert ["x"] == names_of("HEAD:./x.yaml")
    assert ["x"] == names_of("HEAD:.")
    assert ["z"] == names_of("HEAD:../b")
    assert ["z"] == names_of("HEAD:b")
    monkeypatch.chdir(tmp_path)
    assert ["z"] == names_of(f"HEAD:{repository}/b")


def test_a_file_of_the_name_has_precedence(repository: Path, commit: Commit) -> None:
    """``a:b`` is the file or folder if there is one, as a link too."""
    write(repository, b_yaml=pod("revision"))
    commit()
    write(repository, **{"HEAD:b_yaml": pod("file")})

    assert ["file"] == names_of("HEAD:b.yaml")
    (repository / "HEAD:b.yaml").unlink()
    (repository / "HEAD:b.yaml").symlink_to("nothing")
    assert ["HEAD:b.yaml: No such file or directory"] == problems_of("HEAD:b.yaml")


def test_messages_have_revision_path_and_line(repository: Path, commit: Commit, netlab: Call) -> None:
    """The name of a file is ``REV:PATH`` with the path from the root, in errors, warnings and explanations."""
    write(
        repository,
        m__pods_yaml=f"{pod('a')}---\n{pod('b')}",
        m__deny_yaml=f"{POLICY}metadata: {{name: d}}\nspec: {{podSelector: {{}}}}",
        wrong_yaml=f"{pod('a')}---\n{POLICY}spec: {{}}\n",
    )
    commit()
    explained = netlab("explain", "a", "b", "-f", "HEAD:./m")
    wrong = netlab("check", "-f", "main:wrong.yaml", "-o", "json")

    assert "NetworkPolicy default/d (deny.yaml:1)" in explained.stdout
    assert "(pods.yaml:3)" in explained.stdout
    assert "Files are in HEAD:m" in explained.stdout
    assert {"main:wrong.yaml"} == {one["file"] for one in json.loads(wrong.stdout)["problems"]}


def test_a_folder_is_read_by_the_same_rules(repository: Path, commit: Commit) -> None:
    """A revision of everything odd gives the documents and problems of the folder, in the same order."""
    write(
        repository,
        all__b__x_yaml=pod("b"),
        all__a_yaml=pod("a"),
        all__notes="no suffix",
        all__values_yaml="replicas: 2\n",
        all__broken_yaml="a: [\n",
        all__chart__templates__t_yaml=f"{pod('t')}---\nx: '{{{{ .Values }}}}'\n",
        **{
            "all/chart/Chart_yaml": "name: c\n",
            "all/.hidden/h_yaml": pod("h"),
            "all/.dot_yaml": pod("h"),
            "all/kustomization_yaml": "patches: [{path: patch.yaml}]\n",
            "all/patch_yaml": "kind: Pod\nmetadata: {name: p}\n",
            "all/settings.json": '{"a": 1, // why\n}',
            "all/list.json": json.dumps(
                {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "l"}}]}
            ),
        },
    )
    (repository / "all" / "linked").symlink_to("b")
    (repository / "all" / "link.yaml").symlink_to("b/x.yaml")
    (repository / "all" / "dangling.yaml").symlink_to("nothing")
    commit()
    of_folder, of_revision = Reader(), Reader(sources=SOURCES)
    documents, problems = of_folder.read(["all"])
    same, more = of_revision.read(["HEAD:all"])

    assert [one.data for one in documents] == [one.data for one in same]
    assert [f"HEAD:{one.source.file}" for one in documents] == [one.source.file for one in same]
    assert [dict(one.source.lines) for one in documents] == [dict(one.source.lines) for one in same]
    assert [f"HEAD:{file}" for file in of_folder.files] == of_revision.files

    def comparable(one: Problem) -> tuple[str, int, str, str]:
        message = one.message.replace("is a link to a file that is not in this revision", "No such file or directory")
        return one.file.removeprefix("HEAD:"), one.line, message, one.severity

    assert [*map(comparable, problems)] == [*map(comparable, more)]
    assert 5 < len(problems)


@pytest.mark.parametrize("folder", ["scenarios", "examples", "topologies"])
def test_folders_of_this_repository_are_the_same(folder: str, monkeypatch: pytest.MonkeyPatch, commit: Commit) -> None:
    """All objects of a copy are equal, those that scenarios name too."""
    own = Path(__file__).parents[2]
    shutil.copytree(own / folder, Path(folder))
    commit()
    here = read_input([folder])
    there = read_input([f"HEAD:{folder}"], sources=SOURCES)

    def all_data(found: Input) -> list[object]:
        of_scenarios = [one for scenario in found.objects.scenarios for one in scenario.resources]
        return [one.data for one in (*found.objects.documents, *of_scenarios)]

    assert all_data(here) == all_data(there)
    assert [*map(str, here.problems)] == [str(one).replace("HEAD:", "") for one in there.problems]


def test_links_of_a_revision_are_followed_inside_of_it(repository: Path, commit: Commit) -> None:
    """A link leads to a file of the revision; one that leads out of the repository is refused."""
    outside = repository.parent / "outside.yaml"
    outside.write_text(pod("outside"))
    write(repository, real__a_yaml=pod("a"))
    (repository / "named.yaml").symlink_to("real/a.yaml")
    (repository / "folder").symlink_to("real")
    (repository / "out.yaml").symlink_to(outside)
    (repository / "up.yaml").symlink_to("../outside.yaml")
    (repository / "loop.yaml").symlink_to("loop.yaml")
    commit()

    assert ["a"] == names_of("HEAD:named.yaml")
    assert ["a"] == names_of("HEAD:folder")
    assert ["a"] == names_of("HEAD:folder/a.yaml")
    assert ["HEAD:out.yaml: is a link to a file outside of the repository"] == problems_of("HEAD:out.yaml")
    assert [
        "HEAD:: 1 linked folder not followed: folder",
        "HEAD:loop.yaml: is a link to itself",
        "HEAD:out.yaml: is a link to a file outside of the repository",
        "HEAD:up.yaml: is a link to a file outside of the repository",
    ] == sorted(one for one in problems_of("HEAD:") if "defined twice" not in one)


def test_a_submodule_and_a_file_of_lfs_are_named(repository: Path, commit: Commit) -> None:
    """The revision does not have their content."""
    sub = repository.parent / "sub"
    sub.mkdir()
    git(sub, "init", "-q")
    git(sub, "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(sub), "charts")
    write(repository, a_yaml=pod("a"), big_yaml="version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    commit()

    assert [
        "HEAD:: 1 submodule not read: charts",
        "HEAD:big.yaml: is a pointer of Git LFS; the revision has no content of the file",
    ] == sorted(problems_of("HEAD:"))


def test_strict_counts_files_without_an_object(repository: Path, commit: Commit, netlab: Call) -> None:
    """As for a folder: a warning, and with ``--strict`` an error."""
    write(repository, m__a_yaml=pod("a"), m__values_yaml="a: 1\n")
    commit()

    assert (
        "HEAD:m: skipped 1 file that holds no Kubernetes object: values.yaml" in netlab("check", "-f", "HEAD:m").stderr
    )
    strict = netlab("check", "--strict", "-f", "HEAD:m")
    assert 2 == strict.exit_code
    assert "HEAD:m/values.yaml: a file that holds no Kubernetes object" in strict.stderr


def test_files_that_a_file_names_are_of_the_same_revision(repository: Path, commit: Commit) -> None:
    """Resources of a scenario and lists of CNI configurations; not the files of the work tree."""
    write(repository, scenarios__s_yaml=SCENARIO, manifests__a_yaml=f"{pod('a')}---\n{pod('b')}")
    write(repository, topologies__t_yaml=TOPOLOGY.replace("PATH", "../cni/n.conflist"), **{"cni/n.conflist": CONFLIST})
    commit()
    shutil.rmtree(repository / "manifests")
    shutil.rmtree(repository / "cni")
    (scenario,) = read_input(["HEAD:scenarios/s.yaml"], sources=SOURCES).objects.scenarios
    topology = read_input(["HEAD:topologies"], sources=SOURCES)

    assert ["HEAD:manifests/a.yaml"] * 2 == [one.source.file for one in scenario.resources]
    assert () == topology.problems
    assert "bridge" in str(topology.objects.topology)


def test_a_file_that_a_file_names_must_be_in_the_repository(repository: Path, commit: Commit) -> None:
    """A scenario of a revision reads nothing of this host, and no other revision."""
    (repository.parent / "x.yaml").write_text(pod("x"))
    write(repository, a_yaml=SCENARIO.replace("../manifests/a.yaml", "../x.yaml"))
    write(repository, b_yaml=SCENARIO.replace("../manifests/a.yaml", "HEAD:x.yaml"), x_yaml=pod("x"))
    write(repository, c_yaml=SCENARIO.replace("../manifests/a.yaml", str(repository / "x.yaml")))
    write(repository, t_yaml=TOPOLOGY.replace("PATH", "../n.conflist"))
    commit()

    (outside,) = problems_of("HEAD:a.yaml")
    assert '"../x.yaml" is outside of the repository' in outside
    assert any('no such file: "HEAD:HEAD:x.yaml"' in one for one in problems_of("HEAD:b.yaml"))
    assert any("is outside of the repository" in one for one in problems_of("HEAD:c.yaml"))
    assert any("'../n.conflist': is outside of the repository" in one for one in problems_of("HEAD:t.yaml"))


def test_a_git_that_ends_while_a_scenario_is_read_is_an_error(
    repository: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file that is then missing has a line; a name of two lines is a missing file too."""
    write(repository, a_yaml=SCENARIO.replace("../manifests/a.yaml", '"x\\ny.yaml", m'), m__x_yaml=pod("x"))
    commit()

    def broken(answers: program.Answers, question: str) -> str:
        raise program.GitError("git ended")

    reader = Reader(sources=SOURCES)
    documents, _ = reader.read(["HEAD:a.yaml"])
    (missing,) = input_of(documents).problems
    monkeypatch.setattr(program.Answers, "ask", broken)
    again = [Document(one.data, one.source) for one in documents]

    assert 'no such file: "HEAD:x\\ny.yaml"' in str(missing)
    assert ["spec.resources[0]", "spec.resources[1]"] == [one.path for one in input_of(again).problems]


def test_a_scenario_of_this_host_reads_no_revision(repository: Path, commit: Commit) -> None:
    """Only a user names a source: a file may be a stranger's."""
    write(repository, a_yaml=SCENARIO.replace("../manifests/a.yaml", "HEAD:x.yaml"), x_yaml=pod("x"))
    commit()

    assert any('no such file: "HEAD:x.yaml"' in one for one in problems_of("a.yaml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HEAD:nope", "no such file in this revision"),
        ("HEAD:y.yaml", "no such file in this revision; did you mean HEAD:./y.yaml?"),
        ("HEAD:../..", "is outside of the repository"),
        ("nope:x", "no file of this name, and no revision 'nope' in the repository"),
        ("HEAD~9:x", "no file of this name, and no revision 'HEAD~9' in the repository"),
        ("HEAD^{tree}:x", "no file of this name, and no revision 'HEAD^{tree}' in the repository"),
        ("HEAD..HEAD:x", "no file of this name, and no revision 'HEAD..HEAD' in the repository"),
        ("HEAD\n--all:x", "no file of this name, and no revision"),
    ],
)
def test_what_is_not_there_is_one_line(
    repository: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    """It begins with the text that the user wrote."""
    write(repository, a__y_yaml=pod("z"))
    commit()
    monkeypatch.chdir(repository / "a")
    (problem,) = read_input([text], sources=SOURCES).problems

    assert text == problem.file
    assert problem.message.startswith(message)
    assert "\n" not in str(problem)


def test_a_text_outside_of_a_repository_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that neither is there."""
    monkeypatch.chdir(tmp_path)

    assert [f"HEAD:x: no such file, and no git repository in {os.path.realpath(tmp_path)}"] == problems_of("HEAD:x")


def test_a_shallow_clone_is_named(repository: Path, commit: Commit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to get the revision, as a clone of a CI job has one commit."""
    commit()
    commit()
    git(repository.parent, "clone", "-q", "--depth", "1", f"file://{repository}", "clone")
    monkeypatch.chdir(repository.parent / "clone")

    (message,) = problems_of("HEAD~1:x")
    assert message.endswith("it is a shallow clone: git fetch --unshallow gets the rest")


def test_the_limits_of_an_input_hold(repository: Path, commit: Commit) -> None:
    """Files of a revision count before their content is read."""
    write(repository, a_yaml=pod("a" * 600), b_yaml=pod("b"), c_yaml=pod("c"))
    commit()

    def read(budget: Budget) -> list[str]:
        return [str(one) for one in Reader(sources=SOURCES, budget=budget).read(["HEAD:"])[1]]

    assert [] == read(Budget())
    assert ["HEAD:: too much to read: more than 256 MiB in all"] == read(Budget(bytes=500))
    assert ["HEAD:: too much to read: more than 20000 files"] == read(Budget(files=2))


def test_names_that_git_would_quote_are_read(repository: Path, commit: Commit) -> None:
    """Spaces, letters of other scripts, quotes, a dash first, and bytes that are no UTF-8."""
    for number, name in enumerate([b"a b.yaml", "ü.yaml".encode(), b'q".yaml', b"-x.yaml", b"\xff.yaml", b"*.yaml"]):
        (Path(os.fsdecode(os.fsencode(repository) + b"/" + name))).write_text(pod(f"p{number}"))
    commit()

    assert {f"p{number}" for number in range(6)} == {*names_of("HEAD:")}
    assert ["p3"] == names_of("HEAD:-x.yaml")
    assert ["p5"] == names_of("HEAD:*.yaml")


def test_a_program_reads_a_revision(repository: Path, commit: Commit) -> None:
    """``load`` takes the sources of the command line, and none by default."""
    write(repository, a_yaml=pod("a"))
    commit()

    assert ["a"] == [one.meta.name for one in load(["HEAD:a.yaml"], sources=SOURCES)[0].pods]
    with pytest.raises(InputError):
        load(["HEAD:a.yaml"])


def test_changes_of_what_if_are_read_from_a_revision(repository: Path, commit: Commit, netlab: Call) -> None:
    """``--with REV:PATH`` takes what ``-f`` takes."""
    write(repository, a_yaml=pod("a"), b_yaml=pod("b"))
    commit()
    (repository / "b.yaml").unlink()
    done = netlab("reach", "-f", "a.yaml", "--with", "HEAD:b.yaml", "-o", "json")

    assert 2 == len(json.loads(done.stdout)["rows"])
