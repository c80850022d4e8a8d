"""
Beside each instance, in its pod: serves the data directory to the backup runner over TLS, writes the canary row while
this instance is the primary, tells the instance when the store cannot be reached, and drops data directories that a
proven restore left behind.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import psycopg2

from . import pgbackrest
from .set_aside import SUFFIX, kept

FLAG = "/run/postgresql/store-unreachable"
STORE = (os.environ.get("STORE_HOST", ""), int(os.environ.get("STORE_PORT", "443")))
CANARY_SECONDS = 60
STORE_SECONDS = 3
CLEAN_SECONDS = 300

# One row, so that it never grows; its age in a restored copy is the age of what can be recovered.
CANARY = """
create schema if not exists postgres_ha;
create table if not exists postgres_ha.canary (
    id int primary key check (id = 1), written_at timestamptz not null, writes bigint not null
);
insert into postgres_ha.canary values (1, clock_timestamp(), 1)
on conflict (id) do update set written_at = excluded.written_at, writes = canary.writes + 1;
"""


def main() -> int:
    # The first process of a container ignores what it does not handle: every pod would end only when its grace does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = subprocess.Popen(["pgbackrest", "server", "--log-level-console=warn"])
    due = {"store": 0.0, "canary": 0.0, "clean": 0.0}
    while server.poll() is None:
        now = time.monotonic()
        if now >= due["store"]:
            watch_store()
            due["store"] = now + STORE_SECONDS
        if now >= due["canary"]:
            # A replica looks again soon: after a promotion the row must not wait for a whole minute.
            due["canary"] = now + (CANARY_SECONDS if attempt(write_canary) else 5)
        if now >= due["clean"]:
            attempt(clean)
            due["clean"] = now + CLEAN_SECONDS
        time.sleep(0.5)
    return server.returncode or 1


def attempt(work) -> bool:
    try:
        return work()
    except (psycopg2.Error, pgbackrest.PgBackRestError, OSError) as error:
        complain(str(error).strip())
        return False


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


def write_canary() -> bool:
    """False on a replica."""
    connection = psycopg2.connect(
        host="/run/postgresql",
        user="postgres",
        dbname="postgres",
        connect_timeout=3,
        application_name="backup canary",
        # Without a synchronous standby the wait would be for ever; its outcome does not matter here.
        options="-c synchronous_commit=local -c statement_timeout=5000 -c client_min_messages=warning",
    )
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("select pg_is_in_recovery()")
            if cursor.fetchone() == (True,):
                return False
            cursor.execute(CANARY)
        return True
    finally:
        connection.close()


def clean() -> bool:
    old = kept()
    if old:
        proven = pgbackrest.names(f"proven/{pgbackrest.STANZA}")
        for path in old:
            if path.rpartition(SUFFIX)[2] in proven:
                print(f"agent: removing {path}: the restored database passed a restore test", flush=True)
                shutil.rmtree(path)
    return True


if __name__ == "__main__":
    sys.exit(main())
