"""The embedded PostgreSQL and Valkey: where they live in the data folder, and how they are started and stopped.

Real servers out of Python wheels, reached through unix sockets only. `up` and the tests start them; every other
process only asks for their addresses. PostgreSQL refuses to be root, hence the identities of `apinita.launch`.
"""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apinita import launch, processes
from apinita.programs import CannotStart as CannotStart
from apinita.programs import give, postgres_binaries, postgres_identity, user_of, valkey_server

LONGEST_SOCKET_FOLDER = 80  # a unix socket's whole path must fit into 107 bytes: man 7 unix
READY_WITHIN_S = 60  # after a crash PostgreSQL replays its log first
LARGEST_LOG_BYTES = 5_000_000
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def socket_folder(data: Path) -> Path:
    """The folder of the sockets: in the data folder, or a short one of its own where that path is too long."""
    inside = data / "run"
    if len(os.fsencode(inside)) <= LONGEST_SOCKET_FOLDER:
        return inside
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"apinita-{os.getuid()}-{name}"


def database_url(data: Path) -> str:
    return f"host={socket_folder(data)} port=5432 user=postgres dbname=apinita"


def redis_url(data: Path) -> str:
    return f"unix://{socket_folder(data)}/valkey.sock"


def secret_keys(data: Path) -> str:
    """The content of the key file, or nothing where the product has never been started."""
    path = secret_keys_file(data)
    return path.read_text().strip() if path.exists() else ""


def secret_keys_file(data: Path) -> Path:
    return data / "secret_keys"


def has_database(data: Path) -> bool:
    """Whether the embedded database has ever been made here."""
    return (data / "postgres").exists()


def is_running(data: Path) -> bool:
    """Whether somebody answers for the embedded database: its socket is there and its process lives."""
    pid = postmaster_pid(data)
    return pid is not None and processes.is_alive(pid) and (socket_folder(data) / ".s.PGSQL.5432").exists()


