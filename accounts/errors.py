"""The errors of signing in, roles and members in words: what happened, and what to do."""

from lib.errors import Words, register
from lib.errors import gettext_noop as _

register(
    {
        "unauthenticated": Words(
            _("This needs signing in."), _("Send a valid API token: Authorization: Bearer apn_…, or sign in.")
        ),
        "unauthenticated.token": Words(
            _("The API token is not valid: it is unknown, revoked or expired."), _("Make a new one in the settings.")
        ),
        "forbidden": Words(_("Your role does not allow this."), _("Ask an owner of the workspace.")),
        "forbidden.no_workspace": Words(
            _("You belong to no workspace."), _("Make one, or ask a colleague for an invitation.")
        ),
        "forbidden.csrf": Words(_("The page is out of date."), _("Reload it and try again.")),
        "forbidden.role_too_high": Words(
            _("A token cannot have a higher role than you do."), _("Choose “{role}” or a lower one.")
        ),
        "forbidden.token": Words(
            _("This token may not do this."), _("Do it in the cabinet, or use a token with the owner’s role.")
        ),
        "not_found": Words(_("There is nothing here."), _("It may have been deleted, or belong to another workspace.")),
        "method_not_allowed": Words(_("This address does not take {method} requests."), _("It takes: {allowed}.")),
        "unsupported_media_type": Words(
            _("The body must be JSON."), _("Send it with the header Content-Type: application/json.")
        ),
        "not_acceptable": Words(_("The answer can only be JSON."), _("Leave out the header Accept.")),
        "too_large": Words(_("The body is larger than {limit} bytes."), _("Send less at once.")),
        "invalid_json": Words(
            _("The body is not JSON that can be read: {why}."), _("Check brackets, quotes and commas.")
        ),
        "too_many_requests": Words(_("Too many requests."), _("Try again in {seconds} seconds.")),
        "too_many_requests.invitations": Words(
            _("Too many invitations were sent today."), _("Send the next ones tomorrow.")
        ),
        "too_many_requests.recipient": Words(
            _("{email} has been invited several times today."), _("The next invitation can be sent tomorrow.")
        ),
        "unavailable": Words(_("Something went wrong on our side."), _("Try again in {seconds} seconds.")),
        "last_owner": Words(_("The workspace must keep at least one owner."), _("Make somebody else an owner first.")),
        "already_member": Words(
            _("{email} is a member of this workspace already."), _("Change the role in the list of members.")
        ),
        "invitation_ended": Words(
            _("This invitation is no longer valid."), _("It was used, withdrawn or too old. Ask for a new one.")
        ),
        "setup_link_ended": Words(
            _("This link has been used, or a newer one has replaced it."),
            _("If nobody has an account yet, start APInita again: it prints a new link."),
        ),
        "wrong_account": Words(
            _("This invitation is for {email}."), _("Sign out and open the link again with that account.")
        ),
        "key_changed": Words(
            _(
                "The secret key “{key_id}” is not the one that this database was used with: "
                "put the old key back, or give the new key another name."
            )
        ),
        "key_missing": Words(
            _(
                "The secret key “{key_id}” is missing and {count} secrets are sealed with it: "
                "put it back into APINITA_SECRET_KEYS."
            )
        ),
    }
)
