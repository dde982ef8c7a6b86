"""Block tags with named slots: {% callout … %}text{% actions %}buttons{% endcallout %}, drawn by a template."""

from collections.abc import Callable, Sequence
from typing import Any

from django.template import Context, Library, Node, NodeList, TemplateSyntaxError
from django.template.base import FilterExpression, Parser, Token
from django.utils.safestring import SafeString

Values = dict[str, Any]


def unchanged(values: Values) -> Values:
    return values


class SlottedNode(Node):
    def __init__(
        self,
        template: str,
        values: dict[str, FilterExpression],
        slots: dict[str, NodeList],
        defaults: Values,
        prepare: Callable[[Values], Values],
    ) -> None:
        self.template = template
        self.values = values
        self.slots = slots
        self.defaults = defaults
        self.prepare = prepare

    def render(self, context: Context) -> SafeString:
        given = {name: value.resolve(context) for name, value in self.values.items()}
        values = self.prepare(self.defaults | given)
        for name, nodelist in self.slots.items():
            values[name] = SafeString(nodelist.render(context).strip())
        inner = context.new(values)
        inner["csrf_token"] = context.get("csrf_token")
        inner["request"] = context.get("request")
        template = context.template.engine.get_template(self.template)  # type: ignore[union-attr]
        return template.render(inner)


def slotted(
    library: Library,
    name: str,
    template: str,
    *,
    args: Sequence[str] = (),
    slots: Sequence[str] = (),
    prepare: Callable[[Values], Values] = unchanged,
    **defaults: Any,
) -> None:
    """Register the tag `name`. `args` may be given by place, `defaults` by name; its body is the slot `body`,
    and each of `slots` begins with a tag of that name. An argument that the tag does not know is an error.
    `prepare` turns the arguments into the template's context."""
    known = {*args, *defaults}

    def compile_tag(parser: Parser, token: Token) -> SlottedNode:
        values: dict[str, FilterExpression] = {}
        for place, bit in enumerate(token.split_contents()[1:]):
            key, equals, expression = bit.partition("=")
            if not equals or not key.isidentifier():
                if place >= len(args):
                    raise TemplateSyntaxError(f"{name}: too many values without a name")
                key, expression = args[place], bit
            if key not in known:
                raise TemplateSyntaxError(f"{name} takes {', '.join(sorted(known))}; not {key}")
            values[key] = parser.compile_filter(expression)
        return SlottedNode(template, values, _bodies(parser, name, slots), dict(defaults), prepare)

    library.tag(name, compile_tag)


def _bodies(parser: Parser, name: str, slots: Sequence[str]) -> dict[str, NodeList]:
    bodies = {}
    current = "body"
    while True:
        bodies[current] = parser.parse((*slots, f"end{name}"))
        current = parser.next_token().contents
        if current == f"end{name}":
            return bodies
