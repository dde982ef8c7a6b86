"""Steps that are put, moved, copied, renamed and removed anywhere in a document; branches of routers."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.errors import UserError
from scenarios import arranging
from scenarios.arranging import Home, Place
from scenarios.document import Branch, Document, Step, dump, parse


def leaf(key: str, **values: Any) -> dict[str, Any]:
    return {"key": key, "action": "data.set", "inputs": {"values": values}}


def document() -> Document:
    return parse(
        {
            "name": "x",
            "trigger": {"key": "s1", "type": "manual", "inputs": {}},
            "steps": [
                leaf("s2", n="1"),
                {
                    "key": "s3",
                    "action": "flow.branch",
                    "inputs": {},
                    "branches": [
                        {
                            "name": "A",
                            "when": "{{ s2.n > 0 }}",
                            "steps": [
                                {
                                    "key": "s4",
                                    "action": "flow.for_each",
                                    "inputs": {"items": "{{ s2.list }}"},
                                    "steps": [leaf("s5", a="{{ item }}"), leaf("s6", b="{{ s5.a }} {{ s2.n }}")],
                                    "on_error": {"steps": [leaf("s7", c="{{ error.text }}")]},
                                }
                            ],
                        },
                        {"name": "B", "steps": []},
                    ],
                },
                leaf("s8", d="{{ s2.n }}"),
            ],
            "on_error": {"steps": [leaf("s9", e="{{ error.code }}")]},
        }
    )


KEYS = ["s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]
PLACES = [
    "s1",
    *KEYS,
    "s3.branches[0].steps",
    "s3.branches[1].steps",
    "s4.steps",
    "s4.on_error.steps",
    ".steps",
    ".on_error.steps",
]


def keys(document: Document) -> list[str]:
    return [step.key for _, step in document.walk()]


def path_of(document: Document, key: str) -> str:
    return next(path for path, step in document.walk() if step.key == key)


NEW = Step("s10", "data.set")


@pytest.mark.parametrize(
    ("after", "path"),
    [
        ("", "steps[0]"),
        ("s1", "steps[0]"),
        ("s2", "steps[1]"),
        ("s8", "steps[3]"),
        ("s3.branches[0].steps", "steps[1].branches[0].steps[0]"),
        ("s4", "steps[1].branches[0].steps[1]"),
        ("s3.branches[1].steps", "steps[1].branches[1].steps[0]"),
        ("s4.steps", "steps[1].branches[0].steps[0].steps[0]"),
        ("s6", "steps[1].branches[0].steps[0].steps[2]"),
        ("s4.on_error.steps", "steps[1].branches[0].steps[0].on_error.steps[0]"),
        ("s7", "steps[1].branches[0].steps[0].on_error.steps[1]"),
        (".on_error.steps", "on_error.steps[0]"),
        ("s9", "on_error.steps[1]"),
    ],
)
def test_a_step_is_added_in_any_place(after: str, path: str) -> None:
    added = arranging.add_step(document(), NEW, after=after)
    assert path_of(added, "s10") == path
    assert [key for key in keys(added) if key != "s10"] == KEYS
    assert parse(dump(added)) == added


@pytest.mark.parametrize("after", ["s99", "s2.steps", "s3.branches[2].steps", "s2.on_error.steps", ".branches"])
def test_a_place_that_is_not_there_is_refused(after: str) -> None:
    with pytest.raises(UserError, match="no_such_step"):
        arranging.add_step(document(), NEW, after=after)


def test_a_step_moves_out_of_its_loop_and_into_another_list() -> None:
    moved = arranging.move_step(document(), "s5", after="s3.branches[1].steps")
    assert path_of(moved, "s5") == "steps[1].branches[1].steps[0]"
    assert path_of(moved, "s6") == "steps[1].branches[0].steps[0].steps[0]"  # its reference breaks: a draft's problem


def test_a_container_moves_with_all_inside() -> None:
    moved = arranging.move_step(document(), "s4", after=".on_error.steps")
    assert path_of(moved, "s6") == "on_error.steps[0].steps[1]"
    assert path_of(moved, "s7") == "on_error.steps[0].on_error.steps[0]"


@pytest.mark.parametrize(("key", "after"), [("s3", "s5"), ("s3", "s3.branches[1].steps"), ("s4", "s4.steps")])
def test_nothing_moves_into_itself(key: str, after: str) -> None:
    assert arranging.move_step(document(), key, after=after) == document()


@given(st.sampled_from(KEYS), st.sampled_from(PLACES))
def test_moving_loses_and_doubles_nothing(key: str, after: str) -> None:
    before = document()
    moved = arranging.move_step(before, key, after=after)
    assert sorted(keys(moved)) == sorted(keys(before))
    assert parse(dump(moved)) == moved
    if moved != before and "." not in after and after != "s1":
        target, place = arranging.place_of(moved, after), arranging.place_of(moved, key)
        assert place == Place(target.home, target.position + 1)


def test_up_and_down_stay_in_the_list() -> None:
    assert keys(arranging.shift_step(document(), "s6", -1))[3:5] == ["s6", "s5"]
    assert arranging.shift_step(document(), "s5", -1) == document()
    assert arranging.shift_step(document(), "s6", 1) == document()
    assert keys(arranging.shift_step(document(), "s8", -1))[:2] == ["s2", "s8"]


def test_a_step_goes_with_all_inside_it() -> None:
    assert keys(arranging.remove_step(document(), "s3")) == ["s2", "s8", "s9"]
    assert keys(arranging.remove_step(document(), "s7")) == ["s2", "s3", "s4", "s5", "s6", "s8", "s9"]
    assert keys(arranging.remove_step(document(), "s9")) == KEYS[:-1]


def test_a_copy_has_keys_of_its_own_and_refers_to_itself() -> None:
    copied, key = arranging.copy_step(document(), "s3")
    assert key == "s10"
    assert len(set(keys(copied))) == len(keys(copied))
    loop = copied.steps[2].branches[0].steps[0]
    assert (loop.key, loop.steps[0].key, loop.steps[1].key) == ("s11", "s12", "s13")
    assert loop.steps[1].inputs == {"values": {"b": "{{ s12.a }} {{ s2.n }}"}}
    assert copied.steps[2].branches[0].when == "{{ s2.n > 0 }}"
    assert isinstance(loop.on_error, tuple)
    assert loop.on_error[0].key == "s14"
    assert copied.steps[1] == document().steps[1]


def test_a_new_key_reaches_conditions_loops_and_handlers() -> None:
    renamed = arranging.rename_key(document(), "s2", "orders")
    router = renamed.steps[1]
    assert router.branches[0].when == "{{ orders.n > 0 }}"
    assert router.branches[0].steps[0].inputs == {"items": "{{ orders.list }}"}
    assert router.branches[0].steps[0].steps[1].inputs == {"values": {"b": "{{ s5.a }} {{ orders.n }}"}}
    assert renamed.step("s8").inputs == {"values": {"d": "{{ orders.n }}"}}  # type: ignore[union-attr]
    again = arranging.rename_key(renamed, "s9", "tell")
    assert again.on_error[0].key == "tell"


def test_branches_are_added_before_the_one_for_the_rest() -> None:
    added = arranging.add_branch(document(), "s3", Branch("C", "{{ 1 }}"))
    assert [branch.name for branch in added.steps[1].branches] == ["A", "C", "B"]
    removed = arranging.remove_branch(added, "s3", 0)
    assert [branch.name for branch in removed.steps[1].branches] == ["C", "B"]
    assert "s5" not in keys(removed)
    shifted = arranging.shift_branch(document(), "s3", 0, 1)
    assert [branch.name for branch in shifted.steps[1].branches] == ["B", "A"]
    assert path_of(shifted, "s5") == "steps[1].branches[1].steps[0].steps[0]"
    with pytest.raises(UserError, match="no_such_step"):
        arranging.add_branch(document(), "s2", Branch())


def test_the_way_to_a_step_names_the_lists_around_it() -> None:
    assert arranging.way_to(document(), "s6") == [
        Place(Home(), 1),
        Place(Home("s3", "branches[0].steps"), 0),
        Place(Home("s4", "steps"), 1),
    ]
    assert str(Home("s3", "branches[0].steps")) == "s3.branches[0].steps"
    assert Home("s3", "branches[12].steps").branch == 12
