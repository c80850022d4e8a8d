"""When a cron expression (five fields, UTC) was last due. The program has checked its form (schedule.ts)."""

from datetime import datetime, timedelta, timezone

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
YEARS_BACK = 5


def parse(expression: str) -> list[set[int]]:
    return [values(field, *limits) for field, limits in zip(expression.split(), RANGES, strict=True)]


def values(field: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for item in field.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        begin = least if first == "*" else int(first)
        end = int(last) if last else most if first == "*" or step else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def previous(expression: str, now: datetime) -> datetime | None:
    """The last moment at or before now; None when there is none in five years (30 February)."""
    minutes, hours, days, months, weekdays = parse(expression)
    restricted = [not field.startswith("*") for field in expression.split()]
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for back in range(366 * YEARS_BACK):
        day = midnight - timedelta(days=back)
        # 0 and 7 are Sunday.
        in_week = {day.isoweekday() % 7, day.isoweekday()} & weekdays
        in_month = day.day in days
        # As cron does it: with both days given either is enough.
        matches = (in_month or in_week) if restricted[2] and restricted[4] else (in_month and in_week)
        if day.month not in months or not matches:
            continue
        times = [day + timedelta(hours=hour, minutes=minute) for hour in hours for minute in minutes]
        past = [time for time in times if time <= now]
        if past:
            return max(past)
    return None


def utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)
