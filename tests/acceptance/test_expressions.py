"""Expressions as a scenario meets them: types kept, names told, nothing reachable that is not data."""

import re
import time
import uuid
from typing import Any

import pytest

from tests.acceptance.http_server import Target
from tests.acceptance.product import Product, document, http, result_of, step, step_of, value

CONTINUE = {"on_error": "continue"}
BODY = {
    "items": [{"a": 1, "b": "x"}, {"a": 2}],
    "n": 3,
    "f": 1.5,
    "t": "да",
    "e": None,
    "yes": True,
    "o": {"k": [1, "2"]},
}


GIVES: list[tuple[str, Any]] = [
    ("{{ s1.body.items }}", BODY["items"]),
    ("<< s1.body.items >>", BODY["items"]),
    ("{{ s1.body.o }}", BODY["o"]),
    ("  {{ s1.body.n }}  ", "  3  "),
    ("{{ s1.body.n }}", 3),
    ("{{ s1.body.f * 2 }}", 3.0),
    ("{{ s1.body.yes }}", True),
    ("{{ s1.body.e }}", None),
    ("n={{ s1.body.n }}, t=<< s1.body.t >>", "n=3, t=да"),
    ("{{ s1.body.n }}{{ s1.body.n }}", "33"),
    ("{{ trigger.body.items[1].a }}", 2),
    ("{{ s1.body['items'][0]['b'] }}", "x"),
    ("{{ s1.body.items | length > 1 }}", True),
    ("{{ s1.body.items | map(attribute='a') | list }}", [1, 2]),
    ("{{ s1.body.items | map(attribute='a') | sum }}", 3),
    ("{{ s1.body.nosuch | default('нет') }}", "нет"),
    ("{{ s1.body.nosuch is defined }}", False),
    ("{{ 'a' if s1.body.n > 2 else 'b' }}", "a"),
    ("{% if s1.body.yes %}да{% else %}нет{% endif %}", "да"),
    ("{% for i in s1.body.items %}{{ i.a }};{% endfor %}", "1;2;"),
    ("{% set x = s1.body.n * 2 %}{{ x }}!", "6!"),
    ("a << , >> b", "a << , >> b"),
    ("1 << 2", "1 << 2"),
    ("«<< это не выражение, а текст >>»", "«<< это не выражение, а текст >>»"),
    ("{{ 'ключ' | base64_encode }}", "0LrQu9GO0Yc="),
    ("{{ base64_encode('ключ') }}", "0LrQu9GO0Yc="),
    ("{{ base64_decode('0LrQu9GO0Yc=') }}", "ключ"),
    (
        "{{ ({'a': [1, 'б']} | json_encode).replace if false else ({'a': [1]} | json_encode | json_decode) }}",
        {"a": [1]},
    ),
    ("{{ json_decode('{\"a\": [1]}').a }}", [1]),
    ("{{ 'а b&c/' | url_encode }}", "%D0%B0%20b%26c%2F"),
    ("{{ 'abc' | hash('sha256') }}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("{{ vars.v }} {{ v }}", "переменная переменная"),
    ("{{ [3, 1, 2] | sort | join('-') }}", "1-2-3"),
]


def test_expressions_give_what_they_promise_with_their_types(product: Product) -> None:
    steps = [step(f"n{n}", "data.set", None, CONTINUE, values={"x": text}) for n, (text, _) in enumerate(GIVES)]
    run = product.try_steps(*steps, body=BODY, variables={"v": "переменная"})
    assert run["status"] == "succeeded", run
    wrong = {}
    for number, (text, expected) in enumerate(GIVES):
        made = step_of(run, f"n{number}")
        found = made["result"]["x"] if made["status"] == "succeeded" else made["error"]
        if (found, type(found)) != (expected, type(expected)):
            wrong[text] = found
    assert wrong == {}


def test_everything_that_a_run_knows_has_a_name(product: Product) -> None:
    scenario = product.scenario(
        step(
            "s2",
            "data.set",
            values={"id": "{{ run.id }}", "key": "{{ run.key }}", "at": "{{ run.started_at }}", "u": "{{ uuid() }}"},
        ),
        step("s3", "data.set", values={"nested": {"list": ["{{ s2.id }}", {"deep": "<< 1 + 1 >>"}]}, "{{ no }}": 1}),
    )
    run = product.run(scenario)
    assert run["status"] == "succeeded", run
    made = result_of(run, "s2")
    assert made["id"] == run["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", made["at"])
    uuid.UUID(made["u"])
    assert result_of(run, "s3") == {"nested": {"list": [run["id"], {"deep": 2}]}, "{{ no }}": 1}


def test_a_missing_key_says_what_there_is(product: Product) -> None:
    run = product.evaluate("{{ s1.body.itmes }}", {"items": [], "nextSyncToken": "x"})
    assert (run["status"], run["error"]["code"]) == ("failed", "expression_failed"), run
    told = f"{run['error']['text']} {run['error']['hint']}"
    for word in ("s1.body.itmes", "items", "nextSyncToken"):
        assert word in told, told


def test_a_key_of_json_wins_over_a_method_of_the_same_name(product: Product) -> None:
    body = {"items": 1, "keys": 2, "get": 3, "values": 4, "count": 5}
    text = "{{ s1.body.items + s1.body.keys + s1.body.get + s1.body['values'] + s1.body.count }}"
    assert value(product.evaluate(text, body)) == 15
    assert value(product.evaluate("{{ s1.body.items is defined }}", {})) is False


ATTACKS = [
    "{{ ''.__class__ }}", "{{ s1.__class__.__mro__ }}", "{{ ().__class__.__bases__[0].__subclasses__() }}",
    "{{ cycler.__init__.__globals__ }}", "{{ lipsum.__globals__['os'] }}", "{{ self }}", "{{ config }}",
    "{{ '%s'.format(1) }}", "{{ s1|attr('__class__') }}", "{% include 'x' %}", "{% import 'os' as os %}",
    "{{ ''['__class__'] }}", "{{ s1.body.x.__init__ }}", "{% macro m() %}{% endmacro %}", "{{ request }}",
    "{{ [].append(1) }}", "{{ connection.client_secret }}",
]  # fmt: skip


def test_nothing_but_data_can_be_reached(product: Product) -> None:
    reached = []
    for text in ATTACKS:
        attack = document(step("s2", "data.set", values={"x": text}))
        answer = product.post("scenarios/", {"document": attack})
        if answer.status == 400:
            assert "steps[0].inputs.values.x" in answer.json["errors"], answer
            continue
        run = product.evaluate(text, {"x": "y"})
        if run["status"] != "failed" or run["error"]["code"] != "expression_failed":
            reached.append((text, run))
    assert reached == []


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' * 10000000 }}", "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ range(1000000000) | list | length }}", "{{ 9 ** 9 ** 9 }}", "{{ 'a' | regex_replace('(a+)+$', 'b') }}",
        "{{ [1] * 100000000 }}", "{{ '%0999999999d' % 1 }}",
    ],
)  # fmt: skip
def test_an_expression_over_its_budget_is_an_error_and_soon(product: Product, text: str) -> None:
    begun = time.monotonic()
    greedy = document(step("s2", "data.set", values={"x": text}))
    if product.post("scenarios/", {"document": greedy}).status == 201:
        run = product.evaluate(text)
        if "regex" not in text:
            assert (run["status"], run["error"]["code"]) == ("failed", "expression_failed"), str(run)[:500]
    assert time.monotonic() - begun < 10


