"""Templates: any JSON value whose texts may hold expressions, compiled once and evaluated many times."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from jinja2 import nodes

from lib.errors import Json
from lib.expressions.budget import DATA_DEPTH, SOURCE, Budget
from lib.expressions.compiler import Compiler, Names, Path, Run
from lib.expressions.errors import ExpressionError
from lib.expressions.splitting import Kind, Piece, line_at, may_have_expression, split
from lib.expressions.statements import Scope, compile_body, compile_parts, join
from lib.expressions.syntax import parse
from lib.expressions.values import to_text

CACHED = 4_096

Leaf = Callable[[Names, Budget], Json]


class Compiled:
    """A template ready to be evaluated.

    `references` are the root names it reads, without those it binds itself (`{% for %}`, `{% set %}`, `loop`);
    `required` those among them that must be there, since neither `default` nor `is defined` stands by.
    `paths` are the look-ups with literal keys, dotted (`s2.body.items`, `s2.body.items.0`); a computed key or a slice
    ends a path.
    """

    __slots__ = ("is_constant", "is_path", "leaf", "paths", "pieces", "references", "required", "run", "template")

    def __init__(
        self,
        template: Json,
        run: Run,
        *,
        leaf: Leaf | None = None,
        pieces: list[Piece] | None = None,
        references: frozenset[str] = frozenset(),
        required: frozenset[str] = frozenset(),
        paths: frozenset[str] = frozenset(),
        is_constant: bool = False,
        is_path: bool = False,
    ) -> None:
        self.template = template
        self.run = run
        self.leaf = leaf or run  # evaluates it as a part of something larger
        self.pieces = pieces or []
        self.references = references
        self.required = required
        self.paths = paths
        self.is_constant = is_constant
        self.is_path = is_path

    def evaluate(self, names: Mapping[str, Json], *, budget: Budget | None = None) -> Json:
        """The value. Raises ExpressionError and nothing else."""
        try:
            return self.run(names, budget or UNUSED if self.is_path or self.is_constant else budget or Budget())
        except ExpressionError as error:
            self.locate(error)
            raise
        except ZeroDivisionError:
            raise self.failed("division_by_zero") from None
        except OverflowError:
            raise self.failed("number_too_large") from None
        except RecursionError:
            raise self.failed("too_deep") from None
        except Exception as error:
            raise self.failed("unforeseen") from error

    def text(self, names: Mapping[str, Json], *, budget: Budget | None = None) -> str:
        """The value as text."""
        value = self.evaluate(names, budget=budget)
        return value if isinstance(value, str) else to_text(value)

    def failed(self, reason: str) -> ExpressionError:
        error = ExpressionError(reason)
        self.locate(error)
        return error

    def locate(self, error: ExpressionError) -> None:
        """Say which of its expressions an error is about."""
        if isinstance(self.template, str):
            locate(error, self.template, self.pieces)


UNUSED = Budget()  # stands in where nothing is spent


def compile_value(template: Json) -> Compiled:
    """Compile any JSON value. ExpressionError, its `path` saying where, if an expression cannot be read."""
    return compile_any(template, 0)


def compile_any(template: Json, depth: int) -> Compiled:
    if isinstance(template, str):
        return compile_text(template) if may_have_expression(template) else constant(template)
    if not isinstance(template, list | dict):
        return constant(template)
    if depth >= DATA_DEPTH:
        raise ExpressionError("too_deep")
    entries = template.items() if isinstance(template, dict) else enumerate(template)
    parts = {key: part(key, inner, depth + 1) for key, inner in entries}
    if all(each.is_constant for each in parts.values()):
        return constant(template)
    return Compiled(
        template,
        object_run(parts) if isinstance(template, dict) else list_run(parts),
        references=frozenset().union(*(each.references for each in parts.values())),
        required=frozenset().union(*(each.required for each in parts.values())),
        paths=frozenset().union(*(each.paths for each in parts.values())),
    )


def constant(template: Json) -> Compiled:
    return Compiled(template, lambda names, budget: template, is_constant=True)


def part(key: str | int, template: Json, depth: int) -> Compiled:
    try:
        return compile_any(template, depth)
    except ExpressionError as error:
        error.under(key)
        raise


def object_run(parts: dict[str | int, Compiled]) -> Run:
    entries = [(key, each.leaf) for key, each in parts.items()]

    def run(names: Names, budget: Budget) -> Json:
        result = {}
        key: str | int = ""
        try:
            for key, leaf in entries:
                result[key] = leaf(names, budget)
        except ExpressionError as error:
            parts[key].locate(error)
            error.under(key)
            raise
        return result

    return run


def list_run(parts: dict[str | int, Compiled]) -> Run:
    run = object_run(parts)
    return lambda names, budget: list(run(names, budget).values())


def compile_text(text: str) -> Compiled:
    return compile_cached(text) if len(text) <= SOURCE else compile_pieces(text)


@lru_cache(CACHED)
def compile_cached(text: str) -> Compiled:
    return compile_pieces(text)


def compile_pieces(text: str) -> Compiled:
    pieces: list[Piece] = []
    try:
        pieces = split(text)
        if pieces == [Piece(Kind.TEXT, text, 0)]:
            return constant(text)
        compiler = Compiler()
        run, leaf, is_path = build(compiler, parse(pieces), single=[each.kind for each in pieces] == [Kind.EXPRESSION])
    except ExpressionError as error:
        locate(error, text, pieces)
        raise
    except RecursionError:
        too_deep = ExpressionError("too_deep")
        locate(too_deep, text, pieces)
        raise too_deep from None
    return Compiled(
        text,
        run,
        leaf=leaf,
        pieces=pieces,
        references=frozenset(compiler.references),
        required=frozenset(compiler.required),
        paths=frozenset(compiler.paths),
        is_path=is_path,
    )


def build(compiler: Compiler, body: list[nodes.Node], *, single: bool) -> tuple[Run, Leaf, bool]:
    """How to evaluate a text alone, how as a part of something larger, and whether it is a mere look-up."""
    if single:
        output = body[0]
        assert isinstance(output, nodes.Output)
        run = compiler.expression(output.nodes[0])
        if isinstance(run, Path):
            return run.run, referenced(run.run), True
        return weighed(run), weighed(run), False
    if len(body) == 1 and isinstance(body[0], nodes.Output):
        parts = compile_parts(compiler, body[0])
        return (
            (lambda names, budget: join(parts, names, budget)),
            (lambda names, budget: join(parts, names, budget)),
            False,
        )
    write = compile_body(compiler, body)

    def run_tags(names: Names, budget: Budget) -> Json:
        out: list[str] = []
        write(Scope(names), budget, out)
        return "".join(out)

    return run_tags, run_tags, False


def weighed(run: Run) -> Run:
    def weigh(names: Names, budget: Budget) -> Json:
        value = run(names, budget)
        budget.weigh(value)
        return value

    return weigh


def referenced(run: Run) -> Run:
    def weigh(names: Names, budget: Budget) -> Json:
        value = run(names, budget)
        budget.weigh_reference(value)
        return value

    return weigh


def locate(error: ExpressionError, text: str, pieces: list[Piece]) -> None:
    number = error.piece or (1 if len(pieces) == 1 else 0)
    if 0 < number <= len(pieces):
        piece = pieces[number - 1]
        error.locate(piece.source, line=line_at(text, piece.start))
    else:
        error.locate(text, line=1)


def evaluate(template: Json, names: Mapping[str, Json], *, budget: Budget | None = None) -> Json:
    """The value of a template. ExpressionError."""
    return compile_value(template).evaluate(names, budget=budget)


def evaluate_text(template: str, names: Mapping[str, Json], *, budget: Budget | None = None) -> str:
    """The value of a template as text, always: for addresses, headers, parameters. ExpressionError."""
    return compile_value(template).text(names, budget=budget)


def has_expression(text: str) -> bool:
    """Whether a text is more than itself. A broken expression is one too."""
    try:
        return not compile_value(text).is_constant
    except ExpressionError:
        return True


def problems(template: Json) -> list[ExpressionError]:
    """All that cannot be read in a template, each with its `path`: for a draft, where the first is not enough."""
    return list(find_problems(template, 0))


def find_problems(template: Json, depth: int) -> Iterator[ExpressionError]:
    if isinstance(template, list | dict) and depth < DATA_DEPTH:
        for key, inner in template.items() if isinstance(template, dict) else enumerate(template):
            for error in find_problems(inner, depth + 1):
                error.under(key)
                yield error
        return
    try:
        compile_any(template, depth)
    except ExpressionError as error:
        yield error
