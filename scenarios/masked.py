"""A run's data as people see it: headers and parameters with secret names, and tokens known by their look, are masked.

The journal and the samples keep the values: later steps, repeats and pickers need them.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote_plus

from connections.masking import MASK, is_secret_name, mask_json
from lib.errors import Json
from scenarios import payloads

TEXT_IN_JSON = re.compile(r'"(?P<name>[^"\\]{1,100})"(?P<colon>\s*:\s*)"(?:[^"\\]|\\.)*(?P<end>"|\\?$)')
PARAMETER = re.compile(r"(?<=[?&])([^=&?#\s\"'<>]{1,100})=([^&#\s\"'<>]+)")
SECRET_PARAMETERS = frozenset({"key", "sig", "sign", "pass", "pwd", "hmac"})  # too common to be secret elsewhere


def for_reading(value: Json) -> Json:
    """Inputs, a result, a request, an error: each may have `headers` and `query` at its top, and addresses anywhere."""
    if payloads.is_cut(value):
        cut = value["_cut"]
        return {"_cut": {**cut, "start": start_without_secrets(cut["start"])}}
    if isinstance(value, dict) and isinstance(value.get("headers"), dict):
        value = {**value, "headers": without_secrets(value["headers"])}
    if isinstance(value, dict) and isinstance(value.get("query"), dict):
        given: dict[str, Json] = value["query"]
        value = {**value, "query": {name: MASK if is_secret_parameter(name) else one for name, one in given.items()}}
    return without_parameters(mask_json(value, frozenset()))


def query_for_reading(query: str) -> str:
    """A query as it came in an address, the values of secret names masked; the rest letter by letter."""
    return in_addresses(f"?{mask_json(query, frozenset())}")[1:]


def is_secret_parameter(name: str) -> bool:
    return name.lower() in SECRET_PARAMETERS or is_secret_name(name)


def without_secrets(headers: Mapping[str, Json]) -> dict[str, Json]:
    """The values are as a template gave them, so not always texts."""
    return {name: MASK if is_secret_name(name) else value for name, value in headers.items()}


def without_parameters(value: Json) -> Json:
    """The same value with the secret parameters of the addresses in its texts masked."""
    if isinstance(value, str):
        return in_addresses(value)
    if isinstance(value, dict):
        return {name: without_parameters(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_parameters(item) for item in value]
    return value


def in_addresses(text: str) -> str:
    if "=" not in text:
        return text

    def hidden(found: re.Match[str]) -> str:
        return f"{found[1]}={MASK}" if is_secret_parameter(unquote_plus(found[1])) else found[0]

    return PARAMETER.sub(hidden, text)


def start_without_secrets(text: str) -> str:
    """The beginning of a JSON text that was cut anywhere: no value under a secret name is in it."""

    def hidden(found: re.Match[str]) -> str:
        return f'"{found["name"]}"{found["colon"]}"{MASK}"' if is_secret_name(found["name"]) else found[0]

    return in_addresses(str(mask_json(TEXT_IN_JSON.sub(hidden, text), frozenset())))
