"""What is to be done next. It follows from what the repository holds, so that a new runner goes on where one ended."""

from datetime import datetime

from . import cron
from .wal_archive import split

# A full backup serves every schedule, a differential one those of the smaller kinds.
SERVES = {"full": ("full",), "differential": ("full", "diff"), "incremental": ("full", "diff", "incr")}
# Between the clocks of two nodes; more is a clock that is wrong.
SKEW_SECONDS = 60
TYPE = {"full": "full", "differential": "diff", "incremental": "incr"}


def due_backup(backups: list[dict], schedule: dict, timeline: int | None, now: datetime) -> tuple[str, str] | None:
    """Type and reason of the backup that is due; the largest kind wins."""
    if not backups:
        return "full", "the repository holds no backup"
    first = backups[0]["timestamp"]["start"]
    for kind, types in SERVES.items():
        expression = schedule.get(kind)
        last = cron.previous(expression, now) if expression else None
        # One of the future was made by a clock that was wrong: it must not silence the schedule until then.
        begun = [
            each["timestamp"]["start"]
            for each in backups
            if each["type"] in types and each["timestamp"]["start"] <= now.timestamp() + SKEW_SECONDS
        ]
        if last and last.timestamp() > max([*begun, min(first, now.timestamp())]):
            return TYPE[kind], f"{kind} backup of {last:%Y-%m-%d %H:%M} UTC"
    newest = split(backups[-1]["archive"]["stop"])[0]
    if timeline is not None and newest != timeline:
        # The primary that died may have taken unarchived segments with it: older backups cannot be rolled past them.
        return "incr", f"the cluster is on timeline {timeline}, the newest backup on {newest}"
    return None


def is_test_due(backups: list[dict], expression: str | None, last_test: float, now: datetime) -> bool:
    last = cron.previous(expression, now) if expression and backups else None
    return last is not None and last.timestamp() > max(last_test, backups[0]["timestamp"]["stop"])
