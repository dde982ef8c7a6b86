"""The start page: what this is, what to put into the connection's fields, today's events, the inbox."""

from html import escape

from sandbox.messages import Request, Response
from sandbox.oauth.scopes import PREFIX
from sandbox.pages.calendar import todays_table
from sandbox.pages.shell import language_of, page
from sandbox.state import State

WORDS = {
    "en": {
        "title": "Calendar sandbox",
        "lead": "A small stand-in for Google: the consent page, tokens and the calendar work as there, "
        "with no Google project and no real data.",
        "fields": "For the connection",
        "authorization": "Authorization URL",
        "token": "Token URL",
        "revoke": "Revocation URL",
        "api": "Calendar API",
        "scope": "Scope",
        "account": "Account",
        "redirects": "Any redirect URI is accepted; it only has to be the same in both requests.",
        "today": "Today in the calendar",
        "nothing": "Nothing is planned for today.",
        "echo": "Where to send requests",
        "echo_lead": "Whatever a scenario sends to {address} can be read in the {inbox}.",
        "inbox": "inbox",
    },
    "ru": {
        "title": "Песочница календаря",
        "lead": "Маленькая замена Google: страница согласия, токены и календарь работают как там, "
        "но без проекта в Google и без настоящих данных.",
        "fields": "Что указать в подключении",
        "authorization": "URL авторизации",
        "token": "URL для получения токена",
        "revoke": "URL для отзыва",
        "api": "API календаря",
        "scope": "Разрешение (scope)",
        "account": "Аккаунт",
        "redirects": "Адрес возврата подойдёт любой, лишь бы он был одинаков в обоих запросах.",
        "today": "Сегодня в календаре",
        "nothing": "На сегодня ничего не запланировано.",
        "echo": "Куда отправлять запросы",
        "echo_lead": "Всё, что сценарий отправит на {address}, можно прочитать во {inbox}.",
        "inbox": "«Входящих»",
    },
}


def home_page(state: State, request: Request) -> Response:
    state.prepare()
    language = language_of(request.headers)
    words = WORDS[language]
    account = state.store.account(state.store.settings.email)
    calendar = state.store.calendars.get(account.email)
    assert calendar is not None
    today = todays_table(state, calendar, language) or f"<p>{escape(words['nothing'])}</p>"
    is_open = not any(client.redirect_uris for client in state.store.clients.values())
    redirects = f'<p class="dim small">{escape(words["redirects"])}</p>' if is_open else ""
    address = f"<code>{escape(request.origin)}/echo/…</code>"
    inbox = f'<a href="/inbox">{escape(words["inbox"])}</a>'
    content = f"""
<h1>{escape(words["title"])}</h1>
<p>{escape(words["lead"])}</p>
<h2>{escape(words["fields"])}</h2>
<table>{"".join(field_row(label, value) for label, value in connection_fields(state, request, words))}</table>
{redirects}
<h2>{escape(words["today"])}</h2>
{today}
<h2>{escape(words["echo"])}</h2>
<p>{escape(words["echo_lead"]).format(address=address, inbox=inbox)}</p>"""
    return page(language, words["title"], content, wide=True)


def connection_fields(state: State, request: Request, words: dict[str, str]) -> list[tuple[str, str]]:
    client = next(iter(state.store.clients.values()))
    account = state.store.account(state.store.settings.email)
    origin = request.origin
    return [
        ("Client ID", client.id),
        ("Client Secret", client.secret),
        (words["authorization"], f"{origin}/o/oauth2/v2/auth"),
        (words["token"], f"{origin}/token"),
        (words["revoke"], f"{origin}/revoke"),
        (words["api"], f"{origin}/calendar/v3"),
        (words["scope"], f"{PREFIX}calendar.events"),
        (words["account"], f"{account.name} · {account.email}"),
    ]


def field_row(label: str, value: str) -> str:
    return f"<tr><th>{escape(label)}</th><td><code>{escape(value)}</code></td></tr>"
