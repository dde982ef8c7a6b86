"""What expressions mean: placeholders, look-ups, operators, tags, errors."""

import random
from datetime import UTC, datetime

import pytest

from lib.errors import describe
from lib.expressions import (
    Budget,
    ExpressionError,
    compile_value,
    evaluate,
    evaluate_text,
    has_expression,
    problems,
)

NAMES = {
    "s1": {"body": {"email": "A@B.RU", "amount": 1990, "none": None, "float": 1.5, "yes": True, "items": {"a": 1}}},
    "s2": {
        "status": 200,
        "headers": {"content-type": "application/json"},
        "body": {"items": [{"summary": "Встреча", "n": 1}, {"summary": "Звонок", "n": 2}], "nextSyncToken": "t"},
    },
    "item": {"_links": {"next": "url"}, "0": "zero", "my key": 5},
    "calendar": "primary",
    "index": 0,
}
ITEMS = NAMES["s2"]["body"]["items"]


def failure(template, names=NAMES):
    with pytest.raises(ExpressionError) as caught:
        evaluate(template, names)
    return caught.value


# Placeholders


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ s2.body.items }}", ITEMS),
        ("<< s2.body.items >>", ITEMS),
        ("{{s1.body.amount}}", 1990),
        ("<<s1.body.none>>", None),
        ("{{ s1.body.yes }}", True),
        ("{{ {'a': [1, {'b': 2}]} }}", {"a": [1, {"b": 2}]}),
        ("{{ {'a': {'b': 1}}}}", {"a": {"b": 1}}),
        ("{{ '}}' }}", "}}"),
        ("<< '>>' >>", ">>"),
        ("{{- calendar -}}", "primary"),
        (" {{ s1.body.amount }}", " 1990"),
        ("{{ s1.body.amount }}\n", "1990\n"),
        ("{{ index }}{{ index }}", "00"),
        ("<< calendar >>/{{ s1.body.amount }}", "primary/1990"),
        ("{{ s1.body.none }}|{{ s1.body.yes }}|{{ s1.body.float }}", "|true|1.5"),
        ("x{{ s2.body.items }}", 'x[{"summary":"Встреча","n":1},{"summary":"Звонок","n":2}]'),
        ("plain", "plain"),
        ("", ""),
        (5, 5),
        (None, None),
        ([], []),
    ],
)
def test_exactly_one_placeholder_keeps_its_type_and_anything_else_is_text(template, value):
    result = evaluate(template, NAMES)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "a << b",
        "x << 1 and >> y",
        "cout << x; y >> z",
        "<<>>",
        "<< >>",
        "<< нажмите здесь >>",
        "<< да, нет >>",
        "1 >> 2 << 3",
        "<< 'открыто >>",
        "<< a",
        "a }} b %} c #} d",
        "{ {x} }",
        "100 % { скидка }",
        "{# без конца",
        "<<<<<<",
        "<< (a >>",
    ],
)
def test_what_encloses_no_expression_is_ordinary_text(text):
    assert evaluate(text, {}) == text
    assert not has_expression(text)
    assert compile_value(text).is_constant


def test_the_brackets_of_one_kind_may_stand_in_the_other():
    assert evaluate("<< {{ calendar }} >>", NAMES) == "<< primary >>"
    assert evaluate("{{ 'a << b >> c' }}", NAMES) == "a << b >> c"
    assert evaluate("a << b << calendar >> d", NAMES) == "a << b primary d"
    assert evaluate("<< '{{ x }}' >>", NAMES) == "{{ x }}"


def test_text_around_placeholders_stays_byte_for_byte():
    assert evaluate("\r\n a\t{{ index }}\r\n\n", NAMES) == "\r\n a\t0\r\n\n"
    assert evaluate("a {{- index -}} \n b", NAMES) == "a0b"


def test_verbatim_text_and_comments():
    assert evaluate("{% raw %}{{ x }} << y >>{% endraw %}{{ index }}", NAMES) == "{{ x }} << y >>0"
    assert evaluate("{% verbatim %}{% if %}{% endverbatim %}", NAMES) == "{% if %}"
    assert evaluate("a{# {{ nothing }} #}b", NAMES) == "ab"


def test_texts_in_objects_and_lists_are_templates_and_keys_are_not():
    template = {"{{ index }}": ["{{ calendar }}", {"n": "<< s1.body.amount >>", "plain": 1}], "t": "№{{ index }}"}
    assert evaluate(template, NAMES) == {"{{ index }}": ["primary", {"n": 1990, "plain": 1}], "t": "№0"}


