"""The inbox: what the echo has received, newest first, for a newcomer to see what a scenario sent."""

import json
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from sandbox.echo import read_body
from sandbox.journal import Exchange
from sandbox.messages import Request, Response, json_response
from sandbox.pages.shell import language_of, page
from sandbox.state import State

WORDS = {
    "en": {
        "title": "Inbox",
        "lead": "Requests sent to {address} arrive here, the last fifty of them. The page updates by itself.",
        "empty": "Nothing has arrived yet. Run the scenario, and its request appears here.",
        "headers": "Headers",
        "no_body": "no body",
    },
    "ru": {
        "title": "Входящие",
        "lead": "Сюда приходят запросы, отправленные на {address}, последние пятьдесят. Страница обновляется сама.",
        "empty": "Пока ничего не пришло. Запустите сценарий, и его запрос появится здесь.",
        "headers": "Заголовки",
        "no_body": "без тела",
    },
}
SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization"}
SHOWN_OF_SECRET = 14
SHOWN_OF_BODY = 20_000

# Reloads only when something has arrived, so that opened details stay open.
SCRIPT = """
let seen = null;
setInterval(async () => {
  try {
    const count = (await (await fetch("/inbox?format=count")).json()).received;
    if (seen !== null && count !== seen) location.reload();
    seen = count;
  } catch { /* the sandbox is being restarted */ }
}, 2000);
"""


def inbox_page(state: State, request: Request) -> Response:
    if request.query.get("format") == "count":
        return json_response(200, {"received": state.journal.received})
    language = language_of(request.headers)
    words = WORDS[language]
    address = f"<code>{escape(request.origin)}/echo/…</code>"
    zone = ZoneInfo(state.store.time_zone)
    letters = [letter_html(letter, words, zone) for letter in state.journal.letters()]
    content = f"""
<h1>{escape(words["title"])}</h1>
<p class="dim">{escape(words["lead"]).format(address=address)}</p>
{"".join(letters) or f"<p>{escape(words['empty'])}</p>"}"""
    return page(language, words["title"], content, wide=True, script=SCRIPT)


def letter_html(letter: Exchange, words: dict[str, str], zone: ZoneInfo) -> str:
    at = datetime.fromtimestamp(letter.time, zone)
    headers = "\n".join(f"{name}: {masked(name, value)}" for name, value in letter.headers.items())
    return f"""
<article class="entry"><header><span class="method">{escape(letter.method)}</span>
<code>{escape(letter.target)}</code>
<time class="dim small" datetime="{at.isoformat()}">{at:%d.%m.%Y %H:%M:%S}</time></header>
{body_html(letter, words)}
<details><summary>{escape(words["headers"])}</summary><pre>{escape(headers)}</pre></details></article>"""


def body_html(letter: Exchange, words: dict[str, str]) -> str:
    body = read_body(letter.request)
    if body is None:
        return f'<p class="dim small">{escape(words["no_body"])}</p>'
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, indent=2)
    return f"<pre>{escape(text[:SHOWN_OF_BODY])}</pre>"


def masked(name: str, value: str) -> str:
    if name in SECRET_HEADERS and len(value) > SHOWN_OF_SECRET:
        return value[:SHOWN_OF_SECRET] + "…"
    return value
