"""What a repeat takes over of the old run, in every place where a step may stand."""

from typing import Any

import pytest

from lib.errors import UserError
from scenarios.document import Document, parse
from scenarios.paths import way
from scenarios.takeover import Fact, Takeover, stopped_at, take_over


def step(key: str, action: str = "data.set", **more: Any) -> dict[str, Any]:
    return {"key": key, "action": action, **more}


def document(*steps: dict[str, Any], **more: Any) -> Document:
    return parse({"name": "n", "trigger": {"type": "manual"}, "steps": list(steps), **more})


NESTED = document(
    step("s2"),
    step(
        "s3",
        "flow.branch",
        branches=[
            {"name": "Нет", "when": False, "steps": [step("s9")]},
            {
                "name": "Да",
                "steps": [
                    step("s4"),
                    step("s5", "flow.for_each", steps=[step("s6"), step("s7", on_error={"steps": [step("s8")]})]),
                    step("s10"),
                ],
            },
        ],
    ),
    step("s11"),
    on_error={"steps": [step("s12"), step("s13")]},
)
INPUTS = {"s3": {"branch": 1, "name": "Да"}, "s3/s5": {"items": [1, 2, 3, 4], "parallel": 1, "on_item_error": "stop"}}


def facts(*ended: str, **others: str) -> dict[str, Fact]:
    return {path: Fact("succeeded") for path in ended} | {path: Fact(status) for path, status in others.items()}


def taken(start_at: str, known: dict[str, Fact], new: Document = NESTED, **more: Any) -> Takeover:
    inputs = more.pop("inputs", INPUTS)
    return take_over(new, NESTED, known, start_at, inputs_of=inputs.get, **more)


IN_LOOP = facts(
    "s2", "s3/s4", "s3/s5[0]/s6", "s3/s5[0]/s7", "s3/s5[1]/s6",
    **{"s3": "failed", "s3/s5": "failed", "s3/s5[1]/s7": "failed"}
)  # fmt: skip


@pytest.mark.parametrize("path", ["s2", "s3/s9", "s3/s4", "s3/s5", "s3/s5[7]/s6", "s3/s5[0]/s7!/s8", "s11", "!/s12"])
def test_a_path_leads_to_its_step(path: str) -> None:
    places = way(NESTED, path)
    assert places[-1].path == path


@pytest.mark.parametrize(
    "path",
    ["", "/", "s99", "s2/s4", "s3[0]/s4", "s3/s5/s6", "s3/s5[0]", "s3/", "s3!/s4", "s7", "!", "!/s2", "s3/s5[x]/s6",
     "s3/s5[0]/s7!", "/s2", "s2\x00", "s3/s5[" + "9" * 400 + "]/s6"],
)  # fmt: skip
def test_a_path_that_leads_nowhere_says_so(path: str) -> None:
    assert way(NESTED, path) == ()


def test_from_a_step_in_a_pass_everything_before_it_is_taken_over() -> None:
    found = taken("s3/s5[1]/s7", IN_LOOP)
    assert set(found.kept) == {"s2", "s3/s4", "s3/s5[0]/s6", "s3/s5[0]/s7", "s3/s5[1]/s6"}
    assert found.entered == {"s3": {"branch": 1, "name": "Да"}, "s3/s5": None}


def test_from_the_loop_itself_none_of_its_passes_is_taken_over() -> None:
    found = taken("s3/s5", IN_LOOP)
    assert (set(found.kept), list(found.entered)) == ({"s2", "s3/s4"}, ["s3"])


def test_of_a_loop_in_order_the_later_passes_are_done_again() -> None:
    known = IN_LOOP | facts("s3/s5[2]/s6", "s3/s5[2]/s7")
    assert not [path for path in taken("s3/s5[1]/s7", known).kept if "[2]" in path]


def test_of_a_parallel_loop_the_later_passes_are_taken_over_as_far_as_they_came() -> None:
    known = IN_LOOP | facts("s3/s5[2]/s6", "s3/s5[2]/s7", "s3/s5[3]/s6", **{"s3/s5[3]/s7": "waiting"})
    inputs = {**INPUTS, "s3/s5": {**INPUTS["s3/s5"], "parallel": 4}}
    kept = taken("s3/s5[1]/s7", known, inputs=inputs).kept
    assert {path for path in kept if "[2]" in path or "[3]" in path} == {"s3/s5[2]/s6", "s3/s5[2]/s7", "s3/s5[3]/s6"}


