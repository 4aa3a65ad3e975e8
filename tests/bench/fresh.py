"""What a command takes in a fresh process: seconds, and the most memory it ever held.

    python -m tests.bench.fresh OUTPUT COMMAND...

A process begins with its parent's memory on its account, so that the peak of a small command
started by a large program is the large program's. This small one stands between the two.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took: `memory` is its peak of resident memory in bytes."""

    seconds: float
    memory: int


def run(*command: str | Path) -> Taken:
    """Run a command in a fresh process. Raises `CalledProcessError` with what it said, if it fails."""
    # As users run it: what was compiled to bytecode once stays compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    between = [sys.executable, "-I", __file__, *map(str, command)]
    said = subprocess.run(between, env=environment, capture_output=True, text=True, check=False)
    if said.returncode:
        raise subprocess.CalledProcessError(said.returncode, list(map(str, command)), said.stdout, said.stderr)
    return Taken(**json.loads(said.stdout.splitlines()[-1]))


def _main() -> int:
    began = time.perf_counter()
    process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "memory": usage.ru_maxrss * 1024}))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_main())
