"""What a hostile author or hostile data may try: escapes into Python, and work without end."""

import json
import time
from contextlib import suppress

import pytest

from lib.expressions import ExpressionError, compile_value, evaluate, has_expression, rename
from lib.expressions.budget import SIZE

SECONDS = 1.5  # far above what any probe needs (most take under 50 ms), far below what an attack wants


class Trap:
    """An object that tells if anything of it is touched."""

    secret = "s3cr3t"

    def __getitem__(self, key):
        raise AssertionError("reached an item of a Python object")

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise AssertionError("reached an attribute of a Python object")

    def __str__(self):
        raise AssertionError("reached the text of a Python object")

    def __repr__(self):
        return "a trap that came out as it went in"

    def delete(self):
        raise AssertionError("called a method of a Python object")


def names():
    return {
        "s": "text",
        "n": 5,
        "obj": {"key": "value", "items": [1, 2, 3], "__class__": "just a key"},
        "list": [1, 2, 3],
        "trap": Trap(),
        "holds": {"trap": Trap(), "list": [Trap()]},
        "long": "a" * 900_000,
        "tags": "<" * 900_000,
        "comments": "-->" + "<!--" * 200_000,
        "many": list(range(90_000)),
        "texts": ["x" * 1000] * 500,
        "deep": json.loads("[" * 400 + "]" * 400),
        "huge": 10**400,
        "surrogate": "\ud800",
    }


ESCAPES = [
    "''.__class__.__mro__[1].__subclasses__()",
    "''.__class__",
    "()|attr('__class__')",
    "s['__class__']",
    "s.upper",
    "s.format",
    "s.format(1)",
    "'{0.__class__}'.format(s)",
    "'{0.__class__.__init__.__globals__}' | format(s)",
    "'%(a)s' | format(s)",
    "obj.update({'a': 1})",
    "obj.pop('key')",
    "obj.clear()",
    "obj.__init__",
    "obj.__class__.__base__",
    "list.append(4)",
    "list.__len__",
    "trap",
    "trap.secret",
    "trap['secret']",
    "trap.delete()",
    "trap ~ ''",
    "trap | string",
    "trap | upper",
    "trap | length",
    "trap | json_encode",
    "trap == trap",
    "[trap]",
    "trap is defined",
    "trap | default('x')",
    "holds",
    "holds.trap",
    "holds.trap.secret",
    "holds.list[0].secret",
    "holds | string",
    "holds | json_encode",
    "holds.list | map(attribute='secret')",
    "holds.list | join(',')",
    "holds.list | sort",
    "holds.list | unique",
    "self",
    "self._TemplateReference__context",
    "loop",
    "request",
    "config",
    "settings",
    "caller",
    "varargs",
    "environment",
    "namespace(a=1)",
    "cycler.__init__.__globals__.os",
    "joiner()",
    "lipsum.__globals__['os'].popen('id')",
    "lipsum(n=10)",
    "dict.__base__",
    "range.__class__",
    "now.__globals__",
    "__import__('os')",
    "import('os')",
    "eval('1')",
    "exec('1')",
    "open('/etc/passwd')",
    "getattr(s, 'upper')",
    "include('x')",
    "source('x')",
    "constant('x')",
    "template_from_string('{{ 1 }}')",
    "[].__class__.__base__",
    "(1).__class__",
    "s | map('__class__')",
    "['a'] | map('attr', '__class__')",
    "['a'] | map('eval')",
    "list | map(attribute='__class__')",
    "list | selectattr('__class__')",
    "list | select('__class__')",
    "(s | upper).__class__",
    "[1] | sort(attribute='__class__.x')",
    "(none).__class__",
    "(lambda: 1)()",
    "[x for x in list]",
    "s if s.__class__ else 1",
    "s[1:].__class__",
    "'\\x5f\\x5fclass\\x5f\\x5f' in s.__dir__()",
    "obj['__cl' ~ 'ass__'].__mro__",
]


@pytest.mark.parametrize("expression", ESCAPES)
def test_no_way_leads_into_python(expression):
    data = names()
    try:
        value = evaluate(f"{{{{ {expression} }}}}", data)
    except ExpressionError as error:
        value = error.params
    shown = repr(value)
    assert "s3cr3t" not in shown
    assert "<class" not in shown
    assert "0x7f" not in shown
    assert data["obj"] == {"key": "value", "items": [1, 2, 3], "__class__": "just a key"}
    assert data["list"] == [1, 2, 3]


def test_a_name_with_underscores_is_a_name_like_any_other():
    assert evaluate("{{ obj.__class__ }}", names()) == "just a key"


