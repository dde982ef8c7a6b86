"""All addresses of the product. `/hooks/…`, `/healthz` and `/readyz` are answered before Django: see wsgi.py."""

from importlib.util import find_spec

from django.urls import include, path
from django.urls.resolvers import URLResolver
from drf_spectacular.views import SpectacularJSONAPIView

from apinita import api_docs
from apinita.language import set_language

API = ["accounts.api_urls", "connections.api_urls", "scenarios.api_urls"]
PAGES = {
    "": "accounts.urls",
    "connections/": "connections.urls",
    "scenarios/": "scenarios.urls",
    "runs/": "scenarios.run_urls",
    "cabinet/": "apinita.cabinet.urls",
}


def included(prefix: str, module: str) -> list[URLResolver]:
    return [path(prefix, include(module))] if find_spec(module) else []


urlpatterns = [
    path("api/v1/schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("api/docs/", api_docs.page, name="api-docs"),
    path("language/", set_language, name="set_language"),
    path("", include("scenarios.home_urls")),
    *(resolver for module in API for resolver in included("api/v1/", module)),
    *(resolver for prefix, module in PAGES.items() for resolver in included(prefix, module)),
]
