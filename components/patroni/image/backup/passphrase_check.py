"""
Whether the passphrase in the settings is the one of what the repository holds, and the newest segment in it, by which it is told
whether another cluster archives there. Asked before either is written where the old one stands.
"""

import json
import sys

from . import contents, pgbackrest, wal_archive


def main() -> int:
    try:
        contents.look()
        answer: dict = {"fits": True, **newest()}
    except pgbackrest.PgBackRestError as error:
        answer = {"fits": False} if pgbackrest.WRONG_PASSPHRASE in str(error) else {"unknown": str(error)}
    print(json.dumps(answer))
    return 0


def newest() -> dict:
    archive = pgbackrest.info()["archive"]
    segment, uploaded = wal_archive.newest_segment(archive[-1]["id"], archive[-1]["max"]) if archive else (None, None)
    return {} if segment is None else {"newest": segment, "uploaded": uploaded or 0}


if __name__ == "__main__":
    sys.exit(main())
