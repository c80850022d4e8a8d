"""
Whether the restore that is asked for could begin. `pulumi up` asks in a container of its own, before it changes anything:
what would be refused only by the bootstrap would be refused with every instance stopped.
"""

import json
import sys
from datetime import datetime, timezone

from . import bootstrap, contents, pgbackrest, restore_request


def main() -> int:
    try:
        answer = {"bytes": needed_bytes(datetime.now(timezone.utc))}
    except (bootstrap.Refused, pgbackrest.PgBackRestError) as error:
        answer = {"refused": str(error)}
    print(json.dumps(answer))
    return 0


def needed_bytes(now: datetime) -> int:
    """Room for the restored data beside today's on each volume; 0 for a request that was carried out already."""
    own = contents.look()
    request = restore_request.read()
    if request is None or request["generation"] <= own.restored_generation:
        return 0
    backups = bootstrap.backups_for(request, own)
    options = dict(option.removeprefix("--").split("=", 1) for option in request["options"])
    refuse_out_of_reach(options, chosen(backups, options.get("set")), now)
    return int(backups[-1]["info"]["size"] * bootstrap.SPACE_FACTOR)


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
    if options["type"] == "lsn" and place(options["target"]) < place(backups[0]["lsn"]["stop"]):
        raise bootstrap.Refused(
            f"`restore.target.lsn` {options['target']} is too early: the first usable backup ended at "
            f"{backups[0]['lsn']['stop']}"
        )


def place(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


if __name__ == "__main__":
    sys.exit(main())
