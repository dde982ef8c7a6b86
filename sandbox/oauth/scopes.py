"""The scopes that can be asked for, with what each lets an app do, in the words of the consent page."""

from sandbox.store import Store

PREFIX = "https://www.googleapis.com/auth/"

# Identity scopes are not optional on Google's page either.
IDENTITY = {
    "openid": ("Know who you are", "Знать, кто вы"),
    "email": ("See your e-mail address", "Видеть ваш адрес почты"),
    "profile": ("See your name", "Видеть ваше имя"),
    f"{PREFIX}userinfo.email": ("See your e-mail address", "Видеть ваш адрес почты"),
    f"{PREFIX}userinfo.profile": ("See your name", "Видеть ваше имя"),
}

CALENDAR = {
    "calendar": (
        "See, edit, share and permanently delete all your calendars",
        "Видеть, менять, открывать другим и навсегда удалять все ваши календари",
    ),
    "calendar.acls": (
        "See and change who your calendars are shared with",
        "Видеть и менять, кому открыты ваши календари",
    ),
    "calendar.acls.readonly": ("See who your calendars are shared with", "Видеть, кому открыты ваши календари"),
    "calendar.app.created": (
        "Make calendars of its own and manage the events in them",
        "Заводить свои календари и вести в них события",
    ),
    "calendar.calendarlist": (
        "See, add and remove calendars in your list",
        "Видеть, добавлять и убирать календари из вашего списка",
    ),
    "calendar.calendarlist.readonly": ("See the list of your calendars", "Видеть список ваших календарей"),
    "calendar.calendars": (
        "See and change the properties of your calendars, and make new ones",
        "Видеть и менять свойства ваших календарей и заводить новые",
    ),
    "calendar.calendars.readonly": (
        "See the title, the time zone and other properties of your calendars",
        "Видеть название, часовой пояс и другие свойства ваших календарей",
    ),
    "calendar.events": (
        "View and edit events on all your calendars",
        "Видеть и менять события во всех ваших календарях",
    ),
    "calendar.events.freebusy": (
        "See when you are free or busy in your calendars",
        "Видеть, когда вы заняты, по вашим календарям",
    ),
    "calendar.events.owned": (
        "See, create, change and delete events on the calendars you own",
        "Видеть, создавать, менять и удалять события в своих календарях",
    ),
    "calendar.events.owned.readonly": (
        "See the events on the calendars you own",
        "Видеть события в своих календарях",
    ),
    "calendar.events.public.readonly": ("See the events on public calendars", "Видеть события открытых календарей"),
    "calendar.events.readonly": ("View events on all your calendars", "Видеть события во всех ваших календарях"),
    "calendar.freebusy": ("See when you are free or busy", "Видеть, когда вы заняты"),
    "calendar.readonly": (
        "See and download any calendar you can open",
        "Видеть и скачивать любой доступный вам календарь",
    ),
    "calendar.settings": ("See and change your calendar settings", "Видеть и менять настройки календаря"),
    "calendar.settings.readonly": ("See your calendar settings", "Видеть настройки календаря"),
}

# Scopes of other services. Asking for them works, calling Calendar with them does not: a common mistake.
OTHER = {
    "spreadsheets": (
        "See, edit, create and delete all your spreadsheets",
        "Видеть, менять, создавать и удалять все ваши таблицы",
    ),
    "spreadsheets.readonly": ("See all your spreadsheets", "Видеть все ваши таблицы"),
    "drive": ("See, edit, create and delete all your files", "Видеть, менять, создавать и удалять все ваши файлы"),
    "drive.file": (
        "See and change only the files you use with this app",
        "Видеть и менять только файлы, открытые в этом приложении",
    ),
    "gmail.send": ("Send mail on your behalf", "Отправлять письма от вашего имени"),
    "gmail.readonly": ("View your mail and settings", "Видеть ваши письма и настройки почты"),
    "contacts": ("See, edit and delete your contacts", "Видеть, менять и удалять ваши контакты"),
    "tasks": ("Create, edit and delete all your tasks", "Создавать, менять и удалять все ваши задачи"),
}

WORDS = IDENTITY | {PREFIX + name: words for name, words in (CALENDAR | OTHER).items()}


def unknown(store: Store, scope: str) -> list[str]:
    """The scopes in the space-separated text that nobody has heard of."""
    known = WORDS.keys() | set(store.settings.extra_scopes.split())
    return [name for name in scope.split() if name not in known]


def in_words(scope: str, language: str) -> str:
    english, russian = WORDS.get(scope, (scope, scope))
    return russian if language == "ru" else english


def unite(*scopes: str) -> str:
    """All the scopes of the space-separated texts, each once, in order."""
    return " ".join(dict.fromkeys(name for scope in scopes for name in scope.split()))
