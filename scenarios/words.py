"""The errors of scenarios and runs in words: what happened, and what to do."""

from lib.errors import Words, register
from lib.errors import gettext_noop as _

register(
    {
        "invalid_document": Words(_("The scenario has mistakes."), _("Mend the places listed and save again.")),
        "invalid_document.unknown_key": Words(_("There is no “{name}” here."), _("It may be one of: {there}.")),
        "invalid_document.missing_key": Words(_("“{name}” is missing."), _("Add it here.")),
        "invalid_document.not_a_list": Words(_("This must be a list."), _("Write it in square brackets: […].")),
        "invalid_document.not_an_object": Words(
            _("This must be an object with names and values."), _("Write it in curly brackets: {…}.")
        ),
        "invalid_document.not_a_text": Words(_("This must be a text."), _("Put it in quotation marks.")),
        "invalid_document.not_a_number": Words(
            _("This must be a number from {least} to {most}."), _("Write it in digits, without quotation marks.")
        ),
        "invalid_document.not_one_of": Words(_("This must be one of: {there}.")),
        "invalid_document.too_many_steps": Words(_("A scenario has at most {most} steps."), _("Split it in two.")),
        "invalid_document.too_deep": Words(
            _("Steps stand within steps at most {most} deep."), _("Move the inner ones to a scenario of their own.")
        ),
        "invalid_document.not_a_condition": Words(
            _("A condition is an expression, or true or false."),
            _("For example: {{ s2.status == 200 }}"),
            button="edit_step",
        ),
        "invalid_document.not_an_error": Words(
            _("This names no error."), _("Write a status such as 429 or 5xx, or a code such as upstream_timeout.")
        ),
        "invalid_document.no_branches": Words(
            _("A router needs at least one branch."), _("Add a branch."), button="edit_step"
        ),
        "invalid_document.never_reached": Words(
            _("No run comes to this branch: the one before it always matches."),
            _("Put it above that one."),
            button="edit_step",
        ),
        "invalid_document.too_large": Words(
            _("The scenario is too large: it may have at most {most_kb} kB of JSON and {most} expressions."),
            _("Split it in two, or fetch large texts by a step."),
        ),
        "invalid_document.bad_key": Words(
            _("“{name}” cannot be a step's key."), _("A key begins with a small letter; letters, digits and _ follow.")
        ),
        "invalid_document.repeated_key": Words(
            _("The key “{name}” is taken by another step."), _("Give this step another key.")
        ),
        "invalid_document.reserved_key": Words(
            _("The name “{name}” has a meaning of its own."), _("Choose another name.")
        ),
        "invalid_document.unknown_action": Words(
            _("There is no action “{name}”."), _("Replace the step with another action."), button="edit_step"
        ),
        "invalid_document.unknown_trigger": Words(_("There is no trigger “{name}”."), _("It may be one of: {there}.")),
        "invalid_document.unknown_connection": Words(
            _("There is no connection “{name}” in this workspace."),
            _("Choose another one, or make it first."),
            button="edit_step",
        ),
        "invalid_document.connection_needed": Words(
            _("This step needs a connection."), _("Choose one."), button="edit_step"
        ),
        "invalid_document.connection_unused": Words(
            _("This step takes no connection."), _("Take the connection out of the step."), button="edit_step"
        ),
        "invalid_document.not_before": Words(
            _("“{name}” is not a step before this one."),
            _("A step sees the results of the steps above it: {there}."),
            button="edit_step",
        ),
        "invalid_document.wrong_trigger": Words(
            _("This step works only under the trigger “{there}”."),
            _("Choose that trigger, or delete the step."),
            button="edit_step",
        ),
        "invalid_document.unknown_timezone": Words(
            _("There is no time zone “{name}”."), _("Zones are named like Europe/Moscow.")
        ),
        "unknown_outcome": Words(
            _("Nobody knows whether this step had its effect: the request may have arrived, its answer did not."),
            _("Look at the service, then choose: consider it done, or send it again."),
            button="decide",
        ),
        "poison": Words(
            _("The run took its worker down {attempts} times and was stopped."),
            _("The scenario is paused. Look at the last step that began; a very large value is the usual cause."),
            button="open_run",
        ),
        "filtered": Words(
            _("The filter let nothing through."), _("Its condition was not true; nothing is to be done.")
        ),
        "stopped": Words(_("The scenario stopped itself: {message}")),
        "stopped.silent": Words(_("The scenario stopped itself.")),
        "no_delay": Words(
            _("Neither the seconds nor the moment has a value."),
            _("Fill in one of them in this step."),
            button="edit_step",
        ),
        "child_failed": Words(
            _("The scenario that this step called did not succeed: {how}."),
            _("Open its run: it says what happened."),
            button="open_run",
        ),
        "too_deep": Words(
            _("Scenarios have called one another {most} times within each other."),
            _("Look for two scenarios that call each other, or for one that calls itself."),
            button="edit_step",
        ),
        "scenario_not_callable": Words(
            _("The scenario “{name}” cannot be called: there is none, or it was never published."),
            _("Choose another one in this step, or publish that one."),
            button="edit_step",
        ),
        "not_a_list": Words(
            _("This step goes through a list, but got {got}."),
            _("Choose a list, for example the items of an answer."),
            button="edit_step",
        ),
        "loop_detected": Words(
            _("The scenario kept starting itself and was paused."),
            _("Look for a step that sends to its own webhook; then switch the scenario on again."),
            button="edit_step",
        ),
        "deadline": Words(
            _("The run took longer than it may."), _("Split the scenario, or run it again."), button="retry"
        ),
        "cancelled": Words(_("The run was cancelled."), _("Repeat it if that was a mistake."), button="retry"),
        "internal": Words(
            _("Something went wrong on our side."),
            _("It has been recorded. Try again; if it stays, tell us the run."),
            button="retry",
        ),
        "run_ended": Words(_("The run has ended already."), _("Its page shows how."), button="open_run"),
        "run_goes_on": Words(
            _("The run is still under way."), _("Wait for its end or stop it, then repeat it."), button="open_run"
        ),
        "not_under_review": Words(
            _("This run does not wait for a decision."), _("Its page shows how it stands."), button="open_run"
        ),
        "not_published": Words(_("The scenario has not been published yet."), _("Publish it first."), button="publish"),
        "body_not_kept": Words(
            _("The body of this delivery is not kept."),
            _("Ask the sender to send it again. Of refused deliveries no body is kept, and old ones are tidied away."),
        ),
        "run_goes_on.awaited": Words(
            _("Another run waits for this one."),
            _("Decide here how this one goes on, or stop it; or repeat the run that called it."),
        ),
        "already_retried": Words(
            _("This run has been repeated already."), _("The repeat is under way, or has succeeded.")
        ),
        "data_not_kept": Words(
            _("The data of this run is no longer kept."),
            _("Start the scenario anew. How long data is kept, the workspace's settings say."),
        ),
        "stale_revision": Words(
            _("Somebody has changed the scenario in the meantime."), _("Load it anew and repeat your change.")
        ),
        "no_such_step": Words(_("There is no step “{name}”."), _("It may be one of: {there}.")),
        "over_limit": Words(
            _("Too many runs of this workspace are waiting."), _("Send it again after the time in Retry-After.")
        ),
    }
)
