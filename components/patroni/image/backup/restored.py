"""
Notes in the repository that a requested restore was carried out, before the cluster is opened: after a later loss of
everything the whole archive is restored, not that old target again. The database is whole then.
"""

import sys
import time

from . import bootstrap, pgbackrest, restore_request

# A whole restore would be done again for want of this one request.
PATIENCE_SECONDS = 120
PAUSE_SECONDS = 3


def main() -> int:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            note()
            break
        except pgbackrest.PgBackRestError as error:
            print(f"restored: {error}", flush=True)
            if time.monotonic() > end:
                return 1
        time.sleep(PAUSE_SECONDS)
    bootstrap.finish()
    return 0


def note() -> None:
    """For whoever asks the repository what was done to it: the bootstrap, the restore check."""
    request = restore_request.read()
    if request:
        path = f"restore/{pgbackrest.STANZA}/{request['generation']}"
        pgbackrest.run("repo-put", "--raw", path, stdin=f"{request['options']}\n")
        print(f"restored: generation {request['generation']} is done", flush=True)


if __name__ == "__main__":
    sys.exit(main())