def test_data_is_never_evaluated_a_second_time(product: Product) -> None:
    run = product.evaluate("{{ s1.body.t }}|<< s1.body.t >>", {"t": "{{ 7 * 7 }}<< 7 * 7 >>"})
    assert value(run) == "{{ 7 * 7 }}<< 7 * 7 >>|{{ 7 * 7 }}<< 7 * 7 >>"


def test_dates_are_moved_between_zones(product: Product) -> None:
    text = "{{ '2020-12-31T21:45:00+03:00' | to_tz('UTC') | rfc3339 }}"
    assert value(product.evaluate(text)) in {"2020-12-31T18:45:00Z", "2020-12-31T18:45:00+00:00"}
    text = "{{ '2020-12-31T21:45:00+03:00' | date_modify('+1 day') | rfc3339 }}"
    assert value(product.evaluate(text)) == "2021-01-01T21:45:00+03:00"


def test_a_value_cannot_break_out_of_the_body_that_it_stands_in(product: Product, target: Target) -> None:
    text = '"}, {"x": "и & = ?'
    fields = {"t": "{{ s1.body.t }}", "in": "<{{ s1.body.t }}>", "l": "{{ [1, none] }}"}
    for kind in ("json", "form"):
        run = product.try_steps(
            http("s2", f"{target.url}/x", method="POST", format=kind, fields=fields), body={"t": text}
        )
        assert step_of(run, "s2")["status"] == "succeeded", run
    assert target.seen[0].json == {"t": text, "in": f"<{text}>", "l": [1, None]}
    assert (target.seen[1].form["t"], target.seen[1].form["in"]) == (text, f"<{text}>")


def test_an_expression_error_is_told_in_russian_too(product: Product) -> None:
    run = product.evaluate("{{ s1.body.itmes }}", {"items": []})
    product.language = "ru"
    told = product.get(f"runs/{run['id']}/").json["error"]["text"]
    assert re.search("[а-я]", told), told
    assert "itmes" in told
