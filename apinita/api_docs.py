"""The page /api/docs/: the endpoints of the OpenAPI document, rendered by us, without scripts from elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_GET
from drf_spectacular.generators import SchemaGenerator

PREFIX = "/api/v1/"
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Parameter:
    name: str
    place: str
    type: str
    required: bool
    text: str


@dataclass(frozen=True)
class Endpoint:
    """One method of one address, with what it takes and gives."""

    method: str
    path: str
    name: str
    text: str
    parameters: tuple[Parameter, ...]
    body: tuple[Parameter, ...]
    answers: tuple[tuple[str, str], ...]

    @property
    def group(self) -> str:
        return self.path.removeprefix(PREFIX).split("/")[0]

    @property
    def anchor(self) -> str:
        return self.name.replace("_", "-")


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    listed = groups(get_language() or "en")
    return render(request, "api_docs.html", {"groups": listed, "base": request.build_absolute_uri(PREFIX)})


@cache
def groups(language: str) -> list[tuple[str, list[Endpoint]]]:
    """The endpoints by their first part of the address. Made once per language: the document does not change."""
    found = sorted(endpoints(schema()), key=lambda endpoint: (endpoint.group, endpoint.path))
    return [(name, list(members)) for name, members in groupby(found, key=lambda endpoint: endpoint.group)]


def schema() -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document


def endpoints(document: dict[str, Any]) -> Iterator[Endpoint]:
    components = document.get("components", {}).get("schemas", {})
    for path, operations in document["paths"].items():
        for method in METHODS:
            if operation := operations.get(method):
                yield endpoint(method, path, operation, components)


def endpoint(method: str, path: str, operation: dict[str, Any], components: dict[str, Any]) -> Endpoint:
    text = operation.get("summary") or operation.get("description") or ""
    return Endpoint(
        method=method.upper(),
        path=path,
        name=operation["operationId"],
        text=text.strip().split("\n\n")[0],
        parameters=tuple(parameter(one) for one in operation.get("parameters", []) if one["in"] != "path"),
        body=tuple(body_fields(operation, components)),
        answers=tuple((status, one.get("description", "")) for status, one in operation.get("responses", {}).items()),
    )


def parameter(one: dict[str, Any]) -> Parameter:
    return Parameter(
        one["name"], one["in"], type_of(one.get("schema", {})), one.get("required", False), one.get("description", "")
    )


def body_fields(operation: dict[str, Any], components: dict[str, Any]) -> Iterator[Parameter]:
    content = operation.get("requestBody", {}).get("content", {})
    described = resolve(content.get("application/json", {}).get("schema", {}), components)
    required = described.get("required", [])
    for name, one in described.get("properties", {}).items():
        if not one.get("readOnly"):
            yield Parameter(name, "body", type_of(one), name in required, one.get("description", ""))


def resolve(described: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    reference = described.get("$ref", "")
    return components.get(reference.rsplit("/", 1)[-1], {}) if reference else described


def type_of(described: dict[str, Any]) -> str:
    if reference := described.get("$ref"):
        return str(reference).rsplit("/", 1)[-1]
    for combined in ("allOf", "oneOf", "anyOf"):
        if parts := described.get(combined):
            return " | ".join(filter(None, (type_of(part) for part in parts)))
    kind = described.get("type", "")
    if kind == "array":
        return f"{type_of(described.get('items', {}))}[]"
    return " | ".join(kind) if isinstance(kind, list) else str(kind)
