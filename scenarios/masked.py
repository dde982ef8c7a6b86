"""A run's data as people see it: headers with secret names, and tokens known by their look, are masked.

The journal and the samples keep the values: later steps, repeats and pickers need them.
"""

from collections.abc import Mapping

from connections.masking import MASK, is_secret_name, mask_json
from lib.errors import Json


def for_reading(value: Json) -> Json:
    """Inputs, a result, a request, an error: each may have `headers` at its top."""
    if isinstance(value, dict) and isinstance(value.get("headers"), dict):
        value = {**value, "headers": without_secrets(value["headers"])}
    return mask_json(value, frozenset())


def without_secrets(headers: Mapping[str, Json]) -> dict[str, Json]:
    """The values are as a template gave them, so not always texts."""
    return {name: MASK if is_secret_name(name) else value for name, value in headers.items()}
