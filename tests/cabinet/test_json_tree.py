"""The tree of a JSON value."""

from typing import Any

import pytest
from django.utils import translation

from apinita.cabinet.json_tree import SHOWN_CHARS, json_view


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def test_everything_in_a_value_is_text() -> None:
    html = json_view({"<b>": '"><script>alert(1)</script>', "link": "javascript:alert(1)"})
    assert "<script>" not in html
    assert "<b>" not in html
    assert "<a " not in html
    assert "&lt;script&gt;" in html


def test_hidden_characters_become_visible() -> None:
    html = json_view({"name": "a\x00b\x1b\u202eevil"})
    assert "␀" in html
    assert "␛" in html
    assert "\u202e" not in html


def test_kinds_of_values_are_told_apart() -> None:
    html = json_view({"n": 1.5, "yes": True, "none": None, "text": "1.5", "empty": [], "no": {}})
    assert '<span class="json__n">1.5</span>' in html
    assert '<span class="json__b">true</span>' in html
    assert '<span class="json__b">null</span>' in html
    assert "[]" in html
    assert "{}" in html


def test_lists_are_folded_with_their_count_and_objects_are_open() -> None:
    html = json_view({"start": {"at": 1}, "people": ["a", "b"]})
    assert '<details class="json__row" open><summary>' in html
    assert "2 entries ]" in html


def test_the_way_to_a_marked_entry_is_open() -> None:
    html = json_view({"items": [{"end": "x"}]}, "items.0.end")
    assert html.count(" open>") == 2
    assert 'class="json__row json__err"' in html


def test_a_long_value_is_cut_and_says_so() -> None:
    html = json_view({"body": "я" * SHOWN_CHARS * 2})
    assert "Only the first 256 KB are shown." in html
    assert len(html) < SHOWN_CHARS * 1.1


def test_a_deep_value_does_not_break_it() -> None:
    value: Any = "bottom"
    for _ in range(500):
        value = {"a": value}
    assert "{…}" in json_view(value)


@pytest.mark.parametrize("value", ["text", 3, None, [], [1, [2]]])
def test_any_value_can_be_the_root(value: Any) -> None:
    assert json_view(value).startswith('<div class="json"')
