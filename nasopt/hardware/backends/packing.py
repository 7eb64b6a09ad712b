"""The measuring package as one file that Python runs: `python3 agent.pyz`."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import tempfile
import zipapp
from functools import cache
from pathlib import Path

from nasopt.hardware import agent

_PACKAGE = "nasopt_agent"
_MAIN = f"from {_PACKAGE}.serving import main\n\nmain()\n"
_LONG_AGO = 315_532_800 + 86_400
"""2 January 1980: a zip file holds times, and the same package is to be the same file."""


@cache
def agent_file() -> Path:
    """The package, packed as `agent-HASH.pyz` by its content, in a folder that lasts as long as this process."""
    folder = Path(tempfile.mkdtemp(prefix="nasopt-agent-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    package = folder / "tree" / _PACKAGE
    package.mkdir(parents=True)
    for file in Path(agent.__file__).parent.glob("*.py"):
        shutil.copyfile(file, package / file.name)
    (package.parent / "__main__.py").write_text(_MAIN)
    for file in [*package.parent.rglob("*.py"), package]:
        os.utime(file, (_LONG_AGO, _LONG_AGO))
    packed = folder / "agent.pyz"
    zipapp.create_archive(package.parent, packed, compressed=True)
    digest = hashlib.sha256(packed.read_bytes()).hexdigest()
    return packed.rename(folder / f"agent-{digest}.pyz")
