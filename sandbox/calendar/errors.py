"""Calendar's errors in Google's shape: https://developers.google.com/workspace/calendar/api/guides/errors."""

from collections.abc import Iterable

from sandbox.messages import Json, Response, json_response

REALM = 'Bearer realm="https://accounts.google.com/"'
RPC_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
}
# What a planned failure of the tests says where they name a status only.
BY_STATUS = {
    400: ("badRequest", "global", "Bad Request"),
    401: ("authError", "global", "Invalid Credentials"),
    403: ("rateLimitExceeded", "usageLimits", "Rate Limit Exceeded"),
    404: ("notFound", "global", "Not Found"),
    409: ("duplicate", "global", "The requested identifier already exists."),
    410: ("fullSyncRequired", "calendar", "Sync token is no longer valid, a full sync is required."),
    412: ("conditionNotMet", "global", "Precondition Failed"),
    429: ("rateLimitExceeded", "usageLimits", "Rate Limit Exceeded"),
}


class ApiError(Exception):
    """An answer other than success. `location` names the parameter or the header that is at fault."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        domain: str = "global",
        location: str = "",
        location_type: str = "parameter",
        headers: Iterable[tuple[str, str]] = (),
        top_message: str = "",
        details: Json = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = tuple(headers)
        item: dict[str, str] = {"domain": domain, "reason": reason, "message": message}
        if location:
            item |= {"locationType": location_type, "location": location}
        self.error: dict[str, Json] = {"errors": [item], "code": status, "message": top_message or message}
        if status in RPC_STATUS:
            self.error["status"] = RPC_STATUS[status]
        if details is not None:
            self.error["details"] = details

    def response(self) -> Response:
        return json_response(self.status, {"error": self.error}, self.headers)


def by_status(status: int) -> ApiError:
    reason, domain, message = BY_STATUS.get(status, ("backendError", "global", "Backend Error"))
    return ApiError(status, reason, message, domain=domain)


def invalid(message: str, location: str = "", *, reason: str = "invalid") -> ApiError:
    return ApiError(400, reason, message, location=location)


def empty_range(location: str = "") -> ApiError:
    message = "The specified time range is empty."
    return ApiError(400, "timeRangeEmpty", message, domain="calendar", location=location)


def not_found() -> ApiError:
    return ApiError(404, "notFound", "Not Found")


def login_required() -> ApiError:
    return ApiError(
        401,
        "required",
        "Login Required.",
        location="Authorization",
        location_type="header",
        headers=[("WWW-Authenticate", REALM)],
    )


def bad_credentials() -> ApiError:
    return ApiError(
        401,
        "authError",
        "Invalid Credentials",
        location="Authorization",
        location_type="header",
        headers=[("WWW-Authenticate", f'{REALM}, error="invalid_token"')],
    )


def insufficient_scope(method: str, needed: Iterable[str]) -> ApiError:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
        "domain": "googleapis.com",
        "metadata": {"service": "calendar-json.googleapis.com", "method": f"calendar.v3.{method}"},
    }
    return ApiError(
        403,
        "insufficientPermissions",
        "Insufficient Permission",
        headers=[("WWW-Authenticate", f'{REALM}, error="insufficient_scope", scope="{" ".join(needed)}"')],
        top_message="Request had insufficient authentication scopes.",
        details=[info],
    )
