"""The help on expressions, made from the list of helpers itself."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from accounts.decorators import needs
from lib import expressions
from scenarios.pages.editor.step_inputs import as_text


@require_safe
@needs()
def expression_help(request: HttpRequest) -> HttpResponse:
    sections = [
        {
            "key": kind,
            "title": _(title),
            "helpers": [
                {
                    "name": helper.name,
                    "signature": helper.signature,
                    "text": _(helper.text),
                    "example": helper.example,
                    "result": as_text(helper.result),
                    "aliases": ", ".join(helper.aliases),
                }
                for helper in expressions.HELPERS
                if helper.kind == kind
            ],
        }
        for kind, title in expressions.KINDS.items()
    ]
    return render(request, "scenarios/expressions.html", {"sections": sections})
