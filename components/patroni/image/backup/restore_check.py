"""
Whether the restore that is asked for could begin. `pulumi up` asks in a container of its own, before it changes anything:
what would be refused only by the bootstrap would be refused with every instance stopped.
"""

import json
import sys
from datetime import datetime, timezone

from . import bootstrap, contents, pgbackrest, restore_request, wal_archive


def main() -> int:
    try:
        answer = look(datetime.now(timezone.utc))
    except (bootstrap.Refused, pgbackrest.PgBackRestError) as error:
        answer = {"refused": str(error)}
    print(json.dumps(answer))
    return 0


def look(now: datetime) -> dict:
    """
    `bytes`: room for the restored data beside today's on each volume; 0 for a request that was carried out already.
    `carriedOut`: highest generation that was, on this repository.
    """
    own = contents.look()
    request = restore_request.read()
    if request is None or request["generation"] <= own.restored_generation:
        return {"bytes": 0, "carriedOut": own.restored_generation}
    backups = bootstrap.backups_for(request, own)
    options = bootstrap.by_name(request["options"])
    refuse_out_of_reach(options, chosen(backups, options.get("set")), now)
    if "target-timeline" not in options and not request.get("source"):
        refuse_another_time(options, now)
        refuse_another_place(options)
    source = (pgbackrest.SOURCE, request["source"]["stanza"]) if request.get("source") else (pgbackrest.OWN, None)
    bootstrap.begin_with(request["options"], pgbackrest.info(*source), *source)
    size = int(backups[-1]["info"]["size"] * bootstrap.SPACE_FACTOR)
    return {"bytes": size, "carriedOut": own.restored_generation}


def chosen(backups: list[dict], label: str | None) -> list[dict]:
    if label is None:
        return backups
    found = [each for each in backups if each["label"] == label]
    if not found:
        labels = ", ".join(each["label"] for each in backups[-10:])
        raise bootstrap.Refused(f"`restore.backup` {label} is none of the repository's backups; it holds {labels}")
    return found


def refuse_out_of_reach(options: dict, backups: list[dict], now: datetime) -> None:
    """Recovery goes forward from the end of a backup. What lies after the archive's end is known only at that end."""
    if options["type"] == "time":
        target = datetime.fromisoformat(options["target"])
        first = datetime.fromtimestamp(backups[0]["timestamp"]["stop"], timezone.utc)
        if target > now:
            raise bootstrap.Refused(f"`restore.target.time` {target} lies in the future; for the newest data use `latest`")
        if target <= first:
            raise bootstrap.Refused(f"`restore.target.time` {target} is too early: the first usable backup ended at {first}")
    if options["type"] == "lsn" and wal_archive.place(options["target"]) < wal_archive.place(backups[0]["lsn"]["stop"]):
        raise bootstrap.Refused(
            f"`restore.target.lsn` {options['target']} is too early: the first usable backup ended at "
            f"{backups[0]['lsn']['stop']}"
        )


def refuse_another_time(options: dict, now: datetime) -> None:
    """
    After a restore there are two pasts. Without a timeline the newest one is followed: what the other one held in the time
    between the earlier target and that restore is not on it, and recovery would end where that restore did, without a word.
    """
    if options["type"] != "time":
        return
    target = datetime.fromisoformat(options["target"])
    for generation, done in sorted(restores().items()):
        if target < done <= now:
            raise bootstrap.Refused(
                f"`restore.target.time` {target} lies before restore {generation} ({done}), which began a line of its own: "
                f"say in `restore.timeline` which one to follow, the one before it or the newest ({timelines()})"
            )


def refuse_another_place(options: dict) -> None:
    """pgBackRest begins with the last backup before the place, on whichever line that is, and then refuses."""
    if options["type"] != "lsn" or "set" in options:
        return
    described = pgbackrest.info()
    before = [each for each in described["backup"] if bootstrap.ends_before_target(each, options)]
    if before and before[-1] not in wal_archive.on_line(described):
        raise bootstrap.Refused(
            f"`restore.target.lsn` {options['target']} lies behind a backup of a line that a restore has left "
            f"({before[-1]['label']}): say in `restore.timeline` which one to follow ({timelines()})"
        )


def restores() -> dict[int, datetime]:
    """When each restore of this repository's cluster was carried out."""
    text = pgbackrest.run("repo-ls", "--output=json", f"restore/{pgbackrest.STANZA}")
    found = json.loads(text or "{}")
    return {int(name): datetime.fromtimestamp(entry["time"], timezone.utc) for name, entry in found.items() if name.isdigit()}


def timelines() -> str:
    archive = wal_archive.listing(pgbackrest.info()["archive"][-1]["id"])
    return "the archive holds " + ", ".join(map(str, sorted({1, *archive.timelines})))


if __name__ == "__main__":
    sys.exit(main())
