"""A runtime for the tests of netlab-cni: a lab, a network namespace of a container, and calls of the plugin."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from forked import run_main
from sizes import HANGS

from netlab.plugin.main import main

REPOSITORY = Path(__file__).parents[2]


class Call(NamedTuple):
    """What the plugin printed, and its exit code."""

    code: int
    output: Any

    @property
    def error(self) -> int:
        """The error code of CNI, 0 for none."""
        return int(self.output["code"]) if self.code else 0

    @property
    def said(self) -> str:
        """The message and the details of an error."""
        return f"{self.output['msg']}: {self.output.get('details', '')}"


def call(
    command: str, config: Mapping[str, Any] | str, netns: str = "", *, pod: str = "", container: str = "c1", **more: str
) -> Call:
    """Call the plugin as a runtime does, in a fork of this process."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "CNI_COMMAND": command,
        "CNI_PATH": "/nowhere",
        "CNI_CONTAINERID": container,
        "CNI_IFNAME": "eth0",
    }
    if netns:
        environment["CNI_NETNS"] = netns
    if pod:
        namespace, _, name = pod.partition("/")
        environment["CNI_ARGS"] = f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name}"
    text = config if isinstance(config, str) else json.dumps(config)
    done = run_main(main, ["netlab-cni"], text, {**environment, **more}, Path("/"))
    assert done.stderr == "", done.stderr
    return Call(done.returncode, json.loads(done.stdout) if done.stdout else None)


def config(lab: str, **more: Any) -> dict[str, Any]:
    """Return a network configuration of a lab."""
    return {"cniVersion": "1.1.0", "name": "net", "type": "netlab-cni", "lab": lab, **more}


@contextmanager
def container() -> Iterator[str]:
    """Yield the file of the network namespace of a process, as of a container."""
    process = subprocess.Popen(["unshare", "--net", "sleep", "300"])
    try:
        place = f"/proc/{process.pid}/ns/net"
        own = os.stat("/proc/self/ns/net").st_ino
        until = time.monotonic() + 30
        while os.stat(place).st_ino == own:
            assert time.monotonic() < until
            time.sleep(0.001)
        yield place
        assert process.poll() is None, "the process of the container ended"
    finally:
        process.kill()
        process.wait()


def interfaces(place: str) -> dict[str, Any]:
    """Return the interfaces of a network namespace by name, as ``ip -j addr`` prints them."""
    done = subprocess.run(
        ["nsenter", f"--net={place}", "ip", "-j", "addr"], capture_output=True, text=True, check=True, timeout=HANGS
    )
    return {one["ifname"]: one for one in json.loads(done.stdout)}
