"""What inputs take, what they refuse, and how they say so."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from jsonschema import Draft202012Validator

from actions.base import Action
from actions.fields import (
    BooleanField,
    ChoiceField,
    DateTimeField,
    EmailsField,
    Field,
    HeadersField,
    JsonField,
    LongTextField,
    NumberField,
    PairsField,
    QueryField,
    StatusesField,
    TextField,
    TimeZoneField,
    UrlField,
)
from lib.errors import InvalidInput


class Everything(Action):
    key = "test.everything"
    title = "Everything"
    text = TextField("Text")
    long = LongTextField("Long", default="")
    number = NumberField("Number", default=3, least=1, most=5)
    flag = BooleanField("Flag", default=None)
    choice = ChoiceField("Choice", choices=(("", "None"), ("a", "A")), default="")
    moment = DateTimeField("Moment", default="")
    pairs = PairsField("Pairs", default=None)
    called = PairsField("Fields", default=None, name="fields")
    headers = HeadersField("Headers", default=None)
    query = QueryField("Query", default=None)
    statuses = StatusesField("Statuses", default="4xx,5xx")
    emails = EmailsField("Emails", default=None)
    zone = TimeZoneField("Zone", default="")
    url = UrlField("URL", default="")
    anything = JsonField("Anything", default=None)

    def conflicts(self) -> dict[str, list[str]]:
        return {"number": ["too many"]} if (self.number or 0) > 4 else {}


def cleaned(**inputs: Any) -> Everything:
    return Everything.clean({"text": "x"} | inputs)


def errors_of(**inputs: Any) -> dict[str, list[str]]:
    with pytest.raises(InvalidInput) as caught:
        cleaned(**inputs)
    return caught.value.errors


def test_a_missing_input_gets_its_default_and_a_blank_one_too() -> None:
    action = cleaned(number="", choice=None)
    assert (action.number, action.choice, action.moment, action.flag, action.pairs) == (3, "", "", None, {})
    assert action.given == {"text", "number"}


def test_a_required_input_is_missed() -> None:
    assert Everything.check({}) == {"text": ["This field is required."]}
    assert errors_of(text="  ") == {"text": ["This field is required."]}


def test_all_mistakes_are_told_at_once_in_the_order_of_the_form() -> None:
    assert list(errors_of(nope=1, moment="31.12.2020 21:45", number=9)) == ["nope", "number", "moment"]


def test_an_unknown_input_is_told_with_what_there_is() -> None:
    assert "there is: text, long, number" in errors_of(txt="x")["txt"][0]


@pytest.mark.parametrize(("given", "text"), [(5, "5"), (True, "true"), (1.5, "1.5"), (10**30, str(10**30))])
def test_single_values_become_text(given: Any, text: str) -> None:
    assert cleaned(text=given).text == text


def test_a_list_is_no_text_but_may_be_a_long_one() -> None:
    assert "single value" in errors_of(text=[1])["text"][0]
    assert cleaned(long={"a": ["б"]}).long == '{"a":["б"]}'


def test_long_text_is_kept_to_the_letter() -> None:
    assert cleaned(long=" a\r\n ").long == " a\r\n "


@pytest.mark.parametrize("given", ["2020-12-31T21:45:00+03:00", "2020-12-31T18:45:00Z", "2020-12-31T18:45:00.123456Z"])
def test_rfc_3339_is_kept_as_written(given: str) -> None:
    assert cleaned(moment=given).moment == given


@pytest.mark.parametrize(
    "given",
    ["31.12.2020 21:45", "2020-12-31", "2020-12-31T21:45:00", "2020-12-31T21:45:00+0300", "2021-02-29T00:00:00Z"],
)
def test_what_is_not_rfc_3339_is_named(given: str) -> None:
    assert given in errors_of(moment=given)["moment"][0]


@pytest.mark.parametrize(
    ("given", "flag"),
    [(True, True), ("true", True), ("1", True), (0, False), ("False", False), ("", None), (None, None)],
)
def test_yes_no_and_not_said(given: Any, flag: bool | None) -> None:
    assert cleaned(flag=given).flag is flag


def test_statuses_are_single_ones_and_classes() -> None:
    statuses = cleaned(statuses="404, 5xx").statuses
    assert 404 in statuses
    assert 503 in statuses
    assert 403 not in statuses
    assert 500 not in cleaned(statuses="").statuses
    assert 500 in cleaned().statuses
    assert 409 in cleaned(statuses=[409]).statuses
    assert "“6xx”" in errors_of(statuses="6xx")["statuses"][0]


def test_mails_come_from_text_lists_and_guests() -> None:
    assert cleaned(emails="a@x.ru, b@x.ru\na@x.ru").emails == ["a@x.ru", "b@x.ru"]
    assert cleaned(emails=[{"email": "a@x.ru", "self": True}, "b@x.ru"]).emails == ["a@x.ru", "b@x.ru"]
    assert "“anna”" in errors_of(emails="anna")["emails"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "x"), ("content-length", "1"), ("Transfer-Encoding", "chunked"), ("Proxy-Authorization", "x"),
        ("Connection", "close"), ("Upgrade", "x"), ("Expect", "x"), ("TE", "x"), ("Trailer", "x"), ("bad name", "x"),
        ("Имя", "x"), ("X-A", "a\r\nX-B: 1"), ("X-A", "a\0"), ("X-A", "привет"), ("X-A", ["a"]),
    ],
)  # fmt: skip
def test_headers_that_cannot_be_sent_are_refused_under_their_name(name: str, value: Any) -> None:
    assert list(errors_of(headers={name: value})) == [f"headers.{name}"]
    assert list(Everything.check({"text": "x", "headers": {name: value}})) == [f"headers.{name}"]


def test_blank_headers_and_null_parameters_are_left_out() -> None:
    action = cleaned(headers={"X-A": "", "X-B": 5}, query={"a": None, "b": "", "c": [1, True], "d": 2})
    assert action.headers == {"X-B": "5"}
    assert action.query == {"b": "", "c": ["1", "true"], "d": "2"}


def test_an_input_may_be_called_otherwise_than_its_attribute() -> None:
    assert cleaned(fields={"a": [1]}).called == {"a": [1]}


@pytest.mark.parametrize("zone", ["Moscow", "../etc/passwd", "Europe/Nowhere", "\0"])
def test_a_time_zone_must_be_known(zone: str) -> None:
    assert "zone" in errors_of(zone=zone)


@pytest.mark.parametrize("url", ["ftp://x.example", "x.example/a", "//x.example", "https://", "javascript:alert(1)"])
def test_an_address_must_be_whole(url: str) -> None:
    assert "https://" in errors_of(url=url)["url"][0]


def test_conflicts_are_looked_for_when_each_input_is_right() -> None:
    assert errors_of(number=5) == {"number": ["too many"]}
    assert Everything.check({"text": "x", "number": 5}) == {"number": ["too many"]}


def test_a_draft_may_hold_expressions_anywhere() -> None:
    template = "<< s1.x >>"
    inputs = dict.fromkeys(Everything.fields, template) | {"headers": {"X-A": template}, "fields": template}
    assert Everything.check(inputs) == {}


def test_what_stands_beside_an_expression_is_checked() -> None:
    found = Everything.check({"text": "{{ x }}", "headers": {"Host": "{{ x }}", "X-A": "{{ x }}"}, "number": "9"})
    assert set(found) == {"headers.Host", "number"}


def test_a_name_that_looks_like_an_expression_is_none() -> None:
    assert "headers.{{ x }}" in Everything.check({"text": "x", "headers": {"{{ x }}": "1"}})


def test_the_schema_is_valid_and_says_what_the_form_does() -> None:
    schema = Everything.schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for inputs in (
        {"text": "x"},
        {"text": "x", "number": 4, "flag": True, "choice": "a", "moment": "2020-12-31T21:45:00Z", "fields": {"a": 1}},
        {"text": "x", "number": "{{ s1.n }}", "flag": "{{ s1.f }}", "fields": "<< s1.all >>", "moment": ""},
    ):
        assert list(validator.iter_errors(inputs)) == []
        assert Everything.check(inputs) == {}
    for inputs in ({}, {"text": "x", "number": 9}, {"text": "x", "zz": 1}, {"text": "x", "choice": "b"}):
        assert list(validator.iter_errors(inputs))
        assert Everything.check(inputs)


def test_a_field_on_the_class_is_itself() -> None:
    assert isinstance(Everything.text, Field)
    assert Everything.flag.widget == "select"
    with pytest.raises(ValidationError):
        Everything.number.clean("x")
