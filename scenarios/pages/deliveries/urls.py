"""The pages of a scenario's webhook ledger, below its address; their names stand beside those of the editor."""

from django.urls import path

from scenarios.pages.deliveries import ledger_views

urlpatterns = [
    path("", ledger_views.listing, name="ledger"),
    path("<str:delivery_id>/", ledger_views.detail, name="delivery"),
    path("<str:delivery_id>/body/", ledger_views.body, name="delivery_body"),
    path("<str:delivery_id>/redeliver/", ledger_views.repeat, name="redeliver"),
]
