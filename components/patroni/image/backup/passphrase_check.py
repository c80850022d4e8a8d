"""
Whether the passphrase in the settings is the one of what the repository holds. Asked before it is written where the old one
stands.
"""

import json
import sys

from . import contents, pgbackrest


def main() -> int:
    try:
        contents.look()
        answer: dict = {"fits": True}
    except pgbackrest.PgBackRestError as error:
        answer = {"fits": False} if pgbackrest.WRONG_PASSPHRASE in str(error) else {"unknown": str(error)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
