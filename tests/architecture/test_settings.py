"""Settings: what the code reads is what `.env.example` lists, and a public installation can set all of it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
READ = re.compile(r'(?:\btext|\bflag|\bnumber|os\.environ\.get)\(\s*"([A-Z][A-Z_]+)"')
LISTED = re.compile(r"^#?([A-Z][A-Z_]+)=", re.MULTILINE)
OF_COMPOSE = {"APINITA_DOMAIN", "POSTGRES_PASSWORD"}
OF_ONE_MACHINE = {
    "PORT",
    "APINITA_DATA",
    "APINITA_SANDBOX_URL",
    "APINITA_DEBUG",
    "APINITA_HOSTS",
    "APINITA_SSL_REDIRECT",
}
OF_ONE_MACHINE |= {"APINITA_DATABASE_POOL"}


def read_by_the_code() -> set[str]:
    return {name for path in (ROOT / "apinita").rglob("*.py") for name in READ.findall(path.read_text())}


def listed() -> list[str]:
    return LISTED.findall((ROOT / ".env.example").read_text())


def test_the_example_lists_each_setting_once() -> None:
    assert len(listed()) == len(set(listed()))
    assert set(listed()) == read_by_the_code() | OF_COMPOSE


def test_the_composed_installation_passes_each_setting_on() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for name in ("prepare", "web", "worker"):
        assert set(services[name]["environment"]) == read_by_the_code() - OF_ONE_MACHINE


def test_the_readme_explains_each_setting() -> None:
    for readme in ("README.md", "README.ru.md"):
        content = (ROOT / readme).read_text()
        assert [name for name in listed() if f"`{name}`" not in content] == [], readme
