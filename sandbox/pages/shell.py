"""The frame of every page: language by Accept-Language, escaping, one style sheet, a strict content policy."""

import base64
from collections.abc import Mapping
from hashlib import sha256
from html import escape
from string import Template

from sandbox.messages import Response, html_response

WORDS = {
    "en": {"note": "Sandbox. This is not Google: nothing leaves this machine."},
    "ru": {"note": "Песочница. Это не Google: данные не покидают этот компьютер."},
}

STYLE = """
:root { color-scheme: light dark; --ground: #f3f4f7; --card: #fff; --ink: #1c1e26; --dim: #5c6272; --line: #dcdfe7;
  --accent: #2f5bd8; --accent-ink: #fff; --soft: #eaf0ff; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --ground: #14161c; --card: #1d2028; --ink: #e9ebf1; --dim: #a2a9ba;
  --line: #343947; --accent: #8aa9ff; --accent-ink: #10131b; --soft: #242c42; --bad: #ff9a92; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.note { background: var(--soft); color: var(--dim); text-align: center; padding: 8px 16px; font-size: 14px; }
main { max-width: 480px; margin: 40px auto; padding: 32px; background: var(--card); border: 1px solid var(--line);
  border-radius: 16px; }
main.wide { max-width: 860px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 8px; text-wrap: balance; }
h2 { font-size: 18px; margin: 32px 0 8px; }
p { margin: 8px 0; } .dim { color: var(--dim); } .small { font-size: 14px; }
a { color: var(--accent); }
code, pre { font: 13px/1.5 ui-monospace, "SF Mono", Consolas, monospace; overflow-wrap: anywhere; }
pre { background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 12px;
  white-space: pre-wrap; margin: 8px 0; max-height: 420px; overflow: auto; }
.account { display: inline-flex; align-items: center; gap: 10px; border: 1px solid var(--line); border-radius: 999px;
  padding: 4px 14px 4px 4px; margin: 12px 0; max-width: 100%; overflow-wrap: anywhere; }
.avatar { width: 28px; height: 28px; border-radius: 50%; background: var(--accent); color: var(--accent-ink);
  display: grid; place-items: center; font-weight: 600; font-size: 14px; flex: none; }
ul.scopes { list-style: none; margin: 16px 0; padding: 0; border: 1px solid var(--line); border-radius: 12px; }
ul.scopes li { padding: 12px 14px; } ul.scopes li + li { border-top: 1px solid var(--line); }
ul.scopes label { display: flex; gap: 12px; align-items: flex-start; cursor: pointer; }
ul.scopes input { width: 20px; height: 20px; margin: 2px 0 0; accent-color: var(--accent); flex: none; }
ul.scopes code { display: block; color: var(--dim); }
.buttons { display: flex; flex-wrap: wrap; gap: 12px; justify-content: flex-end; margin-top: 24px; }
button { font: inherit; font-weight: 600; min-height: 44px; padding: 8px 24px; border-radius: 999px; cursor: pointer;
  border: 1px solid var(--line); background: transparent; color: var(--accent); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); }
button:focus-visible, a:focus-visible, input:focus-visible, summary:focus-visible { outline: 3px solid var(--accent);
  outline-offset: 2px; }
.error { color: var(--bad); font-weight: 600; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: 8px 12px 8px 0;
  border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 500; font-size: 14px; }
.entry { border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; margin: 16px 0; }
.entry header { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; }
.method { font-weight: 700; color: var(--accent); }
summary { cursor: pointer; color: var(--dim); font-size: 14px; }
@media (max-width: 560px) { main { margin: 0; border-width: 0 0 1px; border-radius: 0; padding: 24px 16px; }
  .buttons button { flex: 1; } td, th { display: block; border: 0; padding: 2px 0; }
  tr { display: block; padding: 8px 0; border-bottom: 1px solid var(--line); } }
"""

PAGE = Template("""<!doctype html>
<html lang="$language">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title><style>$style</style></head>
<body><div class="note">$note</div>
<main class="$width">
$content
</main>$script</body></html>
""")


def page(
    language: str, title: str, content: str, *, status: int = 200, wide: bool = False, script: str = ""
) -> Response:
    """A whole page. `content` is HTML that is escaped already; `script` is a fixed text of ours."""
    html = PAGE.substitute(
        language=language,
        title=escape(title),
        style=STYLE,
        note=WORDS[language]["note"],
        width="wide" if wide else "",
        content=content,
        script=f"<script>{script}</script>" if script else "",
    )
    scripts = f"script-src {hashed(script)}; connect-src 'self'; " if script else ""
    policy = f"default-src 'none'; style-src {hashed(STYLE)}; {scripts}base-uri 'none'; frame-ancestors 'none'"
    headers = [
        ("Content-Security-Policy", policy),
        ("Content-Language", language),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("Vary", "Accept-Language"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return html_response(status, html, headers)


def language_of(headers: Mapping[str, str]) -> str:
    """`ru` or `en`, whichever the reader prefers; English where neither is named."""
    weights = {"en": 0.0, "ru": 0.0}
    for part in headers.get("accept-language", "").lower().split(","):
        tag, _, weight = part.strip().partition(";q=")
        language = tag.partition("-")[0]
        if language in weights:
            weights[language] = max(weights[language], quality(weight))
    return "ru" if weights["ru"] > weights["en"] else "en"


def quality(weight: str) -> float:
    try:
        return float(weight or 1)
    except ValueError:
        return 0.0


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}'"
