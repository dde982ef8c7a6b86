"""Registers the cabinet with Django."""

from django.apps import AppConfig


class CabinetConfig(AppConfig):
    name = "apinita.cabinet"
    label = "cabinet"
