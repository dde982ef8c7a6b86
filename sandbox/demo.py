"""Events for a newcomer: a day that looks lived in, made anew every morning, and the year's holidays."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.store import HOLIDAYS, Event, Store

# Day (0: today), start and length in minutes, and the rest of the event.
DAYS: tuple[tuple[int, str, int, dict[str, Any]], ...] = (
    (
        0,
        "09:30",
        30,
        {
            "summary": "Планёрка",
            "description": "Что сделано вчера, что сегодня, что мешает.",
            "location": "Переговорная «Байкал»",
            "attendees": [
                {"email": "igor@sandbox.example", "displayName": "Игорь Лебедев", "responseStatus": "accepted"},
                {"email": "olga@sandbox.example", "displayName": "Ольга Соколова", "responseStatus": "tentative"},
            ],
        },
    ),
    (
        0,
        "11:00",
        60,
        {
            "summary": "Созвон с поставщиком",
            "description": "Сроки по заказу № 1482 и скидка за объём.",
            "location": "https://meet.sandbox.example/zakaz-1482",
        },
    ),
    (0, "13:00", 60, {"summary": "Обед с Ольгой", "location": "Кафе «Мята», Покровка, 12", "colorId": "2"}),
    (0, "16:30", 45, {"summary": "Разбор заявок с сайта", "description": "Новые заявки за день."}),
    (0, "19:00", 90, {"summary": "Бассейн", "visibility": "private", "colorId": "7"}),
    (1, "10:00", 60, {"summary": "Встреча с клиентом: ООО «Ромашка»", "location": "Офис клиента, Тверская, 7"}),
    (1, "15:00", 30, {"summary": "Один на один с Игорем"}),
    (2, "12:00", 120, {"summary": "Обучение: новая CRM"}),
)
FIXED_HOLIDAYS = (
    ("01-01", "Новый год"),
    ("01-07", "Рождество Христово"),
    ("02-23", "День защитника Отечества"),
    ("03-08", "Международный женский день"),
    ("05-01", "Праздник Весны и Труда"),
    ("05-09", "День Победы"),
    ("06-12", "День России"),
    ("11-04", "День народного единства"),
)


class Demo:
    """Keeps today's events there: `refresh` is cheap and is called before every Calendar request."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.made_for: date | None = None

    def refresh(self) -> None:
        """What the newcomer changed or deleted stays so: an event's id is made of its day and its place."""
        zone = ZoneInfo(self.store.time_zone)
        today = datetime.fromtimestamp(self.store.clock(), zone).date()
        if today == self.made_for:
            return
        self.made_for = today
        for offset, at, minutes, details in DAYS:
            self.make(today + timedelta(days=offset), at, minutes, details, zone)
        self.make_all_day(today, "Дежурство по офису", self.store.settings.email, "demod")
        for year in (today.year, today.year + 1):
            for month_day, summary in FIXED_HOLIDAYS:
                self.make_all_day(date.fromisoformat(f"{year}-{month_day}"), summary, HOLIDAYS, "holi")

    def make(self, day: date, at: str, minutes: int, details: dict[str, Any], zone: ZoneInfo) -> None:
        start = datetime.combine(day, datetime.strptime(at, "%H:%M").time(), zone)
        end = (start.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(zone)
        resource = details | {
            "start": {"dateTime": start.isoformat(), "timeZone": zone.key},
            "end": {"dateTime": end.isoformat(), "timeZone": zone.key},
        }
        self.put(f"demo{day:%Y%m%d}{at.replace(':', '')}", self.store.settings.email, resource)

    def make_all_day(self, day: date, summary: str, calendar_id: str, prefix: str) -> None:
        start, end = {"date": day.isoformat()}, {"date": (day + timedelta(days=1)).isoformat()}
        resource = {"summary": summary, "transparency": "transparent", "start": start, "end": end}
        self.put(f"{prefix}{day:%Y%m%d}", calendar_id, resource)

    def put(self, event_id: str, calendar_id: str, resource: dict[str, Any]) -> None:
        if self.store.event(calendar_id, event_id) is None:
            now = self.store.tick()
            self.store.put_event(Event(event_id, calendar_id, resource, now, now))
