"""
Beside each instance, in its pod: serves the data directory to the backup runner over TLS, writes the canary row while
this instance is the primary, tells the instance when the store cannot be reached and how far the primary has archived,
and drops data directories that a proven restore left behind.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import psycopg2

from . import pgbackrest
from .bootstrap import ATTEMPTS, DATA, LEFTOVERS, UNFINISHED, remove
from .set_aside import SUFFIX, kept

TLS = "/tls-backup"
FLAG = "/run/postgresql/store-unreachable"
STORE = (os.environ.get("STORE_HOST", ""), int(os.environ.get("STORE_PORT", "443")))
ARCHIVED = "/run/postgresql/archived"
WAL = "/data/pgdata/pg_wal"
# Of the volume: with less of it free a standby keeps no WAL for the archive, so that it has room when the primary has none.
ROOM = 0.1
EVERYTHING = "F" * 24
ROW_SECONDS = 5
STORE_SECONDS = 3
CLEAN_SECONDS = 300

# Single rows, so that they never grow.
ROWS = """
create schema if not exists postgres_ha;
create table if not exists postgres_ha.canary (
    id int primary key check (id = 1), written_at timestamptz not null, writes bigint not null
);
insert into postgres_ha.canary values (1, clock_timestamp(), 1) on conflict (id) do nothing;
create table if not exists postgres_ha.archived (
    id int primary key check (id = 1), segment text collate "C" not null
);
insert into postgres_ha.archived values (1, '') on conflict (id) do nothing;
"""

# The canary's age in a restored copy is the age of what can be recovered. The other is the last segment that the primary
# has archived, told to the standbys by way of the database (put-wal). What is up to date costs no write.
ADVANCE = """
update postgres_ha.canary set written_at = clock_timestamp(), writes = writes + 1
where written_at not between clock_timestamp() - interval '60 s' and clock_timestamp();
update postgres_ha.archived set segment = last_archived_wal from pg_stat_archiver
where last_archived_wal ~ '^[0-9A-F]{24}$' and segment < last_archived_wal;
"""


def main() -> int:
    # The first process of a container ignores what it does not handle: every pod would end only when its grace does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen(["pgbackrest", "server", "--log-level-console=warn"])
    # It reads its certificate once. Without this no backup would be made any more from a year after the pod's start.
    subprocess.Popen(["watch-certificates", str(server.pid), TLS])
    due = {"store": 0.0, "rows": 0.0, "clean": 0.0}
    while server.poll() is None:
        now = time.monotonic()
        if now >= due["store"]:
            watch_store()
            due["store"] = now + STORE_SECONDS
        if now >= due["rows"]:
            attempt(keep_rows)
            due["rows"] = now + ROW_SECONDS
        if now >= due["clean"]:
            attempt(clean)
            due["clean"] = now + CLEAN_SECONDS
        time.sleep(0.5)
    return server.returncode or 1


def attempt(work: Callable[[], None]) -> None:
    try:
        work()
    except (psycopg2.Error, pgbackrest.PgBackRestError, OSError) as error:
        complain(str(error).strip())


said: list[str] = [""]


def complain(message: str) -> None:
    """Once: an instance that starts says the same every few seconds."""
    if message != said[0]:
        print(f"agent: {message}", flush=True)
        said[0] = message


def watch_store() -> None:
    """Replicas then do not ask the store for WAL, so that a promotion never waits for it (get-wal)."""
    try:
        socket.create_connection(STORE, timeout=2).close()
    except OSError as error:
        if not os.path.exists(FLAG):
            print(f"agent: the store does not answer: {error}", flush=True)
        with open(FLAG, "w", encoding="utf8"):
            return
    if os.path.exists(FLAG):
        os.remove(FLAG)
        print("agent: the store answers", flush=True)


# Whether this instance was the primary when it was last looked at.
was_primary: list[bool] = [False]


def keep_rows() -> None:
    """The primary writes them, a standby reads how far the primary has archived."""
    connection = psycopg2.connect(
        host="/run/postgresql",
        user="postgres",
        dbname="postgres",
        connect_timeout=3,
        application_name="backup agent",
        # Without a synchronous standby the wait would be for ever; its outcome does not matter here.
        options="-c synchronous_commit=local -c statement_timeout=5000 -c client_min_messages=warning",
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select pg_is_in_recovery(), to_regclass('postgres_ha.archived') is not null")
            standby, known = cursor.fetchone()
            if standby and known:
                cursor.execute("select segment from postgres_ha.archived")
                write_mark(cursor.fetchone()[0] if has_room() else EVERYTHING)
            elif not standby:
                if not was_primary[0]:
                    # What its archiver "did" as a standby, which archives nothing, says nothing of the archive.
                    cursor.execute("select pg_stat_reset_shared('archiver')")
                if not known:
                    cursor.execute(ROWS)
                cursor.execute(ADVANCE)
            was_primary[0] = not standby
    finally:
        connection.close()


def has_room() -> bool:
    volume = os.statvfs(WAL)
    if volume.f_bavail >= ROOM * volume.f_blocks:
        return True
    complain("the volume is nearly full: this standby keeps no WAL for the archive; mend the store")
    return False


def write_mark(segment: str) -> None:
    with open(f"{ARCHIVED}.new", "w", encoding="utf8") as file:
        file.write(f"{segment}\n")
    os.replace(f"{ARCHIVED}.new", ARCHIVED)


def clean() -> None:
    """
    What came before a restore that is proven is not needed any more, however many restores came before it; attempts of a
    bootstrap are not once there is a database.
    """
    if os.path.exists(f"{DATA}/global/pg_control") and not os.path.exists(UNFINISHED):
        for path in filter(os.path.exists, LEFTOVERS):
            print(f"agent: removing {path}", flush=True)
            shutil.rmtree(path)
        remove(ATTEMPTS)
    old = kept()
    if old:
        proven = max(map(int, filter(str.isdigit, pgbackrest.names(f"proven/{pgbackrest.STANZA}"))), default=0)
        for path in old:
            if int(path.rpartition(SUFFIX)[2]) <= proven:
                print(f"agent: removing {path}: the restored database passed a restore test", flush=True)
                shutil.rmtree(path)


if __name__ == "__main__":
    sys.exit(main())
