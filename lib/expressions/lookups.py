"""Constants, names and look-ups as closures: `s2.body.items[0]`, `a[b]`, `a[1:3]`."""

from jinja2 import nodes

from lib.errors import Json
from lib.expressions.budget import DEPTH, Budget
from lib.expressions.compiler import Compiler, Names, Path, Run, builds, constant, unwrapped
from lib.expressions.errors import ExpressionError
from lib.expressions.values import (
    JSON_TYPES,
    MISSING,
    Key,
    bounded,
    kind_of,
    look_up,
    not_found,
    to_key,
    walk,
    walk_softly,
)

NULLS = frozenset({"null", "nil"})  # none and None are Jinja's own
POSITIONS = 10**9


@builds(nodes.Const)
def build_const(compiler: Compiler, node: nodes.Const, softly: bool) -> Run:
    value = node.value
    return constant(bounded(value) if isinstance(value, int | float) else value)


@builds(nodes.Name)
def build_name(compiler: Compiler, node: nodes.Name, softly: bool) -> Run:
    return build_path(compiler, node.name, (), softly)


def build_path(compiler: Compiler, root: str, keys: tuple[Key, ...], softly: bool) -> Run:
    """A name and literal keys: the commonest expression, so one closure without a budget."""
    if root in NULLS and not keys:
        return constant(None)
    compiler.read(root, keys, softly=softly)
    otherwise = walk_softly if softly else walk

    def run(names: Names, budget: Budget | None) -> Json:
        try:
            value = names[root]
            for key in keys:
                if value.__class__ is dict or value.__class__ is list:
                    value = value[key]  # type: ignore[index]
                else:
                    return otherwise(names, root, keys)
        except (KeyError, IndexError, TypeError):
            return otherwise(names, root, keys)
        return value if value.__class__ in JSON_TYPES else otherwise(names, root, keys)

    return Path(run)


@builds(nodes.Getattr, nodes.Getitem)
def build_look_up(compiler: Compiler, node: nodes.Getattr | nodes.Getitem, softly: bool) -> Run:
    """`a.b['c'][0]`: literal keys are gathered into one closure, whatever comes before them."""
    keys: list[Key] = []
    base: nodes.Node = node
    while isinstance(base, nodes.Getattr | nodes.Getitem):
        key = literal_key(base)
        if key is None:
            break
        keys.append(key)
        base = base.node
    if len(keys) > DEPTH * 2:
        raise ExpressionError("too_deep")
    path = tuple(reversed(keys))
    if isinstance(base, nodes.Name):
        return build_path(compiler, base.name, path, softly)
    if not path:
        return build_subscript(compiler, base, softly)
    inner = unwrapped(compiler.expression(base, softly=softly))

    def run(names: Names, budget: Budget) -> Json:
        value = inner(names, budget)
        for depth, key in enumerate(path):
            found = look_up(value, key)
            if found is MISSING:
                if softly:
                    return MISSING
                raise not_found(value, key, "…" if depth == 0 else str(path[depth - 1]), str(key))
            value = found
        return value

    return run


def literal_key(node: nodes.Getattr | nodes.Getitem) -> Key | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    value = node.arg.value if isinstance(node.arg, nodes.Const) else None
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    negated = isinstance(node.arg, nodes.Neg) and isinstance(node.arg.node, nodes.Const)
    if negated and isinstance(node.arg.node.value, int):  # type: ignore[attr-defined]
        return -node.arg.node.value  # type: ignore[attr-defined]
    return None


def build_subscript(compiler: Compiler, node: nodes.Node, softly: bool) -> Run:
    """`a[b]` with a computed key, `a[1:3]`."""
    assert isinstance(node, nodes.Getitem)
    inner = unwrapped(compiler.expression(node.node, softly=softly))
    if isinstance(node.arg, nodes.Slice):
        return build_slice(compiler, inner, node.arg)
    key = unwrapped(compiler.expression(node.arg))

    def run(names: Names, budget: Budget) -> Json:
        budget.use()
        value, wanted = inner(names, budget), key(names, budget)
        found = look_up(value, wanted)
        if found is MISSING and not softly:
            raise not_found(value, wanted, "…", to_key(wanted))
        return found

    return run


def build_slice(compiler: Compiler, inner: Run, node: nodes.Slice) -> Run:
    ends = [compiler.expression(end) if end else constant(None) for end in (node.start, node.stop, node.step)]

    def run(names: Names, budget: Budget) -> Json:
        value = inner(names, budget)
        start, stop, step = (slice_end(end(names, budget)) for end in ends)
        if step == 0:
            raise ExpressionError("bad_argument", helper="[:]", asked="0", signature="a[start:stop]")
        if not isinstance(value, str | list):
            raise ExpressionError("not_a_list", helper="[:]", got=kind_of(value))
        budget.use(len(value) // 16 + 1)
        return value[start:stop:step]

    return run


def slice_end(value: Json) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < POSITIONS):
        return value
    raise ExpressionError("bad_argument", helper="[:]", asked=str(value)[:20], signature="a[start:stop]")
