"""Addresses of the shell itself; include under any prefix: path("cabinet/", include("apinita.cabinet.urls"))."""

from django.urls import path

from apinita.cabinet import views

app_name = "cabinet"
urlpatterns = [
    path("theme/", views.set_theme, name="theme"),
    path("instant/", views.show_instant, name="instant"),
]
