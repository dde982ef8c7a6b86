"""Addresses of the pages of runs."""

from django.urls import path

from scenarios.pages.runs import many_views, run_views

app_name = "runs"
urlpatterns = [
    path("", run_views.listing, name="list"),
    path("start/", run_views.start, name="start"),
    path("many/", many_views.many, name="many"),
    path("<str:run_id>/", run_views.detail, name="detail"),
    path("<str:run_id>/payload/<str:part>/", run_views.payload, name="payload"),
    path("<str:run_id>/delivery/", run_views.delivery, name="delivery"),
    path("<str:run_id>/cancel/", run_views.cancel, name="cancel"),
    path("<str:run_id>/retry/", run_views.retry, name="retry"),
    path("<str:run_id>/resolve/", run_views.resolve, name="resolve"),
]
