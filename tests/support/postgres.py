"""A real PostgreSQL for tests, which can be killed at any moment and started again."""

from __future__ import annotations

import os
import pwd
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

PATIENCE = 60  # seconds
PORT = 5432  # only the name of the socket; each server has a folder of its own
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "100",
    "shared_buffers": "128MB",
    # What has been committed must survive.
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # After a kill everything is synced: as a whole file system, and not file by file.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}


class Server:
    """A server of our own in a temporary folder, reached by the Unix socket there.

    `with Server(programs) as server:` runs it; `programs` is the folder of `initdb` and `postgres`.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._postmaster: subprocess.Popen[bytes] | None = None
        self._alive = -1  # reads as ended once none of the server's processes is left

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp")  # the path of a socket must be short
        self._folder = Path(self._temporary.name)
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        initdb = ["initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        if self._run([*initdb, f"--pgdata={self._data}"]).wait(PATIENCE) != 0:
            raise RuntimeError(self._log.read_text())
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()  # nobody needs the checkpoint of an orderly end
        self._temporary.cleanup()

    def url(self, schema: str | None = None) -> str:
        """Where it is, as psycopg takes it; with a schema, as only our ledger takes it."""
        return _with_schema(f"postgresql:///postgres?host={self._folder}&port={PORT}&user=postgres", schema)

    def start(self) -> None:
        """Start it unless it is running, also after `kill` or `stop`, and wait until it accepts connections."""
        if self._postmaster is not None:
            return
        lock = self._data / "postmaster.pid"
        # Another process may by now have the number of one that was killed, and would be taken for a living server.
        for stale in (lock, self._folder / f".s.PGSQL.{PORT}.lock"):
            stale.unlink(missing_ok=True)
        settings = {**SETTINGS, "unix_socket_directories": str(self._folder)}
        command = ["postgres", "-D", str(self._data), *(f"--{name}={value}" for name, value in settings.items())]
        self._alive, held = os.pipe()
        try:
            self._postmaster = self._run(command, held)
        finally:
            os.close(held)
        deadline = time.monotonic() + PATIENCE
        while not (lock.exists() and lock.read_text().rstrip().endswith("\nready")):
            if self._postmaster.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(self._log.read_text())
            time.sleep(0.002)

    def kill(self) -> None:
        """Kill all its processes at once: what they had not yet given to the operating system is lost.

        What they had written but not synced is kept by the operating system, which lives on.
        """
        assert self._postmaster is not None, "It is not running."
        if self._postmaster.poll() is None:
            self._postmaster.send_signal(signal.SIGSTOP)  # from here on it neither starts processes nor forgets any
            os.waitpid(self._postmaster.pid, os.WUNTRACED)
            for child in _children(self._postmaster.pid):
                os.kill(child, signal.SIGKILL)
            self._postmaster.kill()
        self._wait()

    def stop(self) -> None:
        """Shut it down in good order, if it is running: connections are closed, what is in memory is written."""
        if self._postmaster is not None:
            self._postmaster.send_signal(signal.SIGINT)
            self._wait()

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _run(self, command: list[str], *held: int) -> subprocess.Popen[bytes]:
        """Run one of the server's programs, as the user that owns the folder; `held` are files it keeps open."""
        user = self._user
        with open(self._log, "ab") as log:
            return subprocess.Popen(
                [str(self._programs / command[0]), *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                pass_fds=held,
                user=None if user is None else user.pw_uid,
                group=None if user is None else user.pw_gid,
                extra_groups=None if user is None else [],
            )

    def _wait(self) -> None:
        """Wait until none of its processes is left."""
        assert self._postmaster is not None
        self._postmaster.wait(PATIENCE)
        if not select.select([self._alive], [], [], PATIENCE)[0]:
            raise TimeoutError(f"Processes of the PostgreSQL in {self._folder} do not end.")
        os.close(self._alive)
        self._postmaster = None


class Elsewhere(Server):
    """A server that others run, and that we must not touch."""

    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: it was there before us."""

    def url(self, schema: str | None = None) -> str:
        """The URL we were given; with a schema, as only our ledger takes it."""
        return _with_schema(self._url, schema)

    def start(self) -> None:
        """Nothing: it runs."""

    def kill(self) -> None:
        """Skip the test, which needs a server of its own; in CI, which has one, that is a failure."""
        pytest.skip("The PostgreSQL of BILLING_TEST_POSTGRES is not ours to kill. Without it, tests start their own.")

    def stop(self) -> None:
        """Nothing: others may need it."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server of BILLING_TEST_POSTGRES, or else one of our own, started when the first test asks for it."""
    url = os.environ.get("BILLING_TEST_POSTGRES")
    with Elsewhere(url) if url else Server(programs()) as server:
        yield server


def programs() -> Path:
    """The folder of PostgreSQL's programs: that of PATH, or else the newest of Debian's, which are not on PATH.

    Without them the test is skipped, which in CI is a failure.
    """
    on_path = shutil.which("postgres")
    newest_first = sorted(Path("/usr/lib/postgresql").glob("[1-9][0-9]/bin/postgres"), reverse=True)
    for postgres in [*([Path(on_path)] if on_path else []), *newest_first]:
        version = re.search(r"\d+", subprocess.check_output([postgres, "--version"], text=True))
        if version and int(version[0]) >= 15:
            return postgres.resolve().parent
    pytest.skip("PostgreSQL 15 or newer is not installed here. On Debian or Ubuntu: apt install postgresql")


def _with_schema(url: str, schema: str | None) -> str:
    return url if schema is None else f"{url}{'&' if '?' in url else '?'}schema={schema}"


def _children(process: int) -> list[int]:
    """The processes that this one started; it must be stopped."""
    try:
        found = Path(f"/proc/{process}/task/{process}/children").read_text()
    except FileNotFoundError:  # not Linux
        found = subprocess.run(["pgrep", "-P", str(process)], capture_output=True, text=True, check=False).stdout
    return [int(child) for child in found.split()]
