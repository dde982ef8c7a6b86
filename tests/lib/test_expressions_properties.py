"""Whatever is written, evaluating it gives JSON or an ExpressionError."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from lib.expressions import (
    HELPERS,
    ExpressionError,
    compile_value,
    evaluate,
    evaluate_text,
    has_expression,
    problems,
    rename,
)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["2026-11-24T09:30:00+03:00", "12,5", "{{ a }}", "a,b", "<b>", '{"a": 1}', "0LTQsA=="]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)
NAMES = st.fixed_dictionaries(
    {"a": VALUES, "b": VALUES, "items": st.lists(VALUES, max_size=4), "s2": st.just({"body": {"items": [1]}})}
)

LITERALS = st.sampled_from(
    [
        "a",
        "b",
        "items",
        "s2.body.items",
        "a.b",
        "a[0]",
        "nope",
        "nope.x",
        "1",
        "-2.5",
        "0",
        "'x'",
        "''",
        "'%Y'",
        "[]",
        "[a, 1]",
        "{'k': b}",
        "none",
        "true",
        "'upper'",
        "'even'",
        "'a.b'",
        "10 ** 20",
        "'+1 day'",
        "'(a+)'",
    ]
)
NAMES_OF_HELPERS = st.sampled_from([helper.name for helper in HELPERS])
SIGNS = "+ - * / // % ** ~ == != < >= in and or"
OPERATORS = st.sampled_from(SIGNS.split())
EXPRESSIONS = st.recursive(
    LITERALS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, OPERATORS, inner),
        st.builds("({} | {})".format, inner, NAMES_OF_HELPERS),
        st.builds("({} | {}({}))".format, inner, NAMES_OF_HELPERS, inner),
        st.builds("{}({}, {})".format, NAMES_OF_HELPERS, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("({}[{}])".format, inner, inner),
        st.builds("({}[{}:{}])".format, inner, inner, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} is {})".format, inner, st.sampled_from(["defined", "number", "even", "empty", "string"])),
        st.builds("({} | default({}))".format, inner, inner),
    ),
    max_leaves=6,
)
SHAPES = st.sampled_from(
    [
        "{{ %s }}",
        "<< %s >>",
        "text {{ %s }} << b >>",
        "{%% if %s %%}x{%% else %%}{{ a }}{%% endif %%}",
        "{%% for e in %s %%}{{ e }}{{ loop.index }}{%% else %%}-{%% endfor %%}",
        "{%% set a = %s %%}{{ a }}",
    ]
)
WORDS = (
    "{{ }} << >> {% %} {# #} - ' \" \\ ( ) [ ] { } | . , : == ~ 1 "
    "a b items if else endif for in endfor set raw endraw is not upper"
)
SCRAPS = st.lists(st.sampled_from([*WORDS.split(), " ", "\n"]) | st.text(max_size=3), max_size=30).map("".join)


PLACE = re.compile(r"\{(asked|there|inside|got|helper|signature|limit|left|right|mark|closing|line)\}")


def outcome(call):
    """What a call gives, and the ExpressionError it raises; any other error fails the test."""
    try:
        return call(), None
    except ExpressionError as error:
        return None, error


def is_json(value):
    json.dumps(value, allow_nan=False)
    return True


@settings(max_examples=400, deadline=None)
@given(SHAPES, EXPRESSIONS, NAMES)
def test_an_expression_gives_json_or_an_expression_error(shape, expression, names):
    before = json.dumps(names)
    template = shape % expression
    value, error = outcome(lambda: compile_value(template).evaluate(names))
    assert is_json(value)
    if error is not None:
        assert error.reason != "unforeseen", error.__cause__
        assert error.params["expression"]
        assert not PLACE.search(str(error))
    assert json.dumps(names) == before


@settings(max_examples=400, deadline=None)
@given(SCRAPS, NAMES)
def test_any_text_at_all_is_evaluated_or_refused(template, names):
    for call in (
        lambda: evaluate(template, names),
        lambda: evaluate_text(template, names),
        lambda: evaluate({"k": [template]}, names),
        lambda: rename(template, "a", "z"),
    ):
        value, error = outcome(call)
        assert is_json(value)
        assert error is None or error.reason != "unforeseen", error.__cause__
    assert has_expression(template) in (True, False)
    assert all(isinstance(error, ExpressionError) for error in problems([template]))


@settings(max_examples=150, deadline=None)
@given(st.text())
def test_text_without_brackets_is_itself(text):
    if not any(mark in text for mark in ("{{", "<<", "{%", "{#")):
        assert evaluate(text, {}) == text
        assert not has_expression(text)


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_data_comes_out_as_it_went_in(value):
    assert evaluate("{{ v }}", {"v": value}) == value
    assert evaluate({"k": ["<< v >>"]}, {"v": value}) == {"k": [value]}
    assert evaluate("{{ v | json_encode | json_decode }}", {"v": value}) == json.loads(json.dumps(value))


@settings(max_examples=150, deadline=None)
@given(SCRAPS, SCRAPS)
def test_looked_up_text_is_never_evaluated(before, evil):
    names = {"evil": evil, "a": "SECRET", "b": "SECRET", "items": "SECRET"}
    assert evaluate("{{ evil }}", names) == evil
    assert evaluate("x<< evil >>y", names) == f"x{evil}y"
    try:
        shown = evaluate(before.replace("a", "").replace("b", "").replace("items", "") + "{{ evil }}", names)
    except ExpressionError:
        return
    assert "SECRET" not in str(shown)
