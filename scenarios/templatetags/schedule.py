"""What the preview of a schedule says beside its times."""

from collections.abc import Iterable
from datetime import datetime

from django import template

from lib import workdays

register = template.Library()


@register.filter
def are_guessed(fires: Iterable[datetime]) -> bool:
    """Whether some lie after the last year whose working days are decreed."""
    return any(fire.year > workdays.DECREED_UNTIL for fire in fires)