BOMBS = [
    "{{ 'a' * 1000000000 }}",
    "{{ [0] * 1000000000 }}",
    "{{ 10 ** 100000000 }}",
    "{{ 10 ** 10 ** 8 }}",
    "{{ 2 ** (2 ** 30) }}",
    "{{ (10 ** 70) * (10 ** 70) }}",
    "{{ 10 ** 10000000 % 7 }}",
    "{{ 1e308 * 1e308 }}",
    "{{ huge * huge }}",
    "{{ huge }}x",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d' | format(1) }}",
    "{{ '%999s%999s%999s' | format(long, long, long) }}",
    "{{ 'a' | pad(1000000000) }}",
    "{{ 'a' | pad(9999, long) }}",
    "{{ '\n' | indent(1000000000) }}",
    "{{ long | replace('a', 'aaaaaaaaaa') }}",
    "{{ long | replace('', long) }}",
    "{{ long ~ long }}",
    "{{ long + long }}",
    "{{ long }}{{ long }}",
    "{{ long | upper ~ long | lower }}",
    "{{ [long, long] }}",
    "{{ [long, long] | join }}",
    "{{ many | map('pad', 9999) }}",
    "{{ many | map('replace', '', long) | list }}",
    "{{ many | join(long) }}",
    "{{ many + many }}",
    "{{ range(1000000000) }}",
    "{{ range(0, 1000000000000, 7) | list }}",
    "{{ range(99999) | map('string') | join(range(99999) | join) }}",
    "{{ range(90000) | batch(1) | map('length') | sum }}",
    "{{ [range(90000), range(90000), range(90000), range(90000)] | flatten }}",
    "{{ many | sort | reverse | unique | sort }}",
    "{{ texts | sort | unique | join }}",
    "{% for a in many %}{% for b in many %}{{ a }}{% endfor %}{% endfor %}",
    "{% for a in many %}{% for b in many %}{% endfor %}{% endfor %}",
    "{% for a in many %}{{ long }}{% endfor %}",
    "{% for a in many %}{% for b in [] %}{% else %}x{% endfor %}{% endfor %}",
    "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
    "{% set x = [1] %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x | json_encode }}",
    "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 40 + "{{ x == y }}",
    "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 40 + "{{ x in [y] }}",
    "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 40 + "{{ [x, y] | unique }}",
    "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x | flatten(20) }}",
    "{% set x = {'a': 1} %}" + "{% set x = {'a': x, 'b': x} %}" * 40 + "{{ x }}",
    "{% set x = 1 %}" + "{% set x = x * 1000000000 %}" * 400 + "{{ x }}",
    "{% set s %}{{ long }}{% endset %}" * 20,
    "{{ deep }}x",
    "{{ deep | json_encode }}",
    "{{ deep | flatten(20) }}",
    "{{ deep == deep }}",
    "{{ '[' * 5 }}",
    "{{ '" + "[" * 9000 + "' | json_decode }}",
    "{{ long | json_decode }}",
    "{{ ('[' ~ long | replace('a', '0,') ~ '0]') | json_decode }}",
    "{{ long | regex_match('(a+)+$') }}",
    "{{ long | regex_match('(a|a)*b') }}",
    "{{ long | regex_find_all('a') }}",
    "{{ long | regex_find_all('(.*b)?') }}",
    "{{ long | regex_replace('a', 'aaaaaaaaaa') }}",
    "{{ long | regex_replace('', long) }}",
    "{{ 'a' | regex_match('(x{1000}){1000}') }}",
    "{{ 'a' | regex_match('((((a{100}){100}){100}){100})') }}",
    "{{ 'a' | regex_match(long) }}",
    "{{ long | split('a') }}",
    "{{ long | split('') }}",
    "{{ long | list }}",
    "{{ long | translit | slug | title | capitalize }}",
    "{{ tags | striptags | escape | escape | escape }}",
    "{{ comments | striptags }}",
    "{{ long | base64_encode | base64_encode | hex }}",
    "{{ long | url_encode | url_encode }}",
    "{{ long | nl2br | truncate(10) }}",
    "{{ long | wordcount }}",
    "{{ long | contains('b') }}",
    "{{ texts | map('hash', 'sha512') | join }}",
    "{{ long | hash }}{{ long | hmac(long) }}",
    "{{ many | map('date') | list }}",
    "{{ many | map('date_modify', '+1 day') | list }}",
    "{{ 'now' | date_modify('+1 day ' * 5) }}",
    "{{ '2026-01-01' | date_modify('+999999999 weekdays') }}",
    "{{ 1e17 | date }}",
    "{{ huge | date }}",
    "{{ huge | number_format(15) }}",
    "{{ huge | round(15) }}",
    "{{ huge | hex }}",
    "{{ 5 | round(100000000) }}",
    "{{ many | map('random') | sum }}",
    "{{ many | group_by('x') }}",
    "{{ texts | map('json_encode') | map('json_encode') | map('json_encode') | join }}",
    "{{ surrogate }}x{{ surrogate | upper }}",
    "{{ surrogate | base64_encode ~ (surrogate | hash) ~ (surrogate | url_encode) }}",
    "{{ [surrogate] | json_encode }}",
    "{{ surrogate | regex_match('a') }}",
    "{{ many | select('in', many) | length }}",
    "{{ many | without(many) }}",
    "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
    "{{ " + "[" * 9000 + "]" * 9000 + " }}",
    "{{ " + "-" * 19000 + "1 }}",
    "{{ " + "not " * 4900 + "1 }}",
    "{{ " + "1 if 1 else " * 1600 + "1 }}",
    "{{ s" + ".a" * 9000 + " }}",
    "{{ s" + "[0]" * 6000 + " }}",
    "{{ s" + "|upper" * 3000 + " }}",
    "{{ " + "upper(" * 55 + "s" + ")" * 55 + " }}",
    "{{ " + "1 + " * 4900 + "1 }}",
    "{{ " + "1 ** " * 3900 + "1 }}",
    "{{ 1" + " < 2" * 4900 + " }}",
    "{{ [" + "1," * 9000 + "] }}",
    "{{ '" + "a" * 30_000 + "' }}",
    "{% if s %}" * 900 + "{% endif %}" * 900,
    "{% for a in list %}" * 55 + "{{ a }}" + "{% endfor %}" * 55,
    "{% if s %}" + "{% elif s %}" * 1500 + "{% endif %}",
    "<< " * 300_000,
    "<< a b >>" * 100_000,
    "<< 'a >>" * 100_000,
    "<<(" * 200_000 + ">>",
    "{{ a " * 200_000,
    "{#" * 400_000,
    "{% raw %}" * 2000,
    "{{ 'a" + "\\" * 19_000,
    '{{ "' + '\\"' * 9000 + " }}",
]


