"""The helpers: every example, both ways of calling, and the corners of each kind."""

from datetime import UTC, datetime

import pytest

from lib.expressions import HELPERS, KINDS, Budget, ExpressionError, compile_value, evaluate
from lib.expressions.helpers.helper import TABLE

PEOPLE = [
    {"name": "Анна", "age": 30, "team": {"id": 1}},
    {"name": "Пётр", "age": 25, "team": {"id": 2}},
    {"name": "Яна"},
]
NAMES = {"people": PEOPLE, "s": "Текст", "moment": "2026-11-24T09:30:00+03:00"}
NOW = datetime(2026, 11, 24, 6, 30, 15, 123456, tzinfo=UTC)  # a Tuesday


def at_noon(template):
    return compile_value(template).evaluate(NAMES, budget=Budget(clock=lambda: NOW, timezone="Europe/Moscow"))


@pytest.mark.parametrize("helper", HELPERS, ids=lambda helper: helper.name)
def test_every_example_gives_its_result(helper):
    result = evaluate(helper.example, {})
    assert result == helper.result
    assert type(result) is type(helper.result)
    assert helper.kind in KINDS
    assert helper.text
    assert helper.signature.startswith(helper.name + "(")


def test_every_helper_is_told_of_once_and_no_name_of_jinja_is_left_to_chance():
    assert len({helper.name for helper in HELPERS}) == len(HELPERS)
    assert [helper.kind for helper in HELPERS] == sorted((helper.kind for helper in HELPERS), key=list(KINDS).index)
    named = {*TABLE}
    jinja = (
        "abs batch capitalize count default escape e first float format groupby indent int items join last length list "
        "lower map max min reject rejectattr replace reverse round safe select selectattr slice sort string striptags "
        "sum title tojson trim truncate unique upper urlencode wordcount"
    )
    twig = "column date date_modify json_encode keys merge nl2br number_format random range raw split url_encode"
    assert named >= {*jinja.split(), *twig.split()}
    assert not named & {"attr", "xmlattr", "pprint", "lipsum", "cycler", "joiner", "namespace", "include", "source"}


