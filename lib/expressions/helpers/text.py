"""Helpers for text."""

import html
import re

from lib.errors import Json
from lib.errors import gettext_noop as _
from lib.expressions.budget import SIZE, Budget, too_large
from lib.expressions.errors import ExpressionError
from lib.expressions.helpers.helper import helper, list_of, list_within, number_of, text_of, text_within, whole_of
from lib.expressions.helpers.lists import fields
from lib.expressions.values import contains, equal

TAG = re.compile(r"<[^<>]*>")
DIRECTIVE = re.compile(r"%(?:(%)|(-?0?)(\d{1,3})?(?:\.(\d{1,2}))?([sdf]))")
LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ы": "y", "ь": "", "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip


@helper("upper(text)", kind="text", example="{{ 'Москва' | upper }}", result="МОСКВА", text=_("All letters large."))
def upper(budget: Budget, text: Json) -> Json:
    return text_within(text_of(text, budget).upper())


@helper("lower(text)", kind="text", example="{{ 'A@B.RU' | lower }}", result="a@b.ru", text=_("All letters small."))
def lower(budget: Budget, text: Json) -> Json:
    return text_within(text_of(text, budget).lower())


@helper(
    "capitalize(text)",
    kind="text",
    example="{{ 'новая ЗАЯВКА' | capitalize }}",
    result="Новая заявка",
    text=_("The first letter large, the others small."),
)
def capitalize(budget: Budget, text: Json) -> Json:
    return text_within(text_of(text, budget).capitalize())


@helper(
    "title(text)",
    kind="text",
    example="{{ 'анна ильина' | title }}",
    result="Анна Ильина",
    text=_("The first letter of each word large."),
)
def title(budget: Budget, text: Json) -> Json:
    return re.sub(r"\S+", lambda word: word[0].capitalize(), text_of(text, budget))


@helper(
    "trim(text, characters=null)",
    kind="text",
    example="{{ '  ok ' | trim }}",
    result="ok",
    text=_("Without white space, or the given characters, at both ends."),
    aliases=("strip",),
)
def trim(budget: Budget, text: Json, characters: Json = None) -> Json:
    return text_of(text, budget).strip(None if characters is None else text_of(characters, budget)[:100])


@helper(
    "replace(text, old, new='')",
    kind="text",
    example="{{ '8 (495)' | replace('8', '+7') }}",
    result="+7 (495)",
    text=_("Every occurrence of one text replaced by another. An object replaces several: {'a': 'b'}."),
)
def replace(budget: Budget, text: Json, old: Json, new: Json = "") -> Json:
    pairs = list(old.items()) if isinstance(old, dict) else [(old, new)]
    result = text_of(text, budget)
    for before, after in pairs:
        result = replace_one(budget, result, text_of(before, budget), text_of(after, budget))
    return result


def replace_one(budget: Budget, text: str, old: str, new: str) -> str:
    budget.read(text)
    if not old:
        return text
    if len(text) + text.count(old) * (len(new) - len(old)) > SIZE:
        raise too_large()
    return text.replace(old, new)


@helper(
    "truncate(text, length=255, killwords=false, end='...')",
    kind="text",
    example="{{ 'Длинное описание' | truncate(12) }}",
    result="Длинное...",
    text=_("Cut to a number of characters, the end mark included; with killwords in the middle of a word too."),
)
def truncate(budget: Budget, text: Json, length: Json = 255, killwords: Json = False, end: Json = "...") -> Json:
    whole, mark = text_of(text, budget), text_of(end, budget)
    limit = whole_of(length, least=0, most=SIZE)
    if len(whole) <= limit:
        return whole
    kept = whole[: max(0, limit - len(mark))]
    return (kept if killwords else kept.rpartition(" ")[0] or kept) + mark[:limit]


@helper(
    "split(text, separator=null, limit=null)",
    kind="text",
    example="{{ 'a,b,c' | split(',') }}",
    result=["a", "b", "c"],
    text=_("A text cut into a list: at the separator, or at white space."),
)
def split(budget: Budget, text: Json, separator: Json = None, limit: Json = None) -> Json:
    whole = text_of(text, budget)
    mark = None if separator is None else text_of(separator, budget)
    cuts = -1 if limit is None else whole_of(limit, least=1, most=10**6) - 1
    budget.use((len(whole.split()) if mark is None else whole.count(mark) if mark else len(whole)) + 1)
    return list_within(list(whole) if mark == "" else whole.split(mark, cuts))


