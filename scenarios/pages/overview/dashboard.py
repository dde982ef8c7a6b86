"""The overview: the first page after signing in."""

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import actor, person
from accounts.decorators import needs
from scenarios.pages.overview.dashboard_data import Dashboard

MORNING, DAY, EVENING, NIGHT = 5, 12, 18, 23


@require_GET
@needs()
def page(request: HttpRequest) -> HttpResponseBase:
    name = person(request).name.split(" ")[0]
    context = {
        "data": Dashboard(actor(request)),
        "greeting": greeting(timezone.localtime().hour, name),
        "now": timezone.now(),
        "has_sandbox": bool(settings.SANDBOX_URL),
    }
    return render(request, "dashboard.html", context)


def greeting(hour: int, name: str) -> str:
    if MORNING <= hour < DAY:
        words, named = _("Good morning"), _("Good morning, {name}")
    elif DAY <= hour < EVENING:
        words, named = _("Good afternoon"), _("Good afternoon, {name}")
    elif EVENING <= hour < NIGHT:
        words, named = _("Good evening"), _("Good evening, {name}")
    else:
        words, named = _("Hello"), _("Hello, {name}")
    return named.format(name=name) if name else words