def test_data_is_never_a_template():
    names = {"evil": "{{ secret }} << secret >> {% if secret %}", "secret": "s3cr3t"}
    assert evaluate("{{ evil }}", names) == names["evil"]
    assert evaluate("a {{ evil }} {{ evil | upper }}", names).count("s3cr3t") == 0
    assert evaluate({"a": ["<< evil >>"]}, names) == {"a": [names["evil"]]}
    assert evaluate("{{ '{{ sec' ~ 'ret }}' }}", names) == "{{ secret }}"


def test_text_is_asked_for_where_only_text_will_do():
    assert evaluate_text("{{ s1.body.amount }}", NAMES) == "1990"
    assert evaluate_text("{{ s1.body.none }}", NAMES) == ""
    assert evaluate_text("{{ s1.body.items }}", NAMES) == '{"a":1}'


# Looking up


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("s2.body.items[0].summary", "Встреча"),
        ("s2.body.items.0.summary", "Встреча"),
        ("s2['body']['items'][-1]['n']", 2),
        ("s2.body.items[1:] | length", 1),
        ("s2.body.items[:-1][0].n", 1),
        ("s2.body.items[index].n", 1),
        ("s2.body['it' ~ 'ems'][0].n", 1),
        ("s2.headers['content-type']", "application/json"),
        ("s1.body.items", {"a": 1}),
        ("s1.body.items.a", 1),
        ("item._links.next", "url"),
        ("item[0]", "zero"),
        ("item['my key']", 5),
        ("calendar[0] ~ calendar[-1] ~ calendar[1:3]", "pyri"),
        ("{'a': {'b': 5}}.a.b", 5),
        ("[1, 2, 3][::-1]", [3, 2, 1]),
    ],
)
def test_a_look_up_means_keys_of_objects_and_places_in_lists(expression, value):
    assert evaluate(f"{{{{ {expression} }}}}", NAMES) == value


@pytest.mark.parametrize(
    ("expression", "reason", "text"),
    [
        ("s2.body.itmes", "no_such_key", "s2.body.itmes: no such key; there is: items, nextSyncToken"),
        ("s9.body", "no_such_name", "s9: no such name; there is: calendar, index, item, s1, s2"),
        ("s2.body.items[7]", "no_such_item", "s2.body.items[7]: no such item; the list has 2"),
        ("s1.body.none.x", "nothing_inside", "s1.body.none.x: nothing can be taken from s1.body.none, it is null"),
        ("s1.body.amount.x", "nothing_inside", None),
        ("s2.body.items.summary", "nothing_inside", None),
        ("s2.body['no' ~ 'pe']", "no_such_key", None),
        ("item.nope", "no_such_key", None),
        ("{}.a", "no_such_key", "a: no such key; there is: —"),
    ],
)
def test_what_is_missing_is_named_with_what_there_is(expression, reason, text):
    error = failure(f"x {{{{ {expression} }}}}")
    assert error.reason == reason
    assert error.params["expression"] == expression
    if text:
        assert str(error) == text


def test_a_mistyped_key_is_answered_with_the_likeliest_first():
    assert failure("{{ o.sumary }}", {"o": {"aa": 1, "bb": 2, "summary": 3}}).params["there"].startswith("summary")


def test_missing_is_handled_by_default_and_by_is_defined():
    for expression in ("nope", "nope.a.b", "s2.body.itmes", "s1.body.none", "s1.body.none.x.y", "s2.body.items[9].x"):
        assert evaluate(f"{{{{ {expression} | default('—') }}}}", NAMES) == "—"
        assert evaluate(f"{{{{ default({expression}, '—') }}}}", NAMES) == "—"
    assert evaluate("{{ s2.body.items[9].x is defined }}", NAMES) is False
    assert evaluate("{{ nope is undefined }}", NAMES) is True
    assert evaluate("{{ s1.body.none is defined }}", NAMES) is True
    assert evaluate("{{ nope.x is empty }}", NAMES) is True
    assert evaluate("{{ '' | default('a') }}|{{ '' | default('a', true) }}", NAMES) == "|a"
    assert evaluate("{{ [] | first | default('e') }}", NAMES) == "e"
    assert evaluate("{{ (nope.a or s2.nope) | default(1) }}", NAMES) == 1
    assert failure("{{ nope | upper | default('a') }}").reason == "no_such_name"


