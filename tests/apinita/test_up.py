"""`up` started and stopped for real, crashes of its parts, and its refusals."""

import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.crypto import Keyring
from tests.apinita.running import READY, Product, manage, refused
from tests.guard import free_port
from tests.processes import wait_until

PARTS = ("granian", "celery", "postgres", "valkey-server")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """One running product for the tests that leave it as they found it."""
    started = Product.start(tmp_path_factory.mktemp("up") / "data")
    try:
        started.wait_for(READY)
        yield started
    finally:
        started.stop()


def test_the_first_start_tells_the_address_and_how_to_make_the_owner(product: Product) -> None:
    output = product.wait_for("/setup/")
    assert f"http://127.0.0.1:{product.port}" in output
    link = re.search(rf"http://127\.0\.0\.1:{product.port}(/setup/\S+)", output)
    assert link is not None
    assert product.status(link[1]) == 200


def test_probes_answer(product: Product) -> None:
    assert product.status("/healthz") == 200
    assert product.status("/readyz") == 200


def test_each_part_is_a_process_that_its_command_line_tells(product: Product) -> None:
    assert all(product.processes(name) for name in PARTS)


def test_the_data_folder_and_the_keys_are_for_nobody_else(product: Product) -> None:
    assert stat.S_IMODE(product.data.stat().st_mode) in {0o700, 0o711}
    assert stat.S_IMODE((product.data / "secret_keys").stat().st_mode) == 0o600


def test_commands_find_the_running_servers(product: Product) -> None:
    answer = manage(product.data, "create_token", "alice@example.com")
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.split()) == 1


def test_the_doctor_finds_everything_in_order(product: Product) -> None:
    answer = manage(product.data, "doctor", PORT=str(product.port))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "problem" not in answer.stdout


def test_a_second_one_on_the_same_data_folder_is_refused(product: Product) -> None:
    said = refused(product.data, "--port", str(free_port()))
    assert "already runs" in said
    assert str(product.process.pid) in said
    assert product.status("/healthz") == 200


@pytest.mark.parametrize("part", ["granian", "celery", "valkey-server", "postgres"])
def test_a_part_that_is_killed_starts_again(product: Product, part: str) -> None:
    restarts = product.output().count("it starts again in")
    ready = product.output().count("is ready after")
    os.kill(product.main_process(part), signal.SIGKILL)
    product.wait_for("it starts again in", times=restarts + 1)
    product.wait_for("is ready after", times=ready + 1)
    wait_until(lambda: product.status("/readyz") == 200, timeout_s=60)


def test_a_port_in_use_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused(tmp_path / "data", "--port", str(port))
    assert str(port) in said
    assert "--port" in said
    assert not (tmp_path / "data" / "secret_keys").exists()
    assert not (tmp_path / "data" / "postgres").exists()


def test_a_data_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in refused(tmp_path / "file" / "data", "--port", str(free_port()))


@pytest.fixture(scope="module")
def stopped(product: Product) -> Path:
    """The data folder of the product of above, which is stopped from here on."""
    took_s = product.stop()
    assert product.process.returncode == 0, product.output()
    assert not product.processes()
    assert took_s < 15
    return product.data


class TestKeys:
    """The keys of a database that exists already."""

    def test_missing_ones_are_refused_and_not_made_anew(self, stopped: Path) -> None:
        keys = stopped / "secret_keys"
        content = keys.read_text()
        keys.unlink()
        try:
            said = refused(stopped, "--port", str(free_port()))
            assert str(keys) in said
            assert not keys.exists()
        finally:
            keys.write_text(content)
            keys.chmod(0o600)

    def test_changed_ones_are_refused(self, stopped: Path) -> None:
        said = refused(stopped, "--port", str(free_port()), APINITA_SECRET_KEYS=Keyring.generate("k1"))
        assert "k1" in said

    def test_unreadable_ones_are_refused(self, stopped: Path) -> None:
        said = refused(stopped, "--port", str(free_port()), APINITA_SECRET_KEYS="k1:short")
        assert "k1" in said
        assert "secret key" in said

    def test_a_command_that_needs_the_database_says_that_nothing_runs(self, stopped: Path) -> None:
        answer = manage(stopped, "create_token", "alice@example.com")
        assert answer.returncode == 1
        assert "is not running" in answer.stderr
        assert "Traceback" not in answer.stderr


def test_the_second_start_makes_nothing_new_and_leaves_nothing_when_it_is_killed(stopped: Path) -> None:
    second = Product.start(stopped)
    output = second.wait_for(READY)
    print(re.findall(r"APInita runs at .*", output)[-1])
    assert "made the secret keys" not in output
    assert "migrating" not in output
    second.process.kill()
    second.process.wait()
    wait_until(lambda: not second.processes(), timeout_s=40)

    third = Product.start(stopped)
    try:
        third.wait_for(READY)
    finally:
        third.stop(signal.SIGTERM)
    assert not third.processes()


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"DATABASE_URL": "postgres//nonsense", "REDIS_URL": "redis://127.0.0.1:1"}, "DATABASE_URL"),
        ({"DATABASE_URL": "host=127.0.0.1 port=1 dbname=apinita", "REDIS_URL": "redis://127.0.0.1:1"}, "DATABASE_URL"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "DATABASE_URL"),
        ({"APINITA_URL": "apinita.example"}, "APINITA_URL"),
        ({"APINITA_ALLOWED_PRIVATE_HOSTS": "10.0.0.0/99"}, "APINITA_ALLOWED_PRIVATE_HOSTS"),
    ],
)
def test_an_unusable_setting_is_named(tmp_path: Path, env: dict[str, str], named: str) -> None:
    env = {"APINITA_SECRET_KEYS": Keyring.generate(), **env}
    assert named in refused(tmp_path / "data", "--port", str(free_port()), **env)
