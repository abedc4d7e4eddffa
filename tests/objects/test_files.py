"""Reading files: regular files and pipes, their encodings, and folders."""

from __future__ import annotations

import codecs
import os
import socket
from pathlib import Path

import pytest

from netlab.objects import files, read
from netlab.objects.bounds import Budget
from netlab.objects.documents import Reader
from netlab.objects.file_trees import HostFiles

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"


def messages(*paths: object, strict: bool = False) -> list[str]:
    return [p.message for p in read([str(path) for path in paths], strict=strict)[1]]


# --- kinds of files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_a_device_is_not_read(path: str) -> None:
    """Some devices have no end, and to open some has an effect."""
    assert ["is a device, not a file"] == messages(path)


def test_a_socket_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket is not a file."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s.yaml")

        assert ["is a socket, not a file"] == messages("s.yaml")


def test_a_pipe_that_a_user_names_is_read() -> None:
    """Such as a shell's process substitution."""
    out, into = os.pipe()
    os.write(into, POD.encode())
    os.close(into)
    documents, problems = read([f"/dev/fd/{out}"])
    os.close(out)

    assert [] == problems
    assert ["Pod"] == [d.kind for d in documents]


def test_a_pipe_that_nothing_writes_to_does_not_hang(tmp_path: Path) -> None:
    """A pipe without content has no object."""
    os.mkfifo(tmp_path / "p.yaml")

    assert ["no object in it"] == messages(tmp_path / "p.yaml")


def test_a_pipe_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size is unknown before it is read."""
    out, into = os.pipe()
    os.write(into, b"a" * 1000)
    os.close(into)
    with pytest.raises(Exception, match="more than 256 MiB"):
        files.text_of(f"/dev/fd/{out}", Budget(bytes=999))
    os.close(out)


def test_a_pipe_in_a_folder_is_an_error(tmp_path: Path) -> None:
    """The user did not name it."""
    os.mkfifo(tmp_path / "p.yaml")
    (tmp_path / "q.yaml").write_text(POD)

    assert ["is a pipe, not a file"] == messages(tmp_path)


def test_a_file_of_another_size_than_stated_is_an_error() -> None:
    """Such as a file in /proc, or a file that changes during reading."""
    assert ["is not a regular file, or changed during reading"] == messages("/proc/self/status")


def test_an_invalid_file_name_is_an_error() -> None:
    """A name must not contain NUL."""
    assert ["not a file name"] == messages("a\0b")


def test_an_empty_name_is_an_error() -> None:
    """As of a shell variable that is not set. The message has no name that it could begin with."""
    assert ["the name of a file is empty"] == messages("")


@pytest.mark.parametrize("url", ["http://example.com/a.yaml", "https://example.com", "file:///a.yaml"])
def test_a_url_is_an_error_with_the_way_to_read_it(url: str) -> None:
    """kubectl reads URLs, netlab reads files only."""
    assert ["netlab reads no URLs; fetch it first: curl -fsSL URL | netlab check -f -"] == messages(url)


def test_a_file_with_the_name_of_a_url_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a path as any other."""
    (tmp_path / "http:" / "x").mkdir(parents=True)
    (tmp_path / "http:" / "x" / "a.yaml").write_text("a: 1\n")
    monkeypatch.chdir(tmp_path)

    assert not [text for text in messages("http://x/a.yaml") if "URL" in text]


# --- encodings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_a_text_has_the_encoding_of_its_byte_order_mark(tmp_path: Path, mark: bytes, encoding: str) -> None:
    """Windows PowerShell writes UTF-16. Lines count as in other files."""
    (tmp_path / "x.yaml").write_bytes(mark + f"{POD}# é \U0001f600\n---\n{POD}".encode(encoding))
    documents, problems = read([str(tmp_path / "x.yaml")])

    assert [] == problems
    assert [1, 6] == [d.source.line() for d in documents]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_mark_between_documents_is_no_content(tmp_path: Path, encoding: str) -> None:
    """Concatenated files have one each."""
    text = f"\ufeff{POD}---\n\ufeff{POD}\ufeff---\n{POD}"
    (tmp_path / "x.yaml").write_bytes(text.encode(encoding))
    documents, problems = read([str(tmp_path / "x.yaml")])

    assert [] == problems
    assert ["p", "p", "p"] == [d.data["metadata"]["name"] for d in documents]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_named(tmp_path: Path, encoding: str) -> None:
    """The message says what to do."""
    (tmp_path / "x.yaml").write_bytes(POD.encode(encoding))

    assert ["UTF-16 without a byte order mark: save it as UTF-8 (PowerShell: Out-File -Encoding utf8)"] == messages(
        tmp_path / "x.yaml"
    )


