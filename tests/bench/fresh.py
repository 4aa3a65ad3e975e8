"""What a command takes in a fresh process: seconds, and the most memory it ever held.

A process starts with the peak of memory of the one that starts it on its account, so that of a
small command would be that of the large program which measures it. Therefore this module runs
between the two, as a small process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Taken:
    """What a command took, `memory` being its peak of resident memory in bytes, and what it printed."""

    seconds: float
    memory: int
    said: str


def run(*command: str | Path) -> Taken:
    """Run a command in a fresh process. Raises `CalledProcessError` if it fails."""
    words = [str(word) for word in command]
    # As people run it: a module compiled once stays compiled.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        between = [sys.executable, "-I", __file__, str(report), *words]
        done = subprocess.run(between, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.stderr.write(done.stderr)
            raise subprocess.CalledProcessError(done.returncode, words)
        return Taken(**json.loads(report.read_text()), said=done.stdout)


def _between(report: Path, *command: str) -> int:
    began = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    taken = {"seconds": time.perf_counter() - began, "memory": usage.ru_maxrss * 1024}
    report.write_text(json.dumps(taken))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(_between(Path(sys.argv[1]), *sys.argv[2:]))
