"""Where the embedded PostgreSQL and Valkey live in the data folder. `up` starts them; everybody finds them here."""

import hashlib
import os
import tempfile
from pathlib import Path

LONGEST_SOCKET_FOLDER = 80  # a unix socket's whole path must fit into 107 bytes: man 7 unix


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
    path = data / "secret_keys"
    return path.read_text().strip() if path.exists() else ""
