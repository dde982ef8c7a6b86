"""What expressions cost: microseconds per evaluation and per compilation. `python bench/expressions.py [--json]`."""

import json
import sys
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib.expressions import compile_value, evaluate
from lib.expressions.template import compile_pieces

EVENT = {
    "id": "e1",
    "summary": "Встреча",
    "attendees": [{"email": "a@b.ru"}],
    "start": {"dateTime": "2026-11-24T09:30:00+03:00"},
}
NAMES = {"s1": {"body": {"email": "A@B.RU", "amount": 1990}}, "s2": {"status": 200, "body": {"items": [EVENT] * 250}}}

TEMPLATES = {
    "path": "{{ s2.body.items }}",
    "path, angled": "<< s1.body.email >>",
    "text with two fields": "{{ s1.body.email }}: {{ s1.body.amount }} ₽",
    "two fields and a filter": "{{ s1.body.email | lower }}: {{ s1.body.amount }} ₽",
    "arithmetic": "{{ s1.body.amount * 1.2 + 100 }}",
    "condition": "{{ s2.body.items | length > 0 }}",
    "default": "{{ s1.body.phone | default('—') }}",
    "date": "{{ s2.body.items[0].start.dateTime | date_modify('+45 minutes') | date('%d.%m.%Y %H:%M') }}",
    "map over 250": "{{ s2.body.items | map(attribute='summary') | join(', ') }}",
    "loop over 250": "{% for e in s2.body.items %}{{ loop.index }}. {{ e.summary }}\n{% endfor %}",
    "object of five fields": {
        "calendar_id": "primary",
        "summary": "Заявка: {{ s1.body.email }}",
        "start": "{{ s2.body.items[0].start.dateTime }}",
        "end": "{{ s2.body.items[0].start.dateTime | date_modify('+1 hour') }}",
        "n": "{{ s1.body.amount }}",
    },
    "object of one big list": {"items": "{{ s2.body.items }}"},
    "no expression": "primary",
}


def microseconds(call: object) -> float:
    """The best of five rounds of about 50 ms each."""
    timer = timeit.Timer(call)  # type: ignore[arg-type]
    number = max(1, timer.autorange()[0] // 4)
    return min(timer.repeat(5, number)) / number * 1e6


def main() -> None:
    figures = {}
    for name, template in TEMPLATES.items():
        compiled = compile_value(template)
        figures[name] = {
            "evaluate_us": round(microseconds(lambda compiled=compiled: compiled.evaluate(NAMES)), 3),
            "evaluate_cached_us": round(microseconds(lambda template=template: evaluate(template, NAMES)), 3),
        }
        if isinstance(template, str):
            figures[name]["compile_us"] = round(microseconds(lambda template=template: compile_pieces(template)), 1)
    if "--json" in sys.argv:
        print(json.dumps(figures, ensure_ascii=False, indent=2))
        return
    print(f"{'':28}{'evaluate':>12}{'by template':>14}{'compile':>12}   µs")
    for name, row in figures.items():
        compile_us = row.get("compile_us", "")
        print(f"{name:28}{row['evaluate_us']:>12}{row['evaluate_cached_us']:>14}{compile_us:>12}")


if __name__ == "__main__":
    main()
