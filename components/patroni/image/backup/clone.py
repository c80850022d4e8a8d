"""
Makes a replica's data directory from the repository, where that is quicker than a copy of the primary: what is
already there is kept, or the database is large. Otherwise it ends with 1 and Patroni takes a base backup.
"""

import os
import sys

from . import pgbackrest
from .bootstrap import DATA

# Below this a base backup over the network is done before a restore has fetched its manifest and replayed the WAL.
LARGE = int(os.environ.get("CLONE_FROM_REPOSITORY_BYTES", str(4 * 2**30)))


def main() -> int:
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
