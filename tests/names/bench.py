"""A running lab, and programs in its pods that look for names."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

Program = Callable[..., "subprocess.CompletedProcess[str]"]


class Names:
    """A running lab, and what programs inside it print."""

    def __init__(self, program: Program, name: str, folder: Path) -> None:
        self.program = program
        self.name = name
        self.folder = folder
        self.files = 0

    def call(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run a command of netlab on the lab."""
        command, *rest = arguments
        return self.program(command, "--lab", self.name, *rest)

    def ok(self, *arguments: object) -> str:
        """Run a command that must succeed, and return what it prints."""
        done = self.call(*arguments)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    def run(self, place: str, *argv: object) -> str:
        """Run a program in an endpoint, and return what it prints."""
        return self.call("exec", place, "--", *argv).stdout

    def getent(self, name: str, place: str = "shop/client", base: str = "hosts") -> list[str]:
        """Return the addresses of a name, or with an address its name first, as the C library finds them."""
        return [line.split()[0] for line in self.run(place, "getent", base, name).splitlines()]

    def each(self, *names: str) -> dict[str, list[str]]:
        """Return the addresses of names, which one shell in a pod finds one after the other."""
        script = 'for name; do echo "name $name"; getent hosts "$name"; done'
        found: dict[str, list[str]] = {}
        for line in self.run("shop/client", "sh", "-c", script, "sh", *names).splitlines():
            first, second = line.split()[:2]
            if first == "name":
                found[second] = []
            else:
                found[[*found][-1]].append(first)
        return found

    def write(self, text: str) -> Path:
        self.files += 1
        file = self.folder / f"{self.files}.yaml"
        file.write_text(text)
        return file

    def apply(self, text: str) -> None:
        self.ok("apply", "-f", self.write(text))

    def address(self, pod: str) -> str:
        """Return a pod's IPv4 address."""
        return self.run(pod, "hostname", "-I").split()[0]

    def servers(self) -> list[str]:
        """Return the ids of the lab's DNS servers."""
        files = Path(f"/run/netlab/{self.name}/programs").glob("dns.*/process")
        return [file.read_text().split()[0] for file in files]


def running(program: Program, name: str, folder: Path, text: str) -> Iterator[Names]:
    names = Names(program, name, folder)
    try:
        done = program("up", "-f", names.write(text), "--lab", name)
        assert 0 == done.returncode, done.stderr
        yield names
    finally:
        program("down", name)
