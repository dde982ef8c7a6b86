"""The addresses that the shell names, and pages with every part, to look at without a database."""

from types import SimpleNamespace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path
from django.utils import timezone

DATA: dict[str, Any] = {
    "summary": "Занятие: Немецкий A2",
    "start": {"dateTime": "2026-11-25T19:30:00+03:00"},
    "end": {"dateTime": "2026-11-25T17:15:00+03:00"},
    "attendees": ["a@slovo.school", "b@slovo.school"],
    "count": 3,
    "all_day": False,
    "nothing": None,
}
GROUPS = [
    {"title": "Current event", "key": "s3", "number": 3, "kind": "loop", "icon": "repeat", "note": "1 of 12", "picks": [
        {"label": "Название", "expression": "s3.item.summary", "sample": "Английский B1, Ковалёва"},
        {"label": "Начало", "expression": "s3.item.start", "type": "datetime", "sample": "25 ноя, 10:15"},
        {"label": "Zone", "expression": "s3.item.zone", "sample": "Europe/Moscow", "depth": 1},
    ]},
    {"title": "List events", "key": "s1", "number": 1, "icon": "calendar-search", "test_url": "#test", "picks": [
        {"label": "Calendar", "expression": "s1.body.summary"},
    ]},
    {"title": "Dates", "tab": "functions", "kind": "time", "icon": "sigma", "picks": [
        {"label": "Now", "expression": "now()", "type": "function"},
    ]},
]  # fmt: skip


class Form(forms.Form):
    name = forms.CharField(label="Name", help_text="Only you see it.")
    name2 = forms.CharField(label="Another", required=False)
    secret = forms.CharField(label="Secret", widget=forms.PasswordInput)
    kind = forms.ChoiceField(label="Kind", choices=[("a", "One"), ("b", "Two")])
    text = forms.CharField(label="Text", widget=forms.Textarea, required=False)
    agree = forms.BooleanField(label="Remember me", required=False)
    live = forms.BooleanField(
        label="Work without me", required=False, help_text="Asks for it.",
        widget=forms.CheckboxInput(attrs={"role": "switch"}),
    )  # fmt: skip
    days = forms.MultipleChoiceField(label="Days", choices=[("1", "Monday"), ("2", "Tuesday")], required=False,
                                     widget=forms.CheckboxSelectMultiple)  # fmt: skip
    mode = forms.ChoiceField(label="Mode", choices=[("x", "First"), ("y", "Second")], widget=forms.RadioSelect)
    mode2 = forms.ChoiceField(label="How often", choices=[("x", "Daily"), ("y", "Cron")], widget=forms.RadioSelect)


def be_anna(request: Any) -> None:
    school = SimpleNamespace(pk=1, public_id="w1", name="Школа «Слово»")
    other = SimpleNamespace(pk=2, public_id="w2", name="Другая")
    request.user = SimpleNamespace(is_authenticated=True, name="Анна Власова", email="anna@slovo.school")
    request.workspace = school
    request.memberships = [SimpleNamespace(workspace=school), SimpleNamespace(workspace=other)]


def parts(request: HttpRequest) -> HttpResponse:
    be_anna(request)
    if "hello" in request.GET:
        messages.success(request, "Saved <b>")
        messages.error(request, "Not saved")
    form = Form({"name": "", "kind": "b", "mode": "x", "mode2": "x", "days": ["2"]} if "bad" in request.GET else None)
    return render(request, "parts.html", {
        "title_value": "Занятие: {{ s3.item.summary }} · {{ s1.body.summary | upper }}",
        "gone_value": "{{ s9.x }} {{ now() }}", "note_value": "{% if x %}a{% endif %}",
        "end_value": "{{ s3.item.start }}",
        "form": form, "groups": GROUPS, "data": DATA, "now": timezone.now(),
        "pairs": {"Needs": "Calendar ID", "Gives": "24 fields"},
        "options": [
            {"value": "all", "label": "All", "url": "?", "count": 7},
            {"value": "err", "label": "Failed", "url": "?s=x"},
        ],
        "rail": ["succeeded", "succeeded", "failed", "waiting", "queued"],
        "run_statuses": ["queued", "running", "waiting", "succeeded", "failed", "cancelled", "needs_review", "skipped"],
        "connection_statuses": ["new", "connected", "needs_reauthorization", "misconfigured"],
    })  # fmt: skip


def login(request: HttpRequest) -> HttpResponse:
    return render(request, "login.html", {"form": Form({"name": "anna@slovo.school", "mode": "x"})})


def ask(request: HttpRequest) -> HttpResponse:
    return render(request, "ask.html")


def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=403)


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("a bug")


def nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse("")


def at(*names: str) -> list[Any]:
    return [path(f"{name}/", nothing, name=name) for name in names]


urlpatterns = [
    path("", nothing, name="dashboard"),
    path("scenarios/", include((at("list"), "scenarios"))),
    path("runs/", include((at("list"), "runs"))),
    path("connections/", include((at("list"), "connections"))),
    path("accounts/", include((
        at("profile", "members", "tokens", "sign_out", "sign_in", "switch_workspace"), "accounts",
    ))),
    path("i18n/", include("django.conf.urls.i18n")),
    path("cabinet/refuse/", refuse),
    path("cabinet/", include("apinita.cabinet.urls")),
    path("parts/", parts),
    path("parts/confirm/", ask),
    path("login/", login),
    path("broken/", broken),
]  # fmt: skip
