"""Renaming a step's key rewrites the references to it and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.expressions import ExpressionError, compile_value, evaluate, rename


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{{ s2.body.items }}", "{{ order.body.items }}"),
        ("<<s2>>", "<<order>>"),
        ("a {{s2}} << s2 | upper >> s2 {{ s22 }}", "a {{order}} << order | upper >> s2 {{ s22 }}"),
        ("{{ x.s2 }} {{ s2.s2 }} {{ a['s2'] }} {{ 's2' }}", "{{ x.s2 }} {{ order.s2 }} {{ a['s2'] }} {{ 's2' }}"),
        ("{{ a[s2.i] }}{{ s2[s2.k] }}", "{{ a[order.i] }}{{ order[order.k] }}"),
        ("{{ f is s2 }}", "{{ f is s2 }}"),
        ("{{ x | default(s2, s2=s2) }}", "{{ x | default(s2, s2=s2) }}"),
        ("{{ x | default(default_value=s2.a) }}", "{{ x | default(default_value=order.a) }}"),
        ("{{ {'s2': s2} }}", "{{ {'s2': order} }}"),
        ("{{ 1 if s2 else 2 }}{{ not s2 }}", "{{ 1 if order else 2 }}{{ not order }}"),
        ("{% if s2.ok %}s2{% endif %}", "{% if order.ok %}s2{% endif %}"),
        ("{% for e in s2.body %}{{ e.s2 }}{% endfor %}", "{% for e in order.body %}{{ e.s2 }}{% endfor %}"),
        ("{% for s2 in x %}{{ s2 }}{% endfor %}", "{% for s2 in x %}{{ s2 }}{% endfor %}"),
        ("{% set s2 = s2.a %}{{ s2 }}", "{% set order = order.a %}{{ order }}"),
        ("{% raw %}{{ s2 }}{% endraw %}{# s2 #}", "{% raw %}{{ s2 }}{% endraw %}{# s2 #}"),
        ("\r\n\t{{  s2 . a  }}\r\n", "\r\n\t{{  order . a  }}\r\n"),
        ("{{ s2.1.s2 }}{{ s2 == s2 }}", "{{ order.1.s2 }}{{ order == order }}"),
        ("s2 << b", "s2 << b"),
        ("{{ s2 | (broken }}", "{{ s2 | (broken }}"),
        (
            {"s2": ["{{ s2 }}", 5, None, {"s2": "<< s2.x >>"}]},
            {"s2": ["{{ order }}", 5, None, {"s2": "<< order.x >>"}]},
        ),
    ],
)
def test_references_are_rewritten(before, after):
    assert rename(before, "s2", "order") == after


def test_a_name_that_the_text_binds_itself_is_not_given_away():
    with pytest.raises(ExpressionError) as caught:
        rename("{% for order in x %}{{ s2 }}{{ order }}{% endfor %}", "s2", "order")
    assert caught.value.reason == "name_taken"


@given(
    st.lists(
        st.sampled_from(
            [
                "{{ s2.a }}",
                "<< s2.b >>",
                "{{ x ~ s2.a }}",
                "{{ 's2' }}",
                " s2 ",
                "{{",
                "<<",
                "}}",
                "{% if s2 %}y{% endif %}",
            ]
        ),
        max_size=8,
    )
)
def test_a_renamed_template_means_the_same(parts):
    template = "".join(parts)
    names = {"s2": {"a": 1, "b": [2]}, "x": "x"}
    try:
        value = evaluate(template, names)
    except ExpressionError:
        return
    renamed = rename(template, "s2", "order")
    assert evaluate(renamed, {"order": names["s2"], "x": "x"}) == value
    assert "s2" not in compile_value(renamed).references
    assert rename(renamed, "order", "s2") == template
