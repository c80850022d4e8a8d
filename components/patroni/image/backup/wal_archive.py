"""
The WAL archive against what every kept backup needs: each segment from the oldest backup's first one to the newest, along
the timeline that the cluster is on. What is missing cannot be replayed past.
"""

import json
import re
from dataclasses import dataclass, field

from . import pgbackrest

SEGMENT_BYTES = 16 * 2**20
SEGMENTS_PER_LOG = 2**32 // SEGMENT_BYTES
SEGMENT = re.compile(r"(?:^|/)([0-9A-F]{24})-[0-9a-f]{40}(?:\.\w+)?$")
HISTORY = re.compile(r"(?:^|/)([0-9A-F]{8})\.history$")


@dataclass
class Archive:
    identifier: str
    # Time of the upload by segment.
    segments: dict[str, float] = field(default_factory=dict)
    timelines: set[int] = field(default_factory=set)


def split(segment: str) -> tuple[int, int]:
    """Timeline and number of a segment."""
    return int(segment[:8], 16), int(segment[8:16], 16) * SEGMENTS_PER_LOG + int(segment[16:], 16)


def name(timeline: int, number: int) -> str:
    return f"{timeline:08X}{number // SEGMENTS_PER_LOG:08X}{number % SEGMENTS_PER_LOG:08X}"


def place(lsn: str) -> int:
    high, _, low = lsn.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def number_at(lsn: str) -> int:
    return place(lsn) // SEGMENT_BYTES


def listing(identifier: str, config: str = pgbackrest.OWN, stanza: str | None = None) -> Archive:
    folder = f"archive/{stanza or pgbackrest.STANZA}/{identifier}"
    found = json.loads(pgbackrest.run("repo-ls", "--recurse", "--output=json", folder, config=config) or "{}")
    archive = Archive(identifier)
    for path, entry in found.items():
        if match := SEGMENT.search(path):
            archive.segments[match[1]] = entry.get("time", 0)
        elif match := HISTORY.search(path):
            archive.timelines.add(int(match[1], 16))
    return archive


def newest_segment(identifier: str, known: str | None) -> tuple[str | None, float | None]:
    """The newest segment and when it was uploaded, from the one folder it must be in. `known`: the newest as `info` tells it."""
    if known is None:
        return None, None
    folder = json.loads(
        pgbackrest.run("repo-ls", "--output=json", f"archive/{pgbackrest.STANZA}/{identifier}/{known[:16]}") or "{}"
    )
    found = {match[1]: entry["time"] for path, entry in folder.items() if (match := SEGMENT.search(path))}
    newest = max(found, default=None)
    return (newest, found[newest]) if newest else (known, None)


def history(
    identifier: str, timeline: int, config: str = pgbackrest.OWN, stanza: str | None = None
) -> list[tuple[int, int]]:
    """The ancestors of a timeline: each with the number of the segment in which its successor begins."""
    return parse_history(history_file(identifier, timeline, config, stanza))


def history_file(identifier: str, timeline: int, config: str = pgbackrest.OWN, stanza: str | None = None) -> str:
    """The first timeline has none. Fails where the archive does not have it."""
    folder = f"archive/{stanza or pgbackrest.STANZA}/{identifier}"
    return "" if timeline == 1 else pgbackrest.run("repo-get", f"{folder}/{timeline:08X}.history", config=config)


def on_line(
    described: dict, timeline: int | None = None, config: str = pgbackrest.OWN, stanza: str | None = None
) -> list[dict]:
    """
    The backups from which a timeline, the newest without one, can be reached, oldest first. One that ended on an older
    timeline after a restore had gone back behind it, or into the time in which it was made, cannot, however new it is.
    """
    identifier = described["archive"][-1]["id"]
    wanted = timeline or max([1, *listing(identifier, config, stanza).timelines])
    forks = dict(parse_forks(history_file(identifier, wanted, config, stanza)))

    def is_reached_from(backup: dict) -> bool:
        timeline, end = split(backup["archive"]["stop"])[0], place(backup["lsn"]["stop"])
        return timeline == wanted or timeline in forks and end <= forks[timeline]

    return [each for each in described["backup"] if is_reached_from(each)]


def parse_history(text: str) -> list[tuple[int, int]]:
    return [(timeline, end // SEGMENT_BYTES) for timeline, end in parse_forks(text)]


def parse_forks(text: str) -> list[tuple[int, int]]:
    """Each ancestor with the place at which it was left."""
    fields = [line.split("\t") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(int(parts[0]), place(parts[1])) for parts in fields]


def gaps(
    segments: set[str], starts: list[str], timeline: int, ancestors: list[tuple[int, int]], newest: str | None = None
) -> list[dict]:
    """
    Stretches that are missing, oldest first, between the oldest backup on the cluster's own line of timelines and the
    newest segment. `starts`: first segment of each backup. `newest`: one that was there before, even if it is gone.
    """
    line = [*(ancestor for ancestor, _ in ancestors), timeline]
    ends = dict(ancestors)
    on_line = [split(start) for start in starts if is_on_line(split(start), line, ends)]
    if not on_line:
        return []
    first_timeline, number = min(on_line, key=lambda start: start[1])
    missing: list[dict] = []
    for current in line[line.index(first_timeline) :]:
        held = [each for owner, each in map(split, {*segments, *([newest] if newest else [])}) if owner == current]
        end = ends.get(current, max(held, default=number - 1) + 1)
        for each in range(number, end):
            if name(current, each) not in segments:
                extend(missing, current, each)
        number = max(number, end)
    return missing


def is_on_line(start: tuple[int, int], line: list[int], ends: dict[int, int]) -> bool:
    timeline, number = start
    return timeline in line and number <= ends.get(timeline, number)


def extend(missing: list[dict], timeline: int, number: int) -> None:
    last = missing[-1] if missing else None
    if last and split(last["to"]) == (timeline, number - 1):
        last["to"] = name(timeline, number)
        last["segments"] += 1
    else:
        missing.append({"from": name(timeline, number), "to": name(timeline, number), "segments": 1})
