"""
Notes in the repository that a requested restore was carried out, before the cluster is opened: after a later loss of
everything the whole archive is restored, not that old target again.
"""

import sys

from . import pgbackrest, restore_request


def main() -> int:
    request = restore_request.read()
    if request:
        path = f"restore/{pgbackrest.STANZA}/{request['generation']}"
        pgbackrest.run("repo-put", "--raw", path, stdin=f"{request['options']}\n")
        print(f"restored: generation {request['generation']} is done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
