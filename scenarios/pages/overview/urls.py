"""The address of the overview."""

from django.urls import path

from scenarios.pages.overview import dashboard

urlpatterns = [path("", dashboard.page, name="dashboard")]
