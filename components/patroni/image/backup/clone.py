"""
Makes a replica's data directory from the repository, where that is quicker than a copy of the primary: what is
already there is kept, or the database is large, or the primary has a damaged page. Otherwise it ends with 1 and Patroni
takes a base backup.
"""

import json
import os
import shutil
import ssl
import sys
import time
import urllib.request

from . import pgbackrest, wal_archive
from .bootstrap import DATA, LEFTOVERS
from .set_aside import flush

# Below this a base backup over the network is done before a restore has fetched its manifest and replayed the WAL.
LARGE = int(os.environ.get("CLONE_FROM_REPOSITORY_BYTES", str(4 * 2**30)))


# Patroni of this instance.
CLUSTER = "https://localhost:8008/cluster"
AUTHORITY = "/tls/patroni-ca.crt"
# Written when a base backup ended with a wrong checksum (92-damaged-page.patch), and good for a day. A backup's pages are whole.
DAMAGED_SOURCE = f"{DATA}.damaged-source"
A_DAY_SECONDS = 24 * 3600


def ask_members() -> dict[str, dict]:
    """By name; empty where Patroni does not say."""
    try:
        with urllib.request.urlopen(CLUSTER, timeout=5, context=ssl.create_default_context(cafile=AUTHORITY)) as answer:
            return {member["name"]: member for member in json.load(answer)["members"]}
    except (OSError, ValueError, KeyError):
        return {}


def drop_leftovers(members: dict[str, dict]) -> None:
    """Of copies that were broken off: the next one may not fit beside them. Not where nobody leads: it may be all there is."""
    if any(member.get("role") == "leader" for member in members.values()):
        for path in filter(os.path.exists, LEFTOVERS):
            print(f"clone: removing {path}", flush=True)
            shutil.rmtree(path, ignore_errors=True)


def line_to_follow(members: dict[str, dict]) -> int | None:
    """
    The leader's timeline; None where no backup may be taken, or Patroni does not say. None where /sync names this
    instance: it is taken to have every acknowledged commit, and may be promoted over the primary that has them. A copy of the
    primary has them, for nobody else could confirm any meanwhile; a backup is older.
    """
    try:
        if members[os.environ["INSTANCE_NAME"]]["role"] != "replica":
            return None
        return next(member["timeline"] for member in members.values() if member["role"] == "leader")
    except (KeyError, StopIteration):
        return None


def source_is_damaged() -> bool:
    return os.path.exists(DAMAGED_SOURCE) and abs(time.time() - os.path.getmtime(DAMAGED_SOURCE)) < A_DAY_SECONDS


def usable(described: dict, timeline: int) -> list[dict]:
    """
    Those that lead to the leader's timeline, without damaged pages. One that ends behind the place where a restore left its
    line never becomes consistent.
    """
    return [each for each in wal_archive.on_line(described, timeline) if not each.get("error")]


def main() -> int:
    members = ask_members()
    drop_leftovers(members)
    timeline = line_to_follow(members)
    if timeline is None:
        return decline("commits may wait for this instance, or Patroni does not say whom it is to follow")
    if os.path.exists("/run/postgresql/store-unreachable"):
        return decline("the store cannot be reached")
    try:
        described = pgbackrest.info()
        backups = usable(described, timeline) if described["backup"] else []
        if not backups:
            return decline(f"the repository holds no whole backup that leads to timeline {timeline}")
        newest = backups[-1]
        kept = os.path.exists(f"{DATA}/PG_VERSION")
        if not kept and newest["info"]["size"] < LARGE and not source_is_damaged():
            return decline("the database is small")
        print(f"clone: restoring {newest['label']}{' over what is here' if kept else ''}", flush=True)
        if kept:
            forget_that_it_was_opened()
        options = [f"--set={newest['label']}", "--type=standby", *(["--delta"] if kept else [])]
        pgbackrest.stream("restore", f"--pg1-path={DATA}", *options)
        return 0
    except pgbackrest.PgBackRestError as error:
        return decline(str(error))


def forget_that_it_was_opened() -> None:
    """pgBackRest begins by removing pg_control: what a broken-off restore leaves is no damaged data (set_aside.py)."""
    if os.path.exists(f"{DATA}/postmaster.opts"):
        os.remove(f"{DATA}/postmaster.opts")
        flush(DATA)


def decline(reason: str) -> int:
    print(f"clone: a base backup instead: {reason}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
