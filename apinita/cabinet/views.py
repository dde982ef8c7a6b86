"""The shell's own two doors: choosing a theme without scripts, and a wall-clock time as RFC 3339."""

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apinita.cabinet.context import THEME_COOKIE, THEMES
from apinita.cabinet.instants import NoSuchZone, instant

YEAR_S = 365 * 24 * 3600


@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    next_url = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(next_url, {request.get_host()}, require_https=request.is_secure()):
        next_url = "/"
    response = HttpResponseRedirect(next_url)
    theme = request.POST.get("theme", "")
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=YEAR_S, samesite="Lax", secure=request.is_secure())
    return response


@require_GET
def show_instant(request: HttpRequest) -> HttpResponse:
    """?local=2026-11-25T10:15&zone=Europe/Moscow → the line under a date-time field."""
    try:
        found = instant(request.GET.get("local", ""), request.GET.get("zone", ""))
    except NoSuchZone:
        return render(request, "parts/instant.html", {"error": _("There is no such time zone.")})
    except (ValueError, OverflowError):
        return render(request, "parts/instant.html", {"error": _("Choose a date and a time.")})
    return render(request, "parts/instant.html", {"instant": found})
