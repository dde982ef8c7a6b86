"""All addresses of the product. `/hooks/…`, `/healthz` and `/readyz` are answered before Django: see wsgi.py."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView

from apinita import api_docs
from apinita.language import set_language

api: list[URLPattern | URLResolver] = [
    path("schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("", include("accounts.api_urls")),
    path("", include("connections.api_urls")),
    path("", include("scenarios.api_urls")),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("scenarios.pages.overview.urls")),
    path("", include("accounts.urls")),
    path("connections/", include("connections.urls")),
    path("scenarios/", include("scenarios.pages.editor.urls")),
    path("runs/", include("scenarios.pages.runs.urls")),
    path("cabinet/", include("apinita.cabinet.urls")),
    path("language/", set_language, name="set_language"),
    path("api/docs/", api_docs.page, name="api-docs"),
    path("api/v1/", include(api)),
]