@pytest.mark.parametrize("template", BOMBS, ids=lambda template: template[:50])
def test_no_template_works_long_or_grows_large(template):
    data = names()
    started = time.process_time()
    try:
        value = evaluate(template, data)
    except ExpressionError as error:
        value = error.reason
    assert value != "unforeseen"
    assert time.process_time() - started < SECONDS
    if not isinstance(value, str):
        assert len(json.dumps(value, default=str)) < 4 * SIZE
    else:
        assert len(value) <= SIZE


@pytest.mark.parametrize("template", BOMBS, ids=lambda template: template[:50])
def test_looking_at_a_template_is_cheap_too(template):
    started = time.process_time()
    has_expression(template)
    with suppress(ExpressionError):
        rename(template, "s", "t")
    assert time.process_time() - started < SECONDS


def test_references_cannot_make_data_grow_from_step_to_step():
    def grow(value):
        for _step in range(30):
            value = evaluate({"a": "{{ s }}", "b": "{{ s }}"}, {"s": value})

    with pytest.raises(ExpressionError) as caught:
        grow(["x" * 1000] * 100)
    assert caught.value.reason == "too_large"


def test_one_reference_to_large_data_is_free():
    large = [{"text": "x" * 1000}] * 5000
    data = {"s": {"items": large}, "n": "a", "small": ["b"]}
    assert evaluate("{{ s.items }}", data) is large
    assert (
        evaluate({"n": "{{ n }}", "items": "{{ s.items }}", "more": "{{ small }}", "parallel": 4}, data)["items"]
        is large
    )
    with pytest.raises(ExpressionError):
        evaluate({"a": "{{ s.items }}", "n": "{{ n }}", "b": "{{ s.items }}"}, data)


def test_data_nested_without_end_is_refused_as_a_template():
    nested = "{{ n }}"
    for _level in range(3000):
        nested = [nested]
    with pytest.raises(ExpressionError) as caught:
        compile_value(nested)
    assert caught.value.reason == "too_deep"


def test_a_budget_is_spent_by_all_that_share_it():
    from lib.expressions import Budget

    budget = Budget(nodes=300)
    template = compile_value("{{ list | sum }}")

    def spend():
        for _round in range(1000):
            template.evaluate({"list": [1, 2, 3]}, budget=budget)

    with pytest.raises(ExpressionError) as caught:
        spend()
    assert caught.value.reason == "over_budget"
