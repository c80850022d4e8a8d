"""
Restores the newest backup and all archived WAL into a throwaway instance that nobody can reach, checks every page's
structure and the canary row, and removes it again. A backup that was never restored does not count.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from datetime import datetime, timezone

import psycopg2

from . import bootstrap, pgbackrest, wal_archive

ROOT = os.environ.get("SCRATCH", "/scratch")
DATA = f"{ROOT}/pgdata"
RECOVERY_SECONDS = 6 * 3600
# Past its limit the kubelet ends the pod, with nothing said.
LIMIT = int(os.environ.get("SCRATCH_BYTES", str(2**63)))
# Of the file system, which may be the one of the database and of etcd.
LEFT_ALONE = 0.05

# Its own settings: those of the backup name files of the instance it came from.
SETTINGS = f"""
listen_addresses = ''
unix_socket_directories = '{ROOT}'
hba_file = '{ROOT}/pg_hba.conf'
data_directory = '{DATA}'
archive_mode = off
shared_buffers = 64MB
max_connections = 20
# Then its limits may be lower than those of the primary.
hot_standby = off
autovacuum = off
fsync = off
"""


# Annotations of backups.
BEGUN, PASSED = "restore-test-begun", "restore-tested"
AGAIN = " again"


class TestFailed(Exception):
    pass


def run(newest: str | None = None) -> dict:
    """
    What was restored and up to when; raises when anything is not as it must be. `newest`: a segment that the archive
    holds, and that replay must reach.
    """
    begin = time.time()
    clear()
    backups = pgbackrest.info()["backup"]
    label = backups[-1]["label"]
    refuse_without_room(backups[-1]["info"]["size"])
    # Should the pod not outlive it: its successor begins once more at once, not for ever.
    mark = iso(datetime.now(timezone.utc)) + (AGAIN if unended(backups) else "")
    pgbackrest.run("annotate", f"--set={label}", f"--annotation={BEGUN}={mark}")
    try:
        # `--set` and all WAL that is there: the newest state that could be recovered now.
        options = [f"--set={label}", "--archive-mode=off", f"--tablespace-map-all={ROOT}/tablespaces"]
        pgbackrest.restore(DATA, "--type=default", *options)
        with start() as server:
            try:
                wait_until_open(server)
                check_reach(newest)
                check_structure()
                canary = read_canary()
            finally:
                server.send_signal(signal.SIGQUIT)
    except Exception:
        forget_begun()
        raise
    finally:
        clear()
    passed = datetime.now(timezone.utc)
    pgbackrest.run(
        "annotate",
        f"--set={label}",
        f"--annotation={PASSED}={iso(passed)}",
        f"--annotation=recoverable-until={iso(canary)}",
    )
    return {
        "backup": label,
        "passedAt": iso(passed),
        "recoverableUntil": iso(canary),
        "seconds": round(time.time() - begin, 1),
    }


def forget_begun() -> None:
    """A test that fails has an end, and says why."""
    try:
        for each in filter(lambda backup: BEGUN in backup.get("annotation", {}), pgbackrest.info()["backup"]):
            pgbackrest.run("annotate", f"--set={each['label']}", f"--annotation={BEGUN}=")
    except pgbackrest.PgBackRestError as error:
        print(f"restore-test: {error}", flush=True)


def unended(backups: list[dict]) -> str | None:
    """When a test was begun that took its pod with it; `AGAIN` at its end where that was not the first."""
    begun, passed = (
        max((each.get("annotation", {}).get(name, "") for each in backups), default="") for name in (BEGUN, PASSED)
    )
    return begun if begun > passed else None


def refuse_without_room(size: int) -> None:
    needed = int(size * bootstrap.SPACE_FACTOR)
    volume = shutil.disk_usage(ROOT)
    room = min(LIMIT, volume.free - int(LEFT_ALONE * volume.total))
    if needed > room:
        raise TestFailed(
            f"a restore needs {needed // 2**20} MiB, {max(0, room) // 2**20} MiB may be used: of `backup.scratch` "
            f"({LIMIT // 2**20} MiB), and of the disk below it without its last {LEFT_ALONE:.0%}"
        )


def iso(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def start() -> subprocess.Popen:
    with open(f"{ROOT}/pg_hba.conf", "w", encoding="utf8") as file:
        file.write("local all all trust\n")
    with open(f"{ROOT}/postgresql.conf", "w", encoding="utf8") as file:
        file.write(SETTINGS)
        # The one limit that replay without queries needs.
        file.write(f"max_prepared_transactions = {prepared_transactions()}\n")
    with open(f"{ROOT}/log", "w", encoding="utf8") as log:
        return subprocess.Popen(
            ["postgres", "-D", DATA, "-c", f"config_file={ROOT}/postgresql.conf"], stdout=log, stderr=log
        )


def prepared_transactions() -> int:
    """As the primary had it."""
    said = subprocess.run(["pg_controldata", DATA], capture_output=True, text=True, check=True).stdout
    found = re.search(r"^max_prepared_xacts setting:\s*(\d+)$", said, re.MULTILINE)
    return int(found[1]) if found else 0


def wait_until_open(server: subprocess.Popen) -> None:
    """Open means recovered to the end of the archive: `hot_standby` is off."""
    end = time.time() + RECOVERY_SECONDS
    while time.time() < end and server.poll() is None:
        if subprocess.run(["pg_isready", "--quiet", "--host", ROOT], check=False).returncode == 0:
            return
        time.sleep(0.5)
    raise TestFailed(f"the restored copy does not start: {last_line()}")


def last_line() -> str:
    with open(f"{ROOT}/log", encoding="utf8", errors="replace") as file:
        lines = [line.strip() for line in file if "FATAL" in line or "PANIC" in line or "LOG" in line]
    fatal = [line for line in lines if "FATAL" in line or "PANIC" in line]
    return (fatal or lines or ["no log"])[-1]


def check_reach(newest: str | None) -> None:
    """Replay ends without a word at the first segment that is missing."""
    lsn = ask("select pg_current_wal_lsn()::text")
    if newest is not None and wal_archive.number_at(lsn) < wal_archive.split(newest)[1]:
        raise TestFailed(f"replay ended at {lsn}, before segment {newest}, which is archived: a segment before it is missing")


def check_structure() -> None:
    """Heaps and B-trees of every database."""
    arguments = ["pg_amcheck", "--all", "--install-missing", "--host", ROOT, "--username", "postgres"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        words = " ".join((done.stdout + done.stderr).split())
        raise TestFailed(f"pg_amcheck found damage in the restored copy: {words[:300]}")


def read_canary() -> datetime:
    try:
        return ask("select written_at from postgres_ha.canary")
    except (psycopg2.Error, TypeError) as error:
        raise TestFailed(f"the restored copy has no canary row: {str(error).splitlines()[0]}") from error


def ask(query: str):
    """The one value that the copy answers."""
    connection = psycopg2.connect(host=ROOT, user="postgres", dbname="postgres")
    try:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchone()[0]
    finally:
        connection.close()


def clear() -> None:
    for entry in os.listdir(ROOT):
        path = os.path.join(ROOT, entry)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
