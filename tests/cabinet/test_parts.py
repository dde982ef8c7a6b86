"""The parts as HTML: fields, blocks with slots, figures, chips."""

from typing import Any

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils import translation

from tests.cabinet.pages import Form


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


def render(source: str, **context: Any) -> str:
    return Template("{% load i18n ui %}" + source).render(Context(context))


def test_a_wrong_field_is_tied_to_its_hint_and_error() -> None:
    html = render("{% field form.name number=1 %}", form=Form({"name": ""}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_hint id_name_error"' in html
    assert 'id="id_name_hint"' in html
    assert 'id="id_name_error"' in html
    assert '<label class="field__label" for="id_name">Name</label>' in html
    assert '<span class="field__n" title="The number of the field in the instructions">1</span>' in html


def test_a_field_that_may_stay_empty_says_so() -> None:
    assert "<em>optional</em>" in render("{% field form.name2 %}", form=Form())
    assert "<em>" not in render("{% field form.name %}", form=Form())


def test_a_secret_is_never_shown_back() -> None:
    html = render("{% field form.secret %}", form=Form({"secret": "hunter2"}))
    assert "hunter2" not in html
    assert "data-reveal" in html


def test_choices_become_radios_or_checks() -> None:
    form = Form({"days": ["2"], "mode": "x"})
    assert 'type="checkbox" name="days" value="2" id="id_days_1" checked' in render("{% field form.days %}", form=form)
    html = render("{% field form.mode %}", form=form)
    assert 'type="radio" name="mode" value="x" id="id_mode_0" checked' in html
    assert "<fieldset" in html
    assert "<legend" in html


def test_slots_fill_their_places() -> None:
    html = render(
        '{% field_with form.name2 %}{% tools %}<a href="#">Forgot?</a>{% after %}<b>Preview</b>{% endfield_with %}',
        form=Form(),
    )
    assert '<span class="field__tools"><a href="#">Forgot?</a></span>' in html
    assert html.index('<div class="field__after">') < html.index("<b>Preview</b>")
    assert 'name="name2"' in html


def test_a_body_replaces_the_control() -> None:
    html = render('{% field_with form.name2 %}<input class="own">{% endfield_with %}', form=Form())
    assert 'class="own"' in html
    assert 'name="name2"' not in html


def test_text_in_a_block_is_escaped_and_its_markup_is_not() -> None:
    html = render(
        '{% callout "err" title=evil %}{{ evil }} <b>bold</b>{% actions %}<a href="#">Go</a>{% endcallout %}',
        evil="<script>",
    )
    assert html.count("&lt;script&gt;") == 2
    assert "<b>bold</b>" in html
    assert '<div class="callout__actions"><a href="#">Go</a></div>' in html


def test_slots_are_rendered_with_the_context_around_them() -> None:
    html = render(
        "{% for name in names %}{% empty_state name %}{{ name }}{{ forloop.counter }}{% endempty_state %}{% endfor %}",
        names=["a", "b"],
    )
    assert "a1" in html
    assert "b2" in html


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TemplateSyntaxError, match="colour"):
        render('{% callout "err" colour="red" %}{% endcallout %}')


def test_a_question_posts_with_the_csrf_token() -> None:
    html = render(
        '{% confirm "Delete?" action="/x/" verb="Delete" cancel="/" %}Gone for good.{% endconfirm %}', csrf_token="tok"
    )
    assert '<input type="hidden" name="csrfmiddlewaretoken" value="tok">' in html
    assert 'method="post" action="/x/"' in html


def test_a_status_is_always_a_word() -> None:
    assert ">Failed</span>" in render('{% run_status "failed" %}')
    assert '<span class="visually-hidden">Failed</span>' in render('{% run_status "failed" "icon" %}')
    assert "surprising" in render('{% run_status "surprising" %}')
    assert "Reconnect needed" in render('{% connection_status "needs_reauthorization" %}')


def test_figures_have_their_words() -> None:
    rail = ["succeeded", "failed", "waiting", "queued"]
    assert 'aria-label="4 steps"' in render("{% minirail rail %}", rail=rail)
    assert 'aria-label="Last runs: 4, failed: 1"' in render("{% ticks rail %}", rail=rail)
    html = render('{% meter 150 "ok" "full" %}')
    assert 'width="100%"' in html
    assert 'aria-label="full"' in html


def test_the_end_of_a_list_has_no_further_page() -> None:
    html = render('{% pagination "" "?cursor=b" %}')
    assert html.count("<a ") == 1
    assert 'href="?cursor=b"' in html
    assert render('{% pagination "" "" %}').strip() == ""


def test_a_value_keeps_its_template_text() -> None:
    value = 'Hi {{ s2.body["name"] }} <b>'
    html = render('{% value_field "summary" value label="Title" %}', value=value)
    assert 'value="Hi {{ s2.body[&quot;name&quot;] }} &lt;b&gt;"' in html


@pytest.mark.parametrize(("value", "mode"), [
    ("2026-11-25T10:15:00+03:00", "clock"), ("", "clock"), ("{{ s3.start }}", "data"), ("31.12.2020 21:45", "raw"),
])  # fmt: skip
def test_a_date_opens_in_the_mode_of_its_value(value: str, mode: str) -> None:
    html = render(
        '{% datetime_field "start" value label="Start" instant_url="/i/" zone="Europe/Moscow" %}', value=value
    )
    assert f'data-mode="{mode}"' in html
    assert f'name="start" value="{value}"' in html


def test_nested_results_are_one_line_each() -> None:
    html = render("{% outrows data %}", data={"start": {"at": 1}, "text": "x" * 500})
    assert "{&quot;at&quot;: 1}" in html
    assert "x…" in html


def test_crumbs_end_where_we_are() -> None:
    html = render('{% crumbs "Connections" "/connections/" "New" %}')
    assert '<a href="/connections/">Connections</a>' in html
    assert '<span aria-current="page">New</span>' in html
