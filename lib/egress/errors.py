"""What can go wrong on the way out: the words, and one function for each failure.

No text and no parameter holds an address that the user did not write: those go to the operator's log only.
"""

from lib.errors import Json, UserError, Words, fill, gettext_noop, register

WORDS = {
    "invalid_input": Words(gettext_noop("{field}: {message}")),
    "invalid_input.url_scheme": Words(
        gettext_noop("The address must begin with https:// or http://."),
        gettext_noop("Write the whole address, for example https://api.example.com/v1/orders."),
    ),
    "invalid_input.url_host": Words(
        gettext_noop("The address has no valid host name: “{host}”."),
        gettext_noop("The host is the part between // and the next slash, for example api.example.com."),
    ),
    "invalid_input.url_number": Words(
        gettext_noop("“{host}” is not a complete IP address."),
        gettext_noop("Write it as four numbers from 0 to 255, for example 93.184.215.14."),
    ),
    "invalid_input.url_port": Words(
        gettext_noop("“{port}” is not a port."), gettext_noop("A port is a number from 1 to 65535.")
    ),
    "invalid_input.url_login": Words(
        gettext_noop("The address must not contain a login or a password."),
        gettext_noop("Put them into a connection of the type “Login and password” and choose it in the step."),
    ),
    "invalid_input.url_character": Words(
        gettext_noop("The address contains a character that is not allowed in it: {character}."),
        gettext_noop("Write a space as %20; put values in with the filter url_encode."),
    ),
    "invalid_input.url_too_long": Words(
        gettext_noop("The address is longer than {limit} characters."),
        gettext_noop("Send what is long in the body, with another method."),
    ),
    "invalid_input.method": Words(
        gettext_noop("“{method}” is not a method that can be sent."),
        gettext_noop("Choose one such as GET, POST, PUT, PATCH or DELETE."),
    ),
    "invalid_input.header_name": Words(
        gettext_noop("“{header}” cannot be the name of a header."),
        gettext_noop("A name consists of Latin letters, digits and hyphens, for example X-Request-Id."),
    ),
    "invalid_input.header_value": Words(
        gettext_noop("The value of the header {header} contains a line break or another control character."),
        gettext_noop("Remove it, for example with the filter trim."),
    ),
    "invalid_input.header_letters": Words(
        gettext_noop("The value of the header {header} contains “{character}”, which a header cannot carry."),
        gettext_noop(
            "Headers carry Latin letters only. Use the filter url_encode or base64_encode, or send it in the body."
        ),
    ),
    "invalid_input.header_reserved": Words(
        gettext_noop("The header {header} cannot be set: it belongs to the transfer itself."),
        gettext_noop("Remove it. What it needs to say is written from the address and the body."),
    ),
    "destination_blocked": Words(
        gettext_noop("Requests to {destination} are not allowed."),
        gettext_noop(
            "Private and internal addresses are closed. If this is a server of yours, whoever runs APInita "
            "can open it: APINITA_ALLOWED_PRIVATE_HOSTS={destination}"
        ),
    ),
    "destination_blocked.port": Words(
        gettext_noop("Requests to the port {port} are not allowed."),
        gettext_noop(
            "Open ports: {ports}. Whoever runs APInita can open another: APINITA_ALLOWED_PRIVATE_HOSTS={destination}"
        ),
    ),
    "host_not_found": Words(
        gettext_noop("There is no host {host}."), gettext_noop("Check how the address is spelled.")
    ),
    "host_not_found.timeout": Words(
        gettext_noop("The host {host} could not be looked up within {seconds} s."),
        gettext_noop("Nothing was sent. Its name servers do not answer; try again later."),
        button="retry",
    ),
    "upstream_unreachable": Words(
        gettext_noop("{host} cannot be reached."),
        gettext_noop("Nothing was sent. The server is down or does not listen on this port."),
        button="retry",
    ),
    "upstream_unreachable.certificate": Words(
        gettext_noop("The certificate of {host} cannot be trusted: {why}."),
        gettext_noop("Nothing was sent. The owner of the server has to install a valid certificate."),
        button="retry",
    ),
    "upstream_unreachable.tls": Words(
        gettext_noop("No secure connection to {host} could be made."),
        gettext_noop("Nothing was sent. Check the port, and whether the address begins with http:// or https://."),
    ),
    "upstream_unreachable.broken_off": Words(
        gettext_noop("{host} closed the connection without an answer."),
        gettext_noop("Nobody knows whether it carried out the request. Look there before repeating it."),
        button="retry",
    ),
    "upstream_timeout": Words(
        gettext_noop("{host} did not answer within {seconds} s."),
        gettext_noop("Nobody knows whether it carried out the request. Look there, or allow more time."),
        button="retry",
    ),
    "upstream_timeout.connect": Words(
        gettext_noop("{host} did not accept a connection within {seconds} s."),
        gettext_noop("Nothing was sent. The server is down, or a firewall drops the connection."),
        button="retry",
    ),
    "upstream_invalid": Words(
        gettext_noop("{host} sent an answer that cannot be read."),
        gettext_noop("The request may have been carried out. This is to be mended on the side of {host}."),
    ),
    "upstream_invalid.cut_off": Words(
        gettext_noop("The answer of {host} broke off in the middle."),
        gettext_noop("The request may have been carried out. Look there before repeating it."),
        button="retry",
    ),
    "upstream_invalid.too_large": Words(
        gettext_noop("The answer of {host} is larger than {limit_mb} MB."),
        gettext_noop("The request may have been carried out. Ask for less at a time: a page, a filter, fewer fields."),
    ),
    "upstream_invalid.headers": Words(
        gettext_noop("The answer of {host} has too many or too long headers."),
        gettext_noop("The request may have been carried out. This is to be mended on the side of {host}."),
    ),
    "upstream_invalid.encoding": Words(
        gettext_noop("{host} packed its answer in a way that was not asked for: {encoding}."),
        gettext_noop("Only gzip and deflate can be unpacked, one of them at a time."),
    ),
    "upstream_invalid.not_json": Words(
        gettext_noop("The answer of {host} is not JSON."), gettext_noop("Check the address of the request.")
    ),
    "upstream_invalid.redirects": Words(
        gettext_noop("{host} redirects further and further, or to an address that cannot be read."),
        gettext_noop("Write the final address into the step."),
    ),
    "upstream_invalid.redirect_with_body": Words(
        gettext_noop("{host} redirected the request, with its data, to another server; it was not sent there."),
        gettext_noop("If you trust that server, write its address into the step."),
    ),
    "upstream_invalid.downgrade": Words(
        gettext_noop("{host} redirected the request from https:// to the unprotected http://; it was not sent there."),
        gettext_noop("If that is meant, write the final address into the step."),
    ),
}
register(WORDS, button="edit_step")