def test_a_helper_is_a_filter_and_a_function_alike():
    assert evaluate("{{ s | upper | replace('Т', 'т') }}", NAMES) == evaluate(
        "{{ replace(upper(s), 'Т', 'т') }}", NAMES
    )
    assert evaluate("{{ people | map(attribute='name') | join(', ') }}", NAMES) == "Анна, Пётр, Яна"
    assert evaluate("{{ join(map(people, attribute='name'), separator=', ') }}", NAMES) == "Анна, Пётр, Яна"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        # numbers
        ("2.675 | round(2)", 2.68),
        ("-2.5 | round", -3),
        ("1234 | round(-2)", 1200),
        ("2.11 | round(1, 'ceil')", 2.2),
        ("'12.5' | round", 13),
        ("'12,50' | float", 12.5),
        ("'1,234' | float(-1)", -1),
        ("'abc' | int", 0),
        ("'12.9' | int", 12),
        ("none | int(7)", 7),
        ("true | int", 1),
        ("'nan' | float", 0.0),
        ("'1e999' | float", 0.0),
        ("1234.5 | number_format", "1,235"),
        ("-0.5 | number_format(1, ',', ' ')", "-0,5"),
        ("max(1, 2.5, -3)", 2.5),
        ("['b', 'a'] | min", "a"),
        ("[] | sum", 0),
        ("[1, 2] | avg", 1.5),
        ("range(5, 0, -2)", [5, 3, 1]),
        ("range(0)", []),
        # texts
        ("'a.b.c' | split('.', 2)", ["a", "b.c"]),
        ("' a  b ' | split", ["a", "b"]),
        ("'aXbX' | replace({'X': '-', 'a': 'A'})", "A-b-"),
        ("'xxaxx' | trim('x')", "a"),
        ("'Один два три' | truncate(10)", "Один..."),
        ("'Один два три' | truncate(10, true, '…')", "Один два …"),
        ("'коротко' | truncate(10)", "коротко"),
        ("'%05.1f|%-3s|%3d|%%' | format(3.14159, 'a', 7)", "003.1|a  |  7|%"),
        ("'a<br/>b<!-- <x> -->c' | striptags", "abc"),
        ("'Ёж' | translit", "Ezh"),
        ("5 | pad(3, '0') ~ ('a' | pad(3, '.', 'right'))", "005a.."),
        ("'7' | digits | length", 1),
        # lists
        ("people | map(attribute='team.id', default=0)", [1, 2, 0]),
        ("people | column('age')", [30, 25]),
        ("['a', 'B'] | map('upper') | list", ["A", "B"]),
        ("['a-b'] | map('replace', '-', '+')", ["a+b"]),
        ("people | selectattr('age') | map(attribute='name')", ["Анна", "Пётр"]),
        ("people | selectattr('age', '>=', 30) | length", 1),
        ("people | selectattr('age', 'undefined') | map(attribute='name')", ["Яна"]),
        ("people | rejectattr('team.id', 'eq', 1) | map(attribute='name')", ["Пётр", "Яна"]),
        ("people | where('name', 'in', ['Яна'])| length", 1),
        ("people | sort(attribute='age', reverse=true) | map(attribute='name')", ["Анна", "Пётр", "Яна"]),
        ("['b', 'A', 'c'] | sort", ["A", "b", "c"]),
        ("['b', 'A', 'c'] | sort(case_sensitive=true, reverse=true)", ["c", "b", "A"]),
        ("[3, 1, 2] | sort(true)", [3, 2, 1]),
        ("[1, '1', 1.0, true, [1], [1]] | unique | length", 3),
        ("[1, 2, 3, 4, 5] | batch(2, 0)", [[1, 2], [3, 4], [5, 0]]),
        ("'abcdef' | slice(-3, 2)", "de"),
        ("'abcdef' | slice(1, -1)", "bcde"),
        ("[1, [2, [3]]] | flatten(2)", [1, 2, 3]),
        ("[1] | merge([2])", [1, 2]),
        ("{'a': 1, 'b': 2} | without(['a'])", {"b": 2}),
        ("[[1], 2] | without([[1]])", [2]),
        ("[1, 2] | contains(2)", True),
        ("'abc' | position('z')", -1),
        ("[1, [2]] | position([2])", 1),
        ("none | length", 0),
        ("'Ж' | list | length", 1),
        # encodings
        ("{'b': 'я', 'a': [1.5, null]} | json_encode", '{"b":"я","a":[1.5,null]}'),
        ("{'a': 1} | json_encode(true)", '{\n  "a": 1\n}'),
        ("(2 ** 100) | json_encode", str(2**100)),
        ("'[1e3, true, null]' | json_decode", [1000.0, True, None]),
        ("{'a': 1} | json_decode", {"a": 1}),
        ("'a?b' | base64_encode(true)", "YT9i"),
        ("'_-8' | base64_decode | default('', true)", None),
        ("{'q': 'а б', 'n': 1} | url_encode", "q=%D0%B0%20%D0%B1&n=1"),
        ("'a/b+c' | url_encode", "a%2Fb%2Bc"),
        ("'123456789' | hash('crc32')", "cbf43926"),
        ("'abc' | hash('sha1', 'base64')", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
        (
            "'what do ya want for nothing?' | hmac('Jefe')",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        ("255 | hex", "ff"),
        # patterns
        ("'a1b22' | regex_find_all('([a-z])(\\d+)')", [["a", "1"], ["b", "22"]]),
        ("'Ж1' | regex_find('\\d')", "1"),
        ("'2026-11-24' | regex_replace('(\\d+)-(\\d+)-(\\d+)', '\\3.\\2.\\1')", "24.11.2026"),
        ("'abc' | regex_replace('', '-')", "-a-b-c-"),
        ("'a.b' | regex_replace('\\.', '\\\\')", "a\\b"),
        ("'x' | regex_find('y') | default('нет')", "нет"),
        # logic
        ("'нет' | bool ~ ('yes' | bool)", "falsetrue"),
        ("coalesce(nope, none, '', 0)", 0),
        ("random(3, 3) + (random([5]))", 8),
    ],
)
def test_the_corners_of_helpers(expression, value):
    if value is None:
        with pytest.raises(ExpressionError):
            evaluate(f"{{{{ {expression} }}}}", NAMES)
        return
    assert evaluate(f"{{{{ {expression} }}}}", NAMES) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("now()", "2026-11-24T09:30:15+03:00"),
        ("now('UTC')", "2026-11-24T06:30:15Z"),
        ("now('+05:30')", "2026-11-24T12:00:15+05:30"),
        ("timestamp()", 1795501815),
        ("moment | timestamp", 1795501800),
        ("date()", "2026-11-24T09:30:15+03:00"),
        ("1795501800 | date", "2026-11-24T06:30:00Z"),
        ("1795501800000 | date", "2026-11-24T06:30:00Z"),
        ("'1795501800' | date", "2026-11-24T06:30:00Z"),
        ("'2026-11-24' | date", "2026-11-24T00:00:00+03:00"),
        ("'24.11.2026 18:05' | date", "2026-11-24T18:05:00+03:00"),
        ("'Thu, 07 Dec 2023 07:05:02 GMT' | date", "2023-12-07T07:05:02Z"),
        ("'tomorrow 9:00' | date", "2026-11-25T09:00:00+03:00"),
        ("'monday' | date('%Y-%m-%d')", "2026-11-30"),
        ("'tuesday' | date('%Y-%m-%d')", "2026-11-24"),
        ("'next tuesday' | date('%Y-%m-%d')", "2026-12-01"),
        ("'last tuesday' | date('%Y-%m-%d')", "2026-11-17"),
        ("moment | date('%Y-%m-%d')", "2026-11-24"),
        ("moment | date('%d.%m.%y %H:%M:%S %% %j %u')", "24.11.26 09:30:00 % 328 2"),
        ("moment | date('d.m.Y H:i')", "24.11.2026 09:30"),
        ("moment | date('j.n.y')", "24.11.26"),
        ("moment | date('Y-m-d\\TH:i:sP')", "2026-11-24T09:30:00+03:00"),
        ("moment | date('%H:%M', 'Asia/Yekaterinburg')", "11:30"),
        ("moment | date('rfc3339', 'UTC')", "2026-11-24T06:30:00Z"),
        (
            "'2026-11-05T07:08:09.123Z' | date('%-d.%-m %-H:%-M %f %L %z %Z %s')",
            "5.11 7:8 123000 123 +0000 UTC 1793862489",
        ),
        ("moment | date_modify('+45 minutes')", "2026-11-24T10:15:00+03:00"),
        ("moment | add('+1 day')", "2026-11-25T09:30:00+03:00"),
        ("moment | add('1 day')", "2026-11-25T09:30:00+03:00"),
        ("moment | add('-1 week 2 days')", "2026-11-15T09:30:00+03:00"),
        ("moment | add('+1 hour -30 sec')", "2026-11-24T10:29:30+03:00"),
        ("moment | add('midnight')", "2026-11-24T00:00:00+03:00"),
        ("moment | add('+1 day noon')", "2026-11-25T12:00:00+03:00"),
        ("moment | add('first day of next month midnight')", "2026-12-01T00:00:00+03:00"),
        ("moment | add('last day of month')", "2026-11-30T09:30:00+03:00"),
        ("moment | add('next monday 9:00')", "2026-11-30T09:00:00+03:00"),
        ("moment | add('+5 weekdays')", "2026-12-01T09:30:00+03:00"),
        ("'2026-11-28T09:00:00Z' | add('+1 weekday')", "2026-11-30T09:00:00Z"),
        ("moment | add('-1 weekday')", "2026-11-23T09:30:00+03:00"),
        ("'2026-01-31T10:00:00Z' | add('+1 month')", "2026-02-28T10:00:00Z"),
        ("'2024-02-29T10:00:00Z' | add('+1 year')", "2025-02-28T10:00:00Z"),
        ("'2026-03-28T02:30:00+01:00' | add('+1 day', 'Europe/Berlin')", "2026-03-29T03:00:00+02:00"),
        ("'2026-03-28T12:00:00+01:00' | add('+1 day', 'Europe/Berlin')", "2026-03-29T12:00:00+02:00"),
        ("'2026-03-28T12:00:00+01:00' | add('+24 hours', 'Europe/Berlin')", "2026-03-29T13:00:00+02:00"),
        ("moment | to_tz('America/New_York')", "2026-11-24T01:30:00-05:00"),
        ("'2026-11-24 09:30' | rfc3339('Asia/Tokyo')", "2026-11-24T09:30:00+09:00"),
        ("moment | rfc3339", "2026-11-24T09:30:00+03:00"),
        ("moment | rfc3339('UTC')", "2026-11-24T06:30:00Z"),
        ("date_diff('2026-11-24', '2026-11-26', 'days')", 2),
        ("date_diff(moment, '2026-11-24T06:00:00Z', 'hours')", -0.5),
        ("moment | date_diff('now')", 15.123456 // 1),
    ],
)
def test_dates(expression, value):
    assert at_noon(f"{{{{ {expression} }}}}") == value


@pytest.mark.parametrize(
    "expression",
    [
        "'' | date",
        "'2026-02-30' | date",
        "true | date",
        "[] | date",
        "1e300 | date",
        "moment | date('%Q')",
        "moment | date('%' ~ 'a' * 3)",
        "moment | add('')",
        "moment | add('+1 lightyear')",
        "moment | add('+999999999 years')",
        "moment | add('-999999999 days')",
        "moment | add('+999999999 weekdays')",
        "moment | to_tz('../../etc/passwd')",
        "moment | to_tz('+99:99')",
        "moment | date_diff(moment, 'parsecs')",
    ],
)
def test_what_is_no_date_is_an_error(expression):
    with pytest.raises(ExpressionError) as caught:
        at_noon(f"{{{{ {expression} }}}}")
    assert caught.value.reason != "unforeseen"