# Operators


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3 - 4", 3),
        ("(1 + 2) * 3", 9),
        ("10 / 2", 5),
        ("10 / 4", 2.5),
        ("7 // 2", 3),
        ("-7 % 3", 2),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("'a' + 'b'", "ab"),
        ("[1] + [2]", [1, 2]),
        ("'a' ~ 1 ~ true ~ none ~ 1.5", "a1true1.5"),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("'a' < 'b'", True),
        ("1 == 1.0", True),
        ("'1' == 1", False),
        ("[1, {'a': 2}] == [1, {'a': 2}]", True),
        ("1 != 2 and not false", True),
        ("'x' or 'y'", "x"),
        ("'' or 0 or 'z'", "z"),
        ("'a' in 'abc' and 2 in [1, 2] and 'k' in {'k': 1}", True),
        ("3 not in [1, 2]", True),
        ("'yes' if 1 > 0 else 'no'", "yes"),
        ("'yes' if false", None),
        ("null", None),
        ("5 is odd and 4 is even and 9 is divisibleby 3", True),
        ("'a' is string and [] is iterable and {} is mapping and 1 is number", True),
        ("true is number", False),
        ("1 is in [1]", True),
        ("'\\d\\u0416\\n\\''", "\\dЖ\n'"),
        ("0x10 + 1_000", 1016),
        ("(1, 2)", [1, 2]),
    ],
)
def test_operators(expression, value):
    result = evaluate(f"{{{{ {expression} }}}}", {})
    assert result == value
    assert type(result) is type(value)


def test_long_chains_are_not_deep():
    assert evaluate("{{ " + " + ".join(["1"] * 1000) + " }}", {}) == 1000
    assert evaluate("{{ " + " or ".join(["false"] * 1000) + " }}", {}) is False
    assert evaluate("{{ " + " ~ ".join(["'a'"] * 1000) + " }}", {}) == "a" * 1000


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("1 / 0", "division_by_zero"),
        ("1 // 0", "division_by_zero"),
        ("1 % 0", "division_by_zero"),
        ("0 ** -1", "division_by_zero"),
        ("1.5 % 0", "division_by_zero"),
        ("9 is divisibleby 0", "division_by_zero"),
        ("'a' + 1", "cannot_add"),
        ("[1] + 'a'", "cannot_add"),
        ("true + 1", "cannot_add"),
        ("'a' - 1", "not_a_number"),
        ("'a' * 3", "not_a_number"),
        ("[1] * 3", "not_a_number"),
        ("-'a'", "not_a_number"),
        ("1 < 'a'", "cannot_compare"),
        ("none < 1", "cannot_compare"),
        ("1 in 5", "not_a_list"),
        ("(-8) ** 0.5", "not_a_number"),
        ("1e308 * 10", "number_too_large"),
        ("1e999", "number_too_large"),
        ("5 | nope", "unknown_filter"),
        ("nope(5)", "unknown_function"),
        ("5 is nope", "unknown_test"),
        ("5 is divisibleby", "wrong_arguments"),
        ("upper()", "wrong_arguments"),
        ("'a' | upper(1)", "wrong_arguments"),
        ("'a' | upper(size=1)", "wrong_arguments"),
        ("'a' | replace('b', 'c', old='d')", "wrong_arguments"),
        ("'a' | upper(*[1])", "wrong_arguments"),
        ("'a' | upper(**{})", "wrong_arguments"),
        ("upper", "no_such_name"),
        ("'a'.upper()", "not_allowed"),
        ("x()()", "not_allowed"),
        ("5 | sum", "not_a_list"),
        ("'abc' | round", "not_a_number"),
        ("'abc' | date", "not_a_date"),
        ("'2026-01-01' | to_tz('Mars')", "unknown_zone"),
        ("'2026-01-01' | date_modify('по вторникам')", "bad_change"),
        ("'abc' | hash('rot13')", "unknown_choice"),
        ("'{' | json_decode", "bad_data"),
        ("'я' | base64_decode", "bad_data"),
        ("'a' | regex_match('(')", "bad_pattern"),
        ("'a' | regex_find('b')", "nothing_found"),
        ("[] | first", "nothing_found"),
        ("[1, 'a'] | sort", "cannot_compare"),
        ("[{}] | map(attribute='a')", "no_such_key"),
    ],
)
def test_what_cannot_be_is_an_error_with_a_reason(expression, reason):
    error = failure(f"{{{{ {expression} }}}}", {})
    assert error.reason == reason
    assert error.params["expression"] == expression


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ a", "not_closed"),
        ("{{ 'a }}", "not_closed"),
        ("{% if a", "not_closed"),
        ("{% raw %} a", "not_closed"),
        ("{{ }}", "empty"),
        ("{{ a b }}", "unexpected"),
        ("{{ a; b }}", "unexpected"),
        ("{{ (a] }}", "unexpected"),
        ("{{ a ~ }}", "unfinished"),
        ("{{ (a }}", "unfinished"),
        ("{{ a | }}", "unfinished"),
        ("{{ a. }}", "syntax"),
        ("{% if a %}x", "tag_not_closed"),
        ("{% for a in b %}x{% endif %}", "tag_not_closed"),
        ("{% endif %}", "tag_not_opened"),
        ("{% nope %}", "unknown_tag"),
        ("{% include 'a' %}", "unknown_tag"),
        ("{% import 'a' as b %}", "unknown_tag"),
        ("{% macro a() %}{% endmacro %}", "unknown_tag"),
        ("{% block a %}{% endblock %}", "unknown_tag"),
        ("{% set ns.x = 1 %}", "syntax"),
        ("{% for a in b recursive %}{% endfor %}", "not_allowed"),
        ("{{ " + "9" * 5000 + " }}", "unexpected"),
    ],
)
def test_what_cannot_be_read_is_refused_when_it_is_compiled(template, reason):
    with pytest.raises(ExpressionError) as caught:
        compile_value(template)
    assert caught.value.reason == reason
    assert has_expression(template)