def postmaster_pid(data: Path) -> int | None:
    try:
        return int((data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None


@dataclass
class Servers:
    """The pair of embedded servers of one data folder. Not durable ones are for tests: nothing is synced to disk."""

    data: Path
    durable: bool = True
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, told: Callable[[str, float], None] = lambda name, took_s: None) -> None:
        """Start both and wait until they answer; `told` hears of each one. Raises CannotStart."""
        make_private(self.data)
        make_private(socket_folder(self.data))
        make_private(self.data / "log")
        try:
            for name in ("valkey", "postgres"):
                self.launch(name)
            for name in ("valkey", "postgres"):
                started = time.monotonic()
                self.wait_ready(name)
                told(name, time.monotonic() - started)
        except BaseException:
            self.stop()
            raise

    def launch(self, name: str) -> None:
        """Start one of the two, without waiting for it."""
        self.running[name] = self.launch_postgres() if name == "postgres" else self.launch_valkey()

    def wait_ready(self, name: str) -> None:
        answers = self.postgres_answers if name == "postgres" else self.valkey_answers
        deadline = time.monotonic() + READY_WITHIN_S
        while not answers():
            if self.running[name].poll() is not None:
                raise CannotStart(f"{name} ended at its start; {self.log(name)} says why.")
            if time.monotonic() > deadline:
                raise CannotStart(f"{name} did not answer within {READY_WITHIN_S} s; {self.log(name)} may say why.")
            time.sleep(0.02)

    def crashed(self) -> list[str]:
        """The names of the servers that have ended although nobody stopped them."""
        return [name for name, process in self.running.items() if process.poll() is not None]

    def stop(self) -> None:
        """Stop both: PostgreSQL fast (it rolls back what is open and writes a checkpoint), then Valkey."""
        for name, with_signal in (("postgres", signal.SIGINT), ("valkey", signal.SIGTERM)):
            if process := self.running.pop(name, None):
                processes.end(process, with_signal=with_signal, grace_s=20)

    def log(self, name: str) -> Path:
        return self.data / "log" / f"{name}.log"

    def launch_valkey(self) -> subprocess.Popen[bytes]:
        sockets = socket_folder(self.data)
        options = {
            "port": "0",
            "unixsocket": str(sockets / "valkey.sock"),
            "unixsocketperm": "700",
            "save": "",  # it holds hints only: whatever is lost here is found again in PostgreSQL
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
            "dir": str(sockets),
        }
        command = [str(valkey_server()), *(part for name, value in options.items() for part in (f"--{name}", value))]
        return self.spawn("valkey", command, identity=launch.AS_IS, death_signal=signal.SIGTERM)

    def launch_postgres(self) -> subprocess.Popen[bytes]:
        identity = postgres_identity()
        binaries = postgres_binaries(self.data, identity)
        cluster = self.data / "postgres"
        stop_leftover(self.data)
        if identity == launch.AS_NOBODY:
            self.data.chmod(0o711)  # nobody passes through to its own files; others may not list it
        if not cluster.exists():
            self.make_cluster(binaries, identity)
        if os.geteuid() == 0:
            give(cluster, user_of(identity))
            give(socket_folder(self.data), user_of(identity))
        settings = POSTGRES_SETTINGS | {"unix_socket_directories": str(socket_folder(self.data))}
        if not self.durable:
            settings |= NOT_DURABLE
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(cluster), "-p", "5432", *options]
        return self.spawn("postgres", command, identity=identity, death_signal=signal.SIGINT)

    def make_cluster(self, binaries: Path, identity: str) -> None:
        """Make the database files beside their place and move them there whole: a broken start leaves no half."""
        unfinished = self.data / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if identity == launch.AS_NOBODY:
            os.chown(unfinished, launch.NOBODY, -1)
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", "postgres", "-A", "trust", *locale]
        command.append("--no-instructions")
        if not self.durable:
            command.append("--no-sync")
        process = self.spawn("postgres", command, identity=identity, death_signal=signal.SIGTERM)
        if process.wait() != 0:
            raise CannotStart(f"The database could not be made; {self.log('postgres')} says why.")
        unfinished.rename(self.data / "postgres")

    def spawn(
        self, name: str, command: Sequence[str | Path], *, identity: str, death_signal: int
    ) -> subprocess.Popen[bytes]:
        path = self.log(name)
        if path.exists() and path.stat().st_size > LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        with path.open("ab") as output:
            return processes.spawn(
                command, output=output, identity=identity, death_signal=death_signal, cwd=socket_folder(self.data)
            )

    def postgres_answers(self) -> bool:
        """Connect, and make our database where it is missing."""
        import psycopg

        address = f"host={socket_folder(self.data)} port=5432 user=postgres dbname=postgres connect_timeout=5"
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'apinita'").fetchone():
                    connection.execute("CREATE DATABASE apinita")
        except psycopg.OperationalError:
            return False
        return True

    def valkey_answers(self) -> bool:
        import redis

        try:
            with redis.Redis.from_url(redis_url(self.data)) as client:
                return bool(client.ping())
        except redis.exceptions.ConnectionError:
            return False


def make_private(folder: Path) -> None:
    """Make a folder that only we may read, or make sure that the one there is ours. Raises CannotStart."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise CannotStart(f"The folder {folder} cannot be made: {error.strerror}.") from error
    ours = {os.geteuid()} | ({launch.NOBODY} if os.geteuid() == 0 else set())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in ours:
        raise CannotStart(f"The folder {folder} belongs to somebody else; name another one with APINITA_DATA.")


def stop_leftover(data: Path) -> None:
    """A PostgreSQL of an `up` that was killed is still stopping: wait for it, and ask it once more."""
    pid = postmaster_pid(data)
    if pid is None or str(data / "postgres") not in processes.command_line(pid):
        return
    os.kill(pid, signal.SIGINT)
    if not processes.wait_for_end(pid, timeout_s=20):
        raise CannotStart(f"An earlier PostgreSQL (process {pid}) still uses {data}; stop it first.")