def test_what_is_cut_off_is_no_utf16(tmp_path: Path) -> None:
    """Half a character is an error."""
    (tmp_path / "x.yaml").write_bytes(codecs.BOM_UTF16_LE + POD.encode("utf-16-le")[:-1])

    assert ["not UTF-16: truncated data"] == messages(tmp_path / "x.yaml")


# --- folders --------------------------------------------------------------------------------------------------------


def test_a_folder_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a policy."""
    (tmp_path / "shut").mkdir()
    (tmp_path / "x.yaml").write_text(POD)
    scandir = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    documents, problems = read([str(tmp_path)])

    assert 1 == len(documents)
    assert [f"{tmp_path}/shut: this folder cannot be read: Permission denied"] == list(map(str, problems))


def test_a_file_that_vanishes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It existed when the folder was listed."""
    (tmp_path / "x.yaml").write_text(POD)
    (tmp_path / "y.yaml").write_text(POD)
    text_of = files._content

    def late(path: str, *rest: object) -> bytes:
        if path.endswith("x.yaml"):
            (tmp_path / "x.yaml").unlink()
        return text_of(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "_content", late)

    assert ["No such file or directory"] == messages(tmp_path)


def test_a_broken_link_is_an_error(tmp_path: Path) -> None:
    """The file that it names may hold a policy."""
    (tmp_path / "x.yaml").symlink_to("gone")
    (tmp_path / "y.yaml").write_text(POD)

    assert ["No such file or directory"] == messages(tmp_path)


def test_linked_files_are_read_and_linked_folders_are_reported(tmp_path: Path) -> None:
    """A link to a folder may make a loop."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "y.yaml").write_text(POD)
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "x.yaml").symlink_to(tmp_path / "real" / "y.yaml")
    (tmp_path / "manifests" / "more").symlink_to(tmp_path / "real")
    documents, (problem,) = read([str(tmp_path / "manifests")])

    assert [f"{tmp_path}/manifests/x.yaml"] == [d.source.file for d in documents]
    assert ("warning", "1 linked folder not followed: more") == (problem.severity, problem.message)


def test_names_that_begin_with_a_dot_are_not_entered(tmp_path: Path) -> None:
    """They belong to other tools. A folder that the user names is read."""
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github" / "x.yaml").write_text(POD)
    (tmp_path / ".hidden.yaml").write_text("a: [")
    (tmp_path / "x.yaml").write_text(POD)

    assert 1 == len(read([str(tmp_path)])[0])
    assert 1 == len(read([str(tmp_path / ".github")])[0])


# --- where a scenario may read --------------------------------------------------------------------------------------


def test_the_home_of_a_file_is_its_repository(tmp_path: Path) -> None:
    """The nearest repository above, or without one the file's folder."""
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    file = str(tmp_path / "a" / "b" / "c" / "s.yaml")

    assert str(tmp_path / "a" / "b" / "c") == files.home_of(file)
    (tmp_path / "a" / ".git").write_text("gitdir: elsewhere")
    assert str(tmp_path / "a") == files.home_of(file)


@pytest.mark.parametrize("name", ["link.yaml", "folder", "../outside/x.yaml", "../outside", "../gone"])
def test_nothing_outside_of_the_home_is_read(tmp_path: Path, name: str) -> None:
    """Links are resolved first. The message does not depend on what is there."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.yaml").write_text("secret: [")
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    (home / "link.yaml").symlink_to("../outside/x.yaml")
    (home / "folder" / "deep.yaml").symlink_to("../../outside/x.yaml")
    documents, (problem,) = Reader(tree=HostFiles(str(home))).read([str(home / name)])

    assert [] == documents
    assert files.outside(str(home)) == problem.message
