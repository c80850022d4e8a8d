"""
Makes the data directory of the first instance of a cluster that has no data anywhere. Patroni lets one instance run
this at a time. The repository decides: it has backups, and the cluster is restored; it is provably empty, and the
cluster is made new; anything else ends with one line and changes nothing.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone

from . import contents, pgbackrest, restore_request, wal_archive

DATA = os.environ.get("PGDATA_PATH", "/data/pgdata")
# In the pod's memory: what an earlier pod said, of an earlier request, is no news.
REPORT = os.environ.get("BOOTSTRAP_REPORT", "/run/postgresql/bootstrap.json")
# As Patroni's own bootstrap in a stack without backups (config.ts hands them over).
INITDB_OPTIONS = json.loads(os.environ.get("INITDB_OPTIONS", "[]"))


class Refused(Exception):
    """Nothing was changed; the text says why and what to do."""


def say(phase: str, message: str) -> None:
    """To the log, and to a file that `pulumi up` reads."""
    print(f"bootstrap: {message}", flush=True)
    with open(f"{REPORT}.new", "w", encoding="utf8") as file:
        json.dump({"phase": phase, "message": message, "at": datetime.now(timezone.utc).isoformat()}, file)
    os.replace(f"{REPORT}.new", REPORT)


# Lies beside a data directory that is in the making: whoever finds it at a start begins again (set_aside.py).
UNFINISHED = os.path.join(os.path.dirname(DATA), "bootstrap-unfinished")
# What attempts that failed have left: of this script, and of Patroni, which puts them aside under the second name.
LEFTOVERS = (f"{DATA}.incomplete", f"{DATA}.failed")
# Recoveries of the same kind that were begun and have not ended in a database, one to a line.
ATTEMPTS = os.path.join(os.path.dirname(DATA), "bootstrap-attempts")
# Two may have been cut off by a machine or a store that went away; it is tried on, but no more in silence.
SILENT_ATTEMPTS = 2
# Longer than `pulumi up` takes to see what was said.
TOLD_SECONDS = 30
# Longer than a back-off of Kubernetes would be: what was mended meanwhile is taken up soon.
PATIENCE_SECONDS = float(os.environ.get("BOOTSTRAP_PATIENCE", "300"))
RETRY_SECONDS = 10
# The WAL of the way to the target lies beside the data.
SPACE_FACTOR = 1.1


def main() -> int:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            decide()
            return 0
        except (Refused, pgbackrest.PgBackRestError) as error:
            say("failed", f"nothing was initialised: {error}")
        if time.monotonic() > end:
            return 1
        time.sleep(RETRY_SECONDS)


def decide() -> None:
    say("looking", "looking into the repository")
    own = contents.look()
    request = restore_request.read()
    if request and request["generation"] > own.restored_generation:
        restore_requested(request, own)
    elif own.kind == "backups":
        restore(["--type=default"])
    elif own.kind == "wal-only":
        raise Refused(
            f"the repository holds WAL of stanza {pgbackrest.STANZA} but no backup, so nothing can be restored, and a "
            "new database must not write among it. Choose another `backup.repository.path`, or remove what is there"
        )
    else:
        initialise(own)


def restore_requested(request: dict, own: contents.Contents) -> None:
    backups_for(request, own)
    if not request.get("source"):
        restore(request["options"])
        return
    restore(request["options"], config=pgbackrest.SOURCE, stanza=request["source"]["stanza"])
    describe_or_drop(own)


def backups_for(request: dict, own: contents.Contents) -> list[dict]:
    """Those the request can begin with. Refuses one that nothing could come of."""
    if not request.get("source"):
        if own.kind != "backups":
            raise Refused(
                "`restore` asks for a restore, but this stack's repository holds no backup; name the repository to "
                "restore in `restore.from`, or remove `restore`"
            )
        return own.backups
    if own.kind not in ("empty", "description-only"):
        raise Refused(
            "`restore.from` would write another database among this stack's own backups; choose another "
            "`backup.repository.path` for the clone"
        )
    stanza = request["source"]["stanza"]
    source = contents.look(pgbackrest.SOURCE, stanza)
    if source.kind != "backups":
        raise Refused(f"the repository of `restore.from` holds no backup of stanza {stanza}")
    return source.backups


def restore(options: list[str], config: str = pgbackrest.OWN, stanza: str | None = None) -> None:
    described = pgbackrest.info(config, stanza)
    size = described["backup"][-1]["info"]["size"]
    options = [*options, *begin_with(options, described, config, stanza)]
    drop_attempts()
    free = shutil.disk_usage(os.path.dirname(DATA)).free
    if free < size * SPACE_FACTOR:
        raise Refused(
            f"a restore needs {size // 2**20} MiB, {free // 2**20} MiB are free on the data volume; an earlier data "
            f"directory may lie there: see docs/runbooks/restore-in-place.md"
        )
    say("restoring", f"restoring stanza {stanza or pgbackrest.STANZA} ({size // 2**20} MiB): {' '.join(options)}")
    mark_unfinished()
    pgbackrest.restore(DATA, *options, config=config, stanza=stanza)
    begin_attempt(" ".join([stanza or pgbackrest.STANZA, *options]))
    say("recovering", "restored; PostgreSQL replays the WAL archive")


def begin_attempt(what: str) -> None:
    """Nobody else would tell: a recovery that PostgreSQL ends makes the container start anew, and this begin again."""
    before = [each for each in attempts() if each == what]
    if len(before) >= SILENT_ATTEMPTS:
        say(
            "failed",
            f"{len(before)} recoveries ended before there was a database ({what}): a target that the archive does not hold, or "
            "a file that is missing or damaged. The log of this instance says which (kubectl logs --previous -c postgresql, "
            "FATAL). It is tried again; another target is another `restore` with a new generation",
        )
        time.sleep(TOLD_SECONDS)
    with open(ATTEMPTS, "w", encoding="utf8") as file:
        file.write("".join(f"{each}\n" for each in [*before, what]))


def attempts() -> list[str]:
    try:
        with open(ATTEMPTS, encoding="utf8") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def begin_with(options: list[str], described: dict, config: str, stanza: str | None) -> list[str]:
    """
    pgBackRest begins with the newest backup, or the newest before a target in time or in the WAL, whatever line of timelines
    it is on and whether or not its pages are damaged; one of a line that was left it refuses then.
    """
    asked = by_name(options)
    if "set" in asked:
        return []
    timeline = int(asked["target-timeline"]) if "target-timeline" in asked else None
    reaching = wal_archive.on_line(described, timeline, config, stanza)
    fitting = contents.undamaged([each for each in reaching if ends_before_target(each, asked)])
    has_place = asked.get("type") in ("time", "lsn")
    if has_place and not fitting:
        raise Refused(
            f"no backup of the line that `restore` follows ended before {asked['target']}; "
            "say in `restore.timeline` which line to follow, or choose a later target"
        )
    # Without a place it takes the newest of all by itself.
    is_needed = fitting and (has_place or fitting[-1] != described["backup"][-1])
    return [f"--set={fitting[-1]['label']}"] if is_needed else []


def by_name(options: list[str]) -> dict[str, str]:
    return dict(option.removeprefix("--").partition("=")[::2] for option in options)


def ends_before_target(backup: dict, asked: dict[str, str]) -> bool:
    """Recovery goes forward from the end of a backup."""
    if asked.get("type") == "time":
        return backup["timestamp"]["stop"] < datetime.fromisoformat(asked["target"]).timestamp()
    if asked.get("type") == "lsn":
        return wal_archive.place(backup["lsn"]["stop"]) <= wal_archive.place(asked["target"])
    return True


def drop_attempts() -> None:
    """Nothing in them is anywhere else missing: each was made from the repository, and none was ever opened."""
    if not os.path.exists(f"{DATA}/global/pg_control"):
        # Of an attempt that was broken off: pg_control comes last.
        shutil.rmtree(DATA, ignore_errors=True)
    for path in LEFTOVERS:
        shutil.rmtree(path, ignore_errors=True)


def mark_unfinished() -> None:
    """Until post-bootstrap has ended: recovery that was broken off must not go on without its target."""
    with open(UNFINISHED, "w", encoding="utf8"):
        pass


def mark_finished() -> None:
    remove(UNFINISHED)


def remove(path: str) -> None:
    if os.path.exists(path):
        os.remove(path)


def finish() -> None:
    """There is a database, and it is about to be opened."""
    mark_finished()
    remove(ATTEMPTS)
    say("done", "the database is made")


def initialise(own: contents.Contents) -> None:
    say("initialising", "the repository is empty: making a new database")
    mark_unfinished()
    # Patroni sets the superuser's password afterwards, as it does after a restore.
    subprocess.run(["initdb", "--pgdata", DATA, *INITDB_OPTIONS, "--username=postgres"], check=True)
    # Before PostgreSQL has ever started: it is also the proof that the repository can be written.
    describe_or_drop(own)
    say("initialised", "a new database was made; PostgreSQL starts")


def describe_or_drop(own: contents.Contents) -> None:
    """The next attempt begins with an empty folder."""
    try:
        describe_stanza(own)
    except pgbackrest.PgBackRestError:
        shutil.rmtree(DATA)
        raise


def describe_stanza(own: contents.Contents) -> None:
    """A description alone, without a backup or a segment, is left by a start that was broken off."""
    if own.kind == "description-only":
        for folder in ("backup", "archive"):
            pgbackrest.run("repo-rm", "--recurse", f"{folder}/{pgbackrest.STANZA}")
    pgbackrest.run("stanza-create", "--no-online", f"--pg1-path={DATA}")


if __name__ == "__main__":
    sys.exit(main())
