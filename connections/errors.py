"""What can go wrong with a connection, in words."""

from lib.errors import Words, gettext_noop, register

register(
    {
        "no_connection": Words(
            gettext_noop("There is no connection “{connection}” in this workspace."),
            gettext_noop("Choose another connection in the step, or create one with this name."),
            button="edit_step",
        ),
        "destination_not_allowed": Words(
            gettext_noop("The connection “{name}” may not send its keys to {host}."),
            gettext_noop("Add the host to “Where the keys may go” in the connection's settings if you trust it."),
            button="open_connection",
        ),
        "destination_not_allowed.unencrypted": Words(
            gettext_noop("The connection “{name}” may not send its keys to {host} without encryption."),
            gettext_noop(
                "Write https:// in the step. If the service has no encryption, write http:// in the connection's "
                "base address."
            ),
            button="edit_step",
        ),
        "reauthorization_needed": Words(
            gettext_noop("The connection “{name}” needs to be authorized again."),
            gettext_noop("Open the connection and press “Authorize again”. What waits will go on by itself."),
            button="reconnect",
        ),
        "reauthorization_needed.not_connected": Words(
            gettext_noop("The connection “{name}” has not been authorized yet."),
            gettext_noop("Open the connection and press “Save and authorize”. What waits will go on by itself."),
            button="reconnect",
        ),
        "reauthorization_needed.misconfigured": Words(
            gettext_noop("The service refuses the settings of the connection “{name}”."),
            gettext_noop("Open the connection, correct its settings and authorize again."),
            button="open_connection",
        ),
        "reauthorization_needed.no_refresh_token": Words(
            gettext_noop("The access token of “{name}” has expired, and the service gave no refresh token."),
            gettext_noop("Authorize again. Ask for offline access, so that the token can be renewed by itself."),
            button="reconnect",
        ),
        "token_refused": Words(
            gettext_noop("{host} refused to give a token: {error}."),
            gettext_noop("{description}"),
            button="open_connection",
        ),
        "token_refused.invalid_grant": Words(
            gettext_noop("{host} has withdrawn the access: {error}."),
            gettext_noop(
                "This happens when access was revoked, the password was changed, the token was not used for long, "
                "or a Google application is still in Testing (7 days). Authorize again."
            ),
            button="reconnect",
        ),
        "token_refused.invalid_client": Words(
            gettext_noop("{host} does not know this Client ID, or the Client Secret is wrong: {error}."),
            gettext_noop("Copy the Client ID and the Client Secret from the service's console once more."),
            button="open_connection",
        ),
        "token_refused.redirect": Words(
            gettext_noop("{host} refused the redirect URL: {error}."),
            gettext_noop("Register the address of field 16 at the service, exactly as it is shown."),
            button="open_connection",
        ),
        "token_refused.status": Words(
            gettext_noop("{host} answered {status} instead of a token."),
            gettext_noop("Check the token URL, its method and data type, and the service's documentation."),
            button="open_connection",
        ),
        "token_answer_unreadable": Words(
            gettext_noop("{host} answered {status}, but there is no access token in the answer."),
            gettext_noop("If the service puts it elsewhere, write its path into field 10."),
            button="open_connection",
        ),
        "token_refresh_busy": Words(
            gettext_noop("The token of “{name}” is being renewed right now."),
            gettext_noop("It will be tried again by itself."),
        ),
        "token_refresh_paused": Words(
            gettext_noop("The token of “{name}” could not be renewed: the service does not answer as it should."),
            gettext_noop("We try again by ourselves at growing intervals. The connection stays connected."),
            button="open_connection",
        ),
        "connection_throttled": Words(
            gettext_noop("The service asks to wait before anything more is sent through “{name}”."),
            gettext_noop("Nothing has to be done: it goes on by itself as soon as the service takes requests again."),
            button="open_connection",
        ),
        "connection_busy": Words(
            gettext_noop("As many requests are under way through “{name}” as its settings allow at once."),
            gettext_noop("It goes on by itself as soon as one of them ends."),
            button="open_connection",
        ),
        "secret_needed": Words(
            gettext_noop("An address, the client ID or a template with keys was changed: enter the secret again."),
            gettext_noop("Otherwise somebody could send the stored secret to a server of their own."),
            button="open_connection",
        ),
        "bad_state": Words(
            gettext_noop("This authorization cannot be finished: its one-time code is unknown, used or too old."),
            gettext_noop("Open the connection and press “Save and authorize” again, in the same browser."),
            button="open_connection",
        ),
        "authorization_refused": Words(
            gettext_noop("Access was not granted in the service's window."),
            gettext_noop("Nothing has changed. You can authorize whenever you like."),
            button="reconnect",
        ),
        "authorization_failed": Words(
            gettext_noop("The service did not authorize: {error}."),
            gettext_noop("{description}"),
            button="open_connection",
        ),
        "authorization_unsupported": Words(
            gettext_noop("A connection of this type needs no authorization."),
            gettext_noop("Its key is entered in its settings."),
            button="open_connection",
        ),
        "in_use": Words(gettext_noop("It is still used."), gettext_noop("Remove it from where it is used first.")),
        "in_use.connection": Words(
            gettext_noop("The connection “{name}” is used by scenarios: {names}."),
            gettext_noop("Choose another connection in them first."),
        ),
        "secrets_unreadable": Words(
            gettext_noop("The keys of the connection “{name}” cannot be decrypted."),
            gettext_noop("Restore the secret key of this installation, or enter the keys again."),
            button="open_connection",
        ),
    }
)