# Tags


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% if s1.body.amount > 1000 %}дорого{% elif index %}b{% else %}дёшево{% endif %}", "дорого"),
        ("{% if false %}a{% elif index == 0 %}b{% endif %}", "b"),
        ("{% for e in s2.body.items %}{{ loop.index }}. {{ e.summary }}\n{% endfor %}", "1. Встреча\n2. Звонок\n"),
        ("{% for e in s2.body.items if e.n > 1 %}{{ loop.length }}{{ loop.last }}{% endfor %}", "1true"),
        ("{% for e in [] %}a{% else %}пусто{% endfor %}", "пусто"),
        ("{% for k in {'a': 1} %}{{ k }}{% endfor %}", "a"),
        ("{% for k, v in {'a': 1, 'b': 2} %}{{ k }}={{ v }};{% endfor %}", "a=1;b=2;"),
        ("{% for k, v in {'a': 1} | items %}{{ k }}={{ v }}{% endfor %}", "a=1"),
        ("{% for d, es in s2.body.items | group_by('n') %}{{ d }}:{{ es | length }} {% endfor %}", "1:1 2:1 "),
        ("{% set x = 5 %}{{ x }}", "5"),
        ("{% set a, b = [1, 2] %}{{ b }}{{ a }}", "21"),
        ("{% set x %}a{{ index }}{% endset %}{{ x | upper }}", "A0"),
        ("{% set t = 0 %}{% for e in s2.body.items %}{% set t = t + e.n %}{% endfor %}{{ t }}", "3"),
        ("{% for e in [1] %}{% set inner = 1 %}{% endfor %}{{ inner is defined }}", "false"),
        ("{% for a in [1, 2] %}{% for b in [3, 4] %}{{ a * b }} {% endfor %}{% endfor %}", "3 4 6 8 "),
        ("{% for index in [7] %}{{ index }}{% endfor %}{{ index }}", "70"),
        ("a {%- if true -%} b {%- endif %}", "ab"),
        ("{% if true %}{{ s1.body.amount }}{% endif %}", "1990"),
    ],
)
def test_tags(template, text):
    assert evaluate(template, NAMES) == text


def test_what_a_template_sets_does_not_leave_it():
    names = {"a": 1}
    assert evaluate("{% set a = 2 %}{% set b = 3 %}{{ a }}{{ b }}", names) == "23"
    assert names == {"a": 1}


# Errors say where


def test_an_error_names_the_expression_and_its_line():
    error = failure("one {{ index }}\ntwo {{ index }}\nthree {{ nope }}")
    assert (error.params["expression"], error.params["line"]) == ("nope", 3)
    error = failure("{% for e in s2.body.items %}\n{% if e.nope %}{% endif %}{% endfor %}")
    assert (error.params["expression"], error.params["line"]) == ("if e.nope", 2)
    with pytest.raises(ExpressionError) as caught:
        compile_value("ok {{ index }}\n{{ a b }}")
    assert (caught.value.params["expression"], caught.value.params["line"]) == ("a b", 2)