@helper(
    "join(list, separator='', attribute=null)",
    kind="text",
    example="{{ ['a', 'b'] | join(', ') }}",
    result="a, b",
    text=_("The items of a list, or one field of each, as one text."),
)
def join(budget: Budget, list: Json, separator: Json = "", attribute: Json = None) -> Json:
    mark = text_of(separator, budget)
    texts, size = [], 0
    items = list_of(list, budget)
    for item in items if attribute is None else fields(budget, items, attribute):
        texts.append(text_of(item, budget))
        size += len(texts[-1]) + len(mark)
        if size > SIZE + len(mark):
            raise too_large()
    return mark.join(texts)


@helper(
    "string(value)",
    kind="text",
    example="{{ 5 | string }}",
    result="5",
    text=_("The text form: JSON for lists and objects, nothing for null."),
)
def string(budget: Budget, value: Json) -> Json:
    return text_within(text_of(value, budget))


@helper(
    "contains(value, part)",
    kind="text",
    example="{{ 'заявка' | contains('явка') }}",
    result=True,
    text=_("Whether a text has a part, a list an item, an object a key."),
)
def has(budget: Budget, value: Json, part: Json) -> Json:
    return contains(part, value, budget)


@helper(
    "starts_with(text, start)",
    kind="text",
    example="{{ '+7 495' | starts_with('+7') }}",
    result=True,
    text=_("Whether a text begins like this."),
)
def starts_with(budget: Budget, text: Json, start: Json) -> Json:
    return text_of(text, budget).startswith(text_of(start, budget))


@helper(
    "ends_with(text, end)",
    kind="text",
    example="{{ 'отчёт.pdf' | ends_with('.pdf') }}",
    result=True,
    text=_("Whether a text ends like this."),
)
def ends_with(budget: Budget, text: Json, end: Json) -> Json:
    return text_of(text, budget).endswith(text_of(end, budget))


@helper(
    "position(value, part)",
    kind="text",
    example="{{ 'a@b.ru' | position('@') }}",
    result=1,
    text=_("Where a part of a text or an item of a list is, from 0; -1 if it is not there."),
)
def position(budget: Budget, value: Json, part: Json) -> Json:
    if not isinstance(value, list):
        return text_of(value, budget).find(text_of(part, budget))
    return next((at for at, item in enumerate(list_of(value, budget)) if equal(item, part, budget)), -1)


