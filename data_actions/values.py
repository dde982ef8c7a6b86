"""Values given names, for the steps after."""

from django.utils.translation import gettext_lazy as _

from actions.base import Action, Context
from actions.effects import Effect
from actions.fields import PairsField
from lib.errors import Json


class SetValues(Action):
    key = "data.set"
    title = _("Set values")
    help = _("Works values out once and gives them names, so that later steps can use them.")
    returns = _("The values under their names.")
    icon = "variable"
    kind = "code"
    effect = Effect.PURE

    values = PairsField(
        _("Values"),
        help=_("A name on the left; a text, a number or an expression on the right."),
        example={"title": "{{ s1.body.name | title }}", "count": "{{ s2.body.items | length }}"},
    )

    def perform(self, ctx: Context) -> Json:
        return self.values
