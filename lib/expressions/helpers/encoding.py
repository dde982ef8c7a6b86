"""Helpers for encodings and hashes."""

import base64
import binascii
import hashlib
import hmac as hmacs
import json
from urllib.parse import quote, unquote, urlencode

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import SIZE, Budget, too_large
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import choice_of, helper, text_of, text_within
from lib.expressions.values import is_number, to_json, to_text

ALGORITHMS = {name: name for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "crc32")}
KEYED = {name: name for name in ALGORITHMS if name != "crc32"}
FORMS = {
    "hex": lambda digest: digest.hex(),
    "base64": lambda digest: base64.b64encode(digest).decode(),
    "base64url": lambda digest: base64.urlsafe_b64encode(digest).decode().rstrip("="),
}


def bytes_of(value: Json, budget: Budget) -> bytes:
    return text_of(value, budget).encode("utf-8", "replace")


@helper(
    "json_encode(value, pretty=false)",
    kind="encoding",
    example="{{ {'a': [1, true]} | json_encode }}",
    result='{"a":[1,true]}',
    text=_("Any value as JSON text."),
    aliases=("tojson", "to_json"),
)
def json_encode(budget: Budget, value: Json, pretty: Json = False) -> Json:
    budget.measure(value)
    if pretty:
        budget.use(1000)
        return text_within(json.dumps(value, ensure_ascii=False, indent=2))
    return text_within(to_json(value))


@helper(
    "json_decode(text)",
    kind="encoding",
    example="{{ ('{\"a\": [1, 2]}' | json_decode).a[1] }}",
    result=2,
    text=_("The value that a JSON text spells."),
    aliases=("fromjson", "from_json"),
)
def json_decode(budget: Budget, text: Json) -> Json:
    if not isinstance(text, str):
        return text  # an answer in JSON is a value already
    text = text_within(text_of(text, budget))
    budget.use(text.count(",") + text.count(":") + text.count("["))
    try:
        value = json.loads(text, parse_constant=refuse, parse_int=whole, parse_float=fraction)
    except (ValueError, RecursionError):
        raise ExpressionError("bad_data") from None
    budget.measure(value)
    return value


def refuse(constant: str) -> Json:
    raise ValueError(constant)


def whole(digits: str) -> int:
    if len(digits) > 80:
        raise ValueError(digits)
    return int(digits)


def fraction(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(digits)
    return value


@helper(
    "base64_encode(text)",
    kind="encoding",
    example="{{ 'ключ:тайна' | base64_encode }}",
    result="0LrQu9GO0Yc60YLQsNC50L3QsA==",
    text=_("A text (UTF-8) in Base64; true as an argument gives the form for addresses."),
    aliases=("base64", "b64encode"),
)
def base64_encode(budget: Budget, text: Json, for_url: Json = False) -> Json:
    raw = bytes_of(text, budget)
    coded = base64.urlsafe_b64encode(raw).rstrip(b"=") if for_url else base64.b64encode(raw)
    return text_within(coded.decode())


@helper(
    "base64_decode(text)",
    kind="encoding",
    example="{{ '0LTQsA==' | base64_decode }}",
    result="да",
    text=_("The text that a Base64 text holds, of either form."),
    aliases=("b64decode",),
)
def base64_decode(budget: Budget, text: Json) -> Json:
    coded = "".join(text_of(text, budget).split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(coded + "=" * (-len(coded) % 4), validate=True).decode()
    except (binascii.Error, ValueError):
        raise ExpressionError("bad_data") from None


@helper(
    "url_encode(value)",
    kind="encoding",
    example="{{ 'а б&в' | url_encode }}",
    result="%D0%B0%20%D0%B1%26%D0%B2",
    text=_("A text for a part of an address; an object as parameters of an address: a=1&b=2."),
    aliases=("urlencode",),
)
def url_encode(budget: Budget, value: Json) -> Json:
    if isinstance(value, dict):
        budget.measure(value)
        return text_within(urlencode([(key, to_text(inner)) for key, inner in value.items()], quote_via=quote))
    raw = bytes_of(value, budget)
    if len(raw) > SIZE // 3:
        raise too_large()
    return quote(raw, safe="")


@helper(
    "url_decode(text)",
    kind="encoding",
    example="{{ '%D0%B4%D0%B0' | url_decode }}",
    result="да",
    text=_("The opposite of url_encode."),
    aliases=("urldecode",),
)
def url_decode(budget: Budget, text: Json) -> Json:
    return text_within(unquote(text_of(text, budget)))


@helper(
    "hash(text, algorithm='sha256', form='hex')",
    kind="encoding",
    example="{{ 'abc' | hash('md5') }}",
    result="900150983cd24fb0d6963f7d28e17f72",
    text=_("The hash of a text: md5, sha1, sha256, sha512, crc32, … as hex, base64 or base64url."),
)
def hash_of(budget: Budget, text: Json, algorithm: Json = "sha256", form: Json = "hex") -> Json:
    name, shape = choice_of(algorithm, ALGORITHMS), choice_of(form, FORMS)
    raw = bytes_of(text, budget)
    budget.read(to_text(text, budget))
    if name == "crc32":
        return str(shape(binascii.crc32(raw).to_bytes(4, "big")))
    return str(shape(hashlib.new(name, raw, usedforsecurity=False).digest()))


@helper(
    "md5(text)",
    kind="encoding",
    example="{{ md5('abc') }}",
    result="900150983cd24fb0d6963f7d28e17f72",
    text=_("The same as hash('md5')."),
)
def md5(budget: Budget, text: Json) -> Json:
    return hash_of(budget, text, "md5")


@helper(
    "sha256(text)",
    kind="encoding",
    example="{{ sha256('abc') | slice(0, 8) }}",
    result="ba7816bf",
    text=_("The same as hash('sha256')."),
)
def sha256(budget: Budget, text: Json) -> Json:
    return hash_of(budget, text, "sha256")


@helper(
    "hmac(text, key, algorithm='sha256', form='hex')",
    kind="encoding",
    example="{{ 'abc' | hmac('key') | slice(0, 8) }}",
    result="9c196e32",
    text=_("The signature of a text with a secret key."),
)
def hmac(budget: Budget, text: Json, key: Json, algorithm: Json = "sha256", form: Json = "hex") -> Json:
    name, shape = choice_of(algorithm, KEYED), choice_of(form, FORMS)
    return str(shape(hmacs.new(bytes_of(key, budget), bytes_of(text, budget), name).digest()))


@helper(
    "hex(value)",
    kind="encoding",
    example="{{ 'да' | hex }}",
    result="d0b4d0b0",
    text=_("A text (UTF-8) or a whole number in hexadecimal digits."),
)
def hexadecimal(budget: Budget, value: Json) -> Json:
    if is_number(value) and isinstance(value, int):
        return f"{value:x}"
    return text_within(bytes_of(value, budget).hex())
