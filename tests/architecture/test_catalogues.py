"""Every text has its Russian, nothing is fuzzy, the compiled catalogues are those of the sources."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ["accounts", "actions", "apinita", "calendar_actions", "connections", "data_actions", "http_actions", "lib"]
PACKAGES += ["scenarios", "templates"]
PLACES = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(ROOT / "locale" / language / "LC_MESSAGES" / "django.po"))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str | None], polib.POEntry]:
    """What the sources hold today, extracted anew as `make messages` does."""
    if shutil.which("xgettext") is None:
        pytest.fail("xgettext is missing: install it with `apt-get install gettext`, or run `make check` as root.")
    copy = tmp_path_factory.mktemp("sources")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    (copy / "locale").mkdir()
    command = [sys.executable, "-m", "django", "makemessages", "-l", "ru", "--add-location", "file"]
    subprocess.run(command, cwd=copy, check=True, capture_output=True, timeout=120)
    extracted = polib.pofile(str(copy / "locale" / "ru" / "LC_MESSAGES" / "django.po"))
    return {(entry.msgid, entry.msgctxt): entry for entry in extracted}


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_catalogue_holds_each_text_and_no_other(
    language: str, texts: dict[tuple[str, str | None], polib.POEntry]
) -> None:
    held = {(entry.msgid, entry.msgctxt) for entry in catalogue(language) if not entry.obsolete}
    assert sorted(key[0] for key in texts.keys() - held) == [], "missing: run `make messages`"
    assert sorted(key[0] for key in held - texts.keys()) == [], "left over: run `make messages`"


def test_each_text_is_translated_into_russian() -> None:
    russian = catalogue("ru")
    assert [entry.msgid for entry in russian.untranslated_entries()] == []
    assert [entry.msgid for entry in russian.fuzzy_entries()] == []
    assert [entry.msgid for entry in russian if entry.msgid_plural and len(entry.msgstr_plural) < 3] == []


def test_a_translation_keeps_the_places_of_its_values() -> None:
    wrong = []
    for entry in catalogue("ru"):
        wanted = set(PLACES.findall(entry.msgid)) | set(PLACES.findall(entry.msgid_plural))
        for translated in [entry.msgstr] if entry.msgstr else entry.msgstr_plural.values():
            found = set(PLACES.findall(translated))
            if not found <= wanted or (not entry.msgid_plural and found != wanted):
                wrong.append(f"{entry.msgid} → {translated}")
    assert wrong == []


def test_russian_is_written_as_we_write_it() -> None:
    shouting = [entry.msgstr for entry in catalogue("ru") if re.search(r"!|успешно|пожалуйста", entry.msgstr, re.I)]
    assert shouting == []


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_compiled_catalogue_is_the_source_s(language: str) -> None:
    compiled = polib.mofile(str(ROOT / "locale" / language / "LC_MESSAGES" / "django.mo"))
    source = {entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in catalogue(language) if entry.translated()}
    assert {entry.msgid: (entry.msgstr, entry.msgstr_plural) for entry in compiled} == source