def test_a_pass_that_failed_stays_failed_where_the_loop_goes_on_after_failures() -> None:
    known = facts("s2", "s3/s5[1]/s6", **{"s3": "failed", "s3/s5": "failed", "s3/s5[0]/s6": "failed"})
    inputs = {**INPUTS, "s3/s5": {**INPUTS["s3/s5"], "on_item_error": "continue"}}
    assert "s3/s5[0]/s6" in taken("s3/s5[1]/s7", known, inputs=inputs).kept
    assert "s3/s5[0]/s6" not in taken("s3/s5[1]/s7", known).kept


def test_from_a_handler_the_failure_itself_is_taken_over() -> None:
    known = IN_LOOP | {"s3/s5[1]/s7!/s8": Fact("failed")}
    found = taken("s3/s5[1]/s7!/s8", known)
    assert "s3/s5[1]/s7" in found.kept
    assert "s3/s5[1]/s7!/s8" not in found.kept


def test_from_the_run_wide_handler_the_whole_run_is_taken_over() -> None:
    known = IN_LOOP | facts("!/s12", **{"!/s13": "failed"})
    found = taken("!/s13", known, failed_at="s3/s5[1]/s7")
    assert set(found.kept) == set(IN_LOOP) | {"!/s12"}
    assert found.entered == {}


def test_a_failure_that_a_step_passes_over_is_taken_over() -> None:
    both = document(step("s2", on_error="continue"), step("s3"))
    known = {"s2": Fact("failed"), "s3": Fact("failed")}
    assert take_over(both, both, known, "s3", inputs_of={}.get).kept == ["s2"]
    strict = document(step("s2"), step("s3"))
    assert take_over(strict, both, known, "s3", inputs_of={}.get).kept == []


def test_a_filter_that_ended_the_run_is_asked_again() -> None:
    known = facts("s2", "s11", **{"s3": "succeeded"})
    assert "s2" not in taken("s11", known, ended_at="s2").kept


def test_only_steps_that_do_the_same_in_the_new_version_are_taken_over() -> None:
    new = document(step("s2", "http.request"), step("s4"), step("s11"))
    old = document(step("s2"), step("s3"), step("s4"), step("s11"))
    assert take_over(new, old, facts("s2", "s3", "s4"), "s11", inputs_of={}.get).kept == ["s4"]


def test_a_branch_that_moved_is_entered_where_it_is_now() -> None:
    moved = document(
        step("s2"), step("s3", "flow.branch", branches=[{"name": "Да, точно", "steps": [step("s4"), step("s10")]}])
    )
    found = taken("s3/s10", facts("s2", "s3/s4", **{"s3": "failed"}), moved)
    assert found.entered == {"s3": {"branch": 0, "name": "Да, точно"}}


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("s99", {}),
        ("s3/s9", {}),  # the branch that was not taken
        ("s3/s5[4]/s6", {}),  # four items only
        ("!/s12", {}),  # the run did not fail at a step
        ("s3/s5[0]/s7!/s8", {}),  # the step did not fail
    ],
)
def test_a_step_that_cannot_be_started_at_is_refused(path: str, more: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="no_such_step") as refused:
        taken(path, IN_LOOP, **more)
    assert "s3/s5[1]/s7" in refused.value.params["there"]


def test_a_step_that_the_new_version_has_no_more_is_refused() -> None:
    with pytest.raises(UserError, match="no_such_step"):
        taken("s3/s5[1]/s7", IN_LOOP, document(step("s2")))


@pytest.mark.parametrize(
    ("known", "failed_at", "found"),
    [
        (IN_LOOP, "s3/s5[1]/s7", "s3/s5[1]/s7"),
        (facts("s2", **{"s3": "running", "s3/s4": "running"}), "", "s3/s4"),
        (facts("s2", "s3/s4", **{"s3": "cancelled"}), "", "s3/s5"),
        (facts("s2", "s3/s4", "s3/s5[0]/s6", **{"s3": "failed", "s3/s5": "cancelled"}), "", "s3/s5[0]/s7"),
        (facts("s2", "s3/s4", "s3/s5[0]/s6", "s3/s5[0]/s7", **{"s3": "failed", "s3/s5": "failed"}), "", "s3/s5[1]/s6"),
        (facts("s2", **{"s3": "running"}), "", "s3"),
        (facts("s2"), "", "s3"),
        ({}, "", None),
        ({"s2": Fact("running")}, "", None),
    ],
)
def test_where_a_run_stopped_is_found(known: dict[str, Fact], failed_at: str, found: str | None) -> None:
    assert stopped_at(NESTED, known, failed_at) == found
