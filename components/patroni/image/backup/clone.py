"""
Makes a replica's data directory from the repository, where that is quicker than a copy of the primary: what is
already there is kept, or the database is large. Otherwise it ends with 1 and Patroni takes a base backup.
"""

import json
import os
import ssl
import sys
import urllib.request

from . import pgbackrest
from .bootstrap import DATA

# Below this a base backup over the network is done before a restore has fetched its manifest and replayed the WAL.
LARGE = int(os.environ.get("CLONE_FROM_REPOSITORY_BYTES", str(4 * 2**30)))


# Patroni of this instance.
CLUSTER = "https://localhost:8008/cluster"
AUTHORITY = "/tls/patroni-ca.crt"


def is_trusted() -> bool:
    """
    Whether /sync names this instance: it is taken to have every acknowledged commit, and may be promoted over the primary
    that has them. A copy of the primary has them, for nobody else could confirm any meanwhile; a backup is older.
    """
    try:
        with urllib.request.urlopen(CLUSTER, timeout=5, context=ssl.create_default_context(cafile=AUTHORITY)) as answer:
            roles = {member["name"]: member["role"] for member in json.load(answer)["members"]}
        return roles[os.environ["INSTANCE_NAME"]] != "replica"
    except (OSError, ValueError, KeyError):
        return True


def main() -> int:
    if is_trusted():
        return decline("commits may wait for this instance, or Patroni does not say whether they do")
    if os.path.exists("/run/postgresql/store-unreachable"):
        return decline("the store cannot be reached")
    try:
        backups = pgbackrest.info()["backup"]
        if not backups:
            return decline("the repository holds no backup yet")
        kept = os.path.exists(f"{DATA}/PG_VERSION")
        if not kept and backups[-1]["info"]["size"] < LARGE:
            return decline("the database is small")
        print(f"clone: restoring {backups[-1]['label']}{' over what is here' if kept else ''}", flush=True)
        pgbackrest.stream("restore", f"--pg1-path={DATA}", "--type=standby", *(["--delta"] if kept else []))
        return 0
    except pgbackrest.PgBackRestError as error:
        return decline(str(error))


def decline(reason: str) -> int:
    print(f"clone: a base backup instead: {reason}", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
