"""Expressions in templates: `{{ s2.body.items | length }}`, `<< s1.body.email >>`.

Jinja's grammar over JSON values. A text that is exactly one placeholder keeps the type of its value, any other becomes
text; texts inside objects and lists are templates too. What is looked up is never a template itself. docs/format.md.
"""

from lib.expressions.budget import Budget
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers import HELPERS, KINDS, Helper
from lib.expressions.renaming import rename
from lib.expressions.template import Compiled, compile_value, evaluate, evaluate_text, has_expression, problems

__all__ = [
    "HELPERS",
    "KINDS",
    "Budget",
    "Compiled",
    "ExpressionError",
    "Helper",
    "compile_value",
    "evaluate",
    "evaluate_text",
    "has_expression",
    "problems",
    "rename",
]
