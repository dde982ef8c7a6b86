"""The address of the overview."""

from django.urls import path

from scenarios import dashboard

urlpatterns = [path("", dashboard.page, name="dashboard")]