def wrong(reason: str, *, field: str = "url", **params: Json) -> UserError:
    """What the caller gave is wrong in itself; `message` is the same in English."""
    message = fill(WORDS[f"invalid_input.{reason}"].text, params)
    return UserError("invalid_input", reason, params={"field": field, "message": message, **params})


def blocked(host: str, port: int, *, ports: frozenset[int] | None = None) -> UserError:
    """Policy forbids the destination; with `ports` it is the port alone that does."""
    params: dict[str, Json] = {"host": host, "port": port, "destination": f"{bracketed(host)}:{port}"}
    if ports is not None:
        params["ports"] = ", ".join(str(one) for one in sorted(ports))
    return UserError("destination_blocked", "port" if ports is not None else "", params=params)


def not_found(host: str) -> UserError:
    return UserError("host_not_found", params={"host": host}, retry=True)


def lookup_timeout(host: str, seconds: float) -> UserError:
    return UserError("host_not_found", "timeout", params={"host": host, "seconds": _rounded(seconds)}, retry=True)


def unreachable(host: str, reason: str = "", *, why: str = "", unknown: bool = False) -> UserError:
    params = {"host": host, "why": why} if why else {"host": host}
    return UserError("upstream_unreachable", reason, params=params, retry=True, unknown=unknown)


def timeout(host: str, seconds: float, *, unknown: bool, connecting: bool = False) -> UserError:
    params = {"host": host, "seconds": _rounded(seconds)}
    return UserError("upstream_timeout", "connect" if connecting else "", params=params, retry=True, unknown=unknown)


def invalid(host: str, reason: str, **params: Json) -> UserError:
    """The answer is of no use, but the request was sent. Only a broken-off one may get better by itself."""
    return UserError(
        "upstream_invalid", reason, params={"host": host, **params}, retry=reason == "cut_off", unknown=True
    )


def cancelled(*, unknown: bool) -> UserError:
    """The caller has ended the request. The words are of whoever can be cancelled: a run."""
    return UserError("cancelled", unknown=unknown)


def bracketed(host: str) -> str:
    """The host as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _rounded(seconds: float) -> float:
    return int(seconds) if seconds == int(seconds) else round(seconds, 1)