@helper(
    "pad(text, length, with=' ', side='left')",
    kind="text",
    example="{{ 7 | pad(3, '0') }}",
    result="007",
    text=_("Filled up to a length, on the left or the right."),
)
def pad(budget: Budget, text: Json, length: Json, with_: Json = " ", side: Json = "left") -> Json:
    whole, fill = text_of(text, budget), text_of(with_, budget)
    missing = whole_of(length, least=0, most=10_000) - len(whole)
    if missing <= 0 or not fill:
        return whole
    filling = (fill * (missing // len(fill) + 1))[:missing] if len(fill) <= missing else fill[:missing]
    return whole + filling if side == "right" else filling + whole


@helper(
    "format(text, …)",
    kind="text",
    example="{{ 'Заказ %s на %.2f ₽' | format('A-1', 99.5) }}",
    result="Заказ A-1 на 99.50 ₽",
    text=_("Values put into the places %s (text), %d (whole number) and %.2f (number)."),
)
def format_text(budget: Budget, text: Json, *values: Json) -> Json:
    waiting = list(values)

    def put(found: re.Match[str]) -> str:
        if found[1]:
            return "%"
        if not waiting:
            raise ExpressionError("bad_argument", asked=found[0])
        value, flag, width, digits, kind = waiting.pop(0), found[2], found[3], found[4], found[5]
        if kind == "s":
            shown = text_of(value, budget)
            shown = shown if digits is None else shown[: int(digits)]
        else:
            shown = f"{number_of(value):.{0 if kind == 'd' else int(digits or 6)}f}"
        budget.use()
        room = int(width or 0)
        return shown.ljust(room) if "-" in flag else shown.rjust(room, "0" if "0" in flag else " ")

    return text_within(DIRECTIVE.sub(put, text_of(text, budget)))


@helper(
    "wordcount(text)",
    kind="text",
    example="{{ 'два слова' | wordcount }}",
    result=2,
    text=_("How many words a text has."),
)
def wordcount(budget: Budget, text: Json) -> Json:
    return len(text_of(text, budget).split())


@helper(
    "indent(text, width=4)",
    kind="text",
    example="{{ 'a\\nb' | indent(2) }}",
    result="a\n  b",
    text=_("Every line but the first moved to the right."),
)
def indent(budget: Budget, text: Json, width: Json = 4) -> Json:
    return replace_one(budget, text_of(text, budget), "\n", "\n" + " " * whole_of(width, least=0, most=100))


@helper(
    "nl2br(text)",
    kind="text",
    example="{{ 'a\\nb' | nl2br }}",
    result="a<br>\nb",
    text=_("Line ends turned into <br>, for HTML."),
)
def nl2br(budget: Budget, text: Json) -> Json:
    return replace_one(budget, text_of(text, budget), "\n", "<br>\n")


@helper(
    "striptags(text)",
    kind="text",
    example="{{ '<b>Важно</b>' | striptags }}",
    result="Важно",
    text=_("Without HTML tags."),
)
def striptags(budget: Budget, text: Json) -> Json:
    whole = text_of(text, budget)
    budget.use(whole.count("<"))
    kept, position = [], 0
    while (start := whole.find("<!--", position)) >= 0 and (end := whole.find("-->", start)) >= 0:
        kept.append(whole[position:start])
        position = end + 3
    return TAG.sub("", "".join([*kept, whole[position:]]))


@helper(
    "escape(text)",
    kind="text",
    example="{{ '<a & b>' | escape }}",
    result="&lt;a &amp; b&gt;",
    text=_("Characters that mean something in HTML written as text."),
    aliases=("e",),
)
def escape(budget: Budget, text: Json) -> Json:
    return text_within(html.escape(text_of(text, budget)))


@helper(
    "unescape(text)",
    kind="text",
    example="{{ 'a &amp; b' | unescape }}",
    result="a & b",
    text=_("The opposite of escape."),
)
def unescape(budget: Budget, text: Json) -> Json:
    whole = text_of(text, budget)
    budget.use(whole.count("&"))
    return html.unescape(whole)


@helper(
    "raw(value)",
    kind="text",
    example="{{ '<b>' | raw }}",
    result="<b>",
    text=_("The value as it is. Nothing is escaped here anyway."),
    aliases=("safe",),
)
def raw(budget: Budget, value: Json) -> Json:
    return value


@helper(
    "translit(text)",
    kind="text",
    example="{{ 'Щукин Юрий' | translit }}",
    result="Shchukin Yuriy",
    text=_("Russian letters written in Latin ones."),
)
def translit(budget: Budget, text: Json) -> Json:
    return text_within("".join(map(latin, text_of(text, budget))))


def latin(letter: str) -> str:
    spelled = LATIN.get(letter.lower())
    if spelled is None:
        return letter
    return spelled if letter.islower() else spelled.capitalize()


@helper(
    "slug(text)",
    kind="text",
    example="{{ 'Новый заказ №5' | slug }}",
    result="novyy-zakaz-5",
    text=_("Latin letters, digits and hyphens only, for addresses."),
)
def slug(budget: Budget, text: Json) -> Json:
    return re.sub(r"[^a-z0-9]+", "-", "".join(map(latin, text_of(text, budget))).lower()).strip("-")


@helper(
    "digits(text)",
    kind="text",
    example="{{ '+7 (495) 123-45-67' | digits }}",
    result="74951234567",
    text=_("Only the digits, for phone numbers."),
)
def digits(budget: Budget, text: Json) -> Json:
    return re.sub(r"[^0-9]", "", text_of(text, budget))