def test_an_error_says_where_in_the_value_it_is():
    error = failure({"fields": {"title": "ok", "tags": ["a", {"b": "x {{ nope }}"}]}})
    assert error.path == "fields.tags[1].b"
    with pytest.raises(ExpressionError) as caught:
        compile_value({"a": [["{{ }}"]]})
    assert caught.value.path == "a[0][0]"


def test_all_that_cannot_be_read_is_found_at_once():
    found = problems({"a": "{{ }}", "b": ["ok", "{{ x"], "c": "{{ fine }}"})
    assert [(each.path, each.reason) for each in found] == [("a", "empty"), ("b[1]", "not_closed")]


def test_an_error_has_words_and_never_a_value():
    names = {"secret": "hunter2", "list": ["hunter2"], "obj": {"key": "hunter2"}}
    for expression in (
        "secret.x",
        "list[5]",
        "obj.nope",
        "secret + 1",
        "secret | round",
        "secret | json_decode",
        "nope",
    ):
        stored = failure(f"{{{{ {expression} }}}}", names).as_json()
        words = describe(stored)
        assert stored["code"] == "expression_failed"
        assert "hunter2" not in str(words)
        assert words["text"] != "expression_failed"
        assert words["hint"]


# What a template reads


@pytest.mark.parametrize(
    ("template", "references", "paths"),
    [
        ("plain", set(), set()),
        ("{{ s2.body.items }}", {"s2"}, {"s2.body.items"}),
        ("{{ s2.body.items[0].id }} << vars.x >>", {"s2", "vars"}, {"s2.body.items.0.id", "vars.x"}),
        ("{{ s2.body[key] }}", {"s2", "key"}, {"s2.body", "key"}),
        ("{{ s2.body.items[1:] }}", {"s2"}, {"s2.body.items"}),
        ("{{ nope | default(other) }}", {"nope", "other"}, {"nope", "other"}),
        ("{% for e in s2.body %}{{ e.x }}{{ loop.index }}{% endfor %}", {"s2"}, {"s2.body"}),
        ("{% for e in s2.body %}{% endfor %}{{ e }}", {"s2", "e"}, {"s2.body", "e"}),
        ("{% set x = s1.a %}{{ x.b }}", {"s1"}, {"s1.a"}),
        ("{{ x }}{% set x = 1 %}", {"x"}, {"x"}),
        ("{{ upper(s1) }}{{ now() }}", {"s1"}, {"s1"}),
        ({"a": ["{{ s1 }}"], "{{ s9 }}": "{{ s2.b }}"}, {"s1", "s2"}, {"s1", "s2.b"}),
        ("{{ null }}{{ none }}{{ true }}", set(), set()),
        ("{% if a %}{% elif b.c %}{% endif %}", {"a", "b"}, {"a", "b.c"}),
    ],
)
def test_a_template_tells_what_it_reads(template, references, paths):
    compiled = compile_value(template)
    assert compiled.references == references
    assert compiled.paths == paths
    assert compiled.is_constant is (template == "plain")


def test_compiling_the_same_text_twice_costs_nothing():
    assert compile_value("{{ s2.body.items }}") is compile_value("{{ s2.body.items }}")


# The outside


def test_time_zone_and_dice_come_from_the_budget():
    def frozen():
        return Budget(
            clock=lambda: datetime(2026, 11, 24, 6, 30, tzinfo=UTC), timezone="Europe/Moscow", random=random.Random(1)
        )

    template = compile_value("{{ now() }} {{ timestamp() }} {{ date('now', '%H:%M') }} {{ uuid() }} {{ random() }}")
    first = template.evaluate({}, budget=frozen())
    assert first.startswith("2026-11-24T09:30:00+03:00 1795501800 09:30 ")
    assert template.evaluate({}, budget=frozen()) == first
    assert template.evaluate({}) != first


def test_a_mapping_that_is_not_a_dict_will_do_for_names():
    from collections import ChainMap
    from types import MappingProxyType

    assert evaluate("{{ a }}{{ b }}{% set c = a %}{{ c }}", ChainMap({"a": 1}, {"b": 2})) == "121"
    assert evaluate("{{ a.b }}", MappingProxyType({"a": {"b": 1}})) == 1


def test_required_names_are_those_that_nothing_stands_in_for() -> None:
    compiled = compile_value("{{ a | default('x') }} {{ b.c }} {% if d is defined %}1{% endif %} {{ e is empty }}")
    assert compiled.references == {"a", "b", "d", "e"}
    assert compiled.required == {"b"}
