"""The consent page, and the page that says why there is none."""

from collections.abc import Iterable
from html import escape

from sandbox.messages import Pairs, Response
from sandbox.oauth.scopes import IDENTITY, in_words
from sandbox.pages.shell import page
from sandbox.store import Account, Client

WORDS = {
    "en": {
        "title": "{app} wants access to your account",
        "lead": "If you allow it, {app} will be able to:",
        "choose": "Untick what you do not want to give.",
        "trust": "You will be taken back to {host}. You can end this access at any time.",
        "allow": "Allow",
        "cancel": "Cancel",
        "blocked": "Access is blocked: the request is not right",
        "error": "Error {status}: {code}",
    },
    "ru": {
        "title": "{app} запрашивает доступ к вашему аккаунту",
        "lead": "Если вы разрешите, {app} сможет:",
        "choose": "Снимите отметку с того, что не хотите разрешать.",
        "trust": "Затем вы вернётесь на {host}. Закрыть доступ можно в любой момент.",
        "allow": "Разрешить",
        "cancel": "Отмена",
        "blocked": "Доступ закрыт: в запросе ошибка",
        "error": "Ошибка {status}: {code}",
    },
}

EXPLANATIONS = {
    "redirect_uri_mismatch": (
        "The redirect URI of the request is not among those that the app has registered. They must be equal letter "
        "by letter: scheme, host, port, path and the slash at the end.",
        "Адреса возврата из запроса нет среди зарегистрированных у приложения. Адреса должны совпадать "
        "до буквы: схема, хост, порт, путь и косая черта в конце.",
    ),
    "invalid_client": (
        "There is no app with this client ID. Copy it once more from the page of the sandbox.",
        "Приложения с таким Client ID нет. Скопируйте его ещё раз со страницы песочницы.",
    ),
    "invalid_scope": (
        "Some of the requested permissions (scope) do not exist. Check their spelling; they are separated by spaces.",
        "Части запрошенных разрешений (scope) не существует. Проверьте написание; разрешения разделяют пробелом.",
    ),
    "unsupported_response_type": (
        "Only response_type=code is supported.",
        "Поддерживается только response_type=code.",
    ),
    "invalid_request": (
        "A parameter of the authorization URL is missing or wrong. See the details below.",
        "В адресе авторизации не хватает параметра, или он неверен. Подробности ниже.",
    ),
}


def consent_page(
    language: str, *, client: Client, account: Account, scopes: list[str], host: str, parameters: Pairs
) -> Response:
    words = WORDS[language]
    app = escape(client.name)
    can_choose = len([scope for scope in scopes if scope not in IDENTITY]) > 1
    content = f"""
<h1>{escape(words["title"]).format(app=app)}</h1>
<div class="account"><span class="avatar" aria-hidden="true">{escape(account.name[:1].upper())}</span>
<span>{escape(account.name)} · {escape(account.email)}</span></div>
<p>{escape(words["lead"]).format(app=app)}</p>
<form method="post" action="auth">
{"".join(hidden(name, value) for name, value in parameters)}
<ul class="scopes">{"".join(scope_item(language, scope, can_choose) for scope in scopes)}</ul>
{f'<p class="dim small">{escape(words["choose"])}</p>' if can_choose else ""}
<p class="dim small">{escape(words["trust"]).format(host=f"<b>{escape(host)}</b>")}</p>
<div class="buttons">
<button name="decision" value="cancel">{escape(words["cancel"])}</button>
<button name="decision" value="allow" class="primary">{escape(words["allow"])}</button>
</div></form>"""
    return page(language, words["title"].format(app=client.name), content)


def scope_item(language: str, scope: str, can_choose: bool) -> str:
    text = f"<span>{escape(in_words(scope, language))}<code>{escape(scope)}</code></span>"
    if can_choose and scope not in IDENTITY:
        box = f'<input type="checkbox" name="granted" value="{escape(scope)}" checked>'
        return f"<li><label>{box}{text}</label></li>"
    return f"<li>{text}{hidden('granted', scope)}</li>"


def hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'


def refusal_page(
    language: str, *, code: str, status: int, detail: str, request_details: Iterable[str] = ()
) -> Response:
    """Google's own error page: status 400, no redirect. `status` is the number that the person reads."""
    words = WORDS[language]
    english, russian = EXPLANATIONS[code]
    details = "\n".join([detail, *request_details])
    content = f"""
<h1>{escape(words["blocked"])}</h1>
<p class="error">{escape(words["error"].format(status=status, code=code))}</p>
<p>{escape(russian if language == "ru" else english)}</p>
<pre>{escape(details)}</pre>"""
    return page(language, words["blocked"], content, status=400)
