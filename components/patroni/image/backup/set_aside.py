"""
Before Patroni starts: when a restore was asked for that this volume has not seen, its data directory is renamed, not
removed. It stays until the restored cluster passed a restore test (agent.py).
"""

import os
import shutil
import sys

from . import restore_request
from .bootstrap import DATA

SEEN = os.path.join(os.path.dirname(DATA), "restore-generation")
SUFFIX = ".before-restore-"


def main() -> int:
    drop_incomplete()
    request = restore_request.read()
    if request is None or request["generation"] <= seen():
        return 0
    generation = request["generation"]
    if os.path.isdir(DATA):
        for older in kept():
            print(f"set-aside: removing {older}, kept since an earlier restore", flush=True)
            shutil.rmtree(older)
        os.rename(DATA, f"{DATA}{SUFFIX}{generation}")
        print(f"set-aside: the data directory is now {DATA}{SUFFIX}{generation}", flush=True)
    with open(f"{SEEN}.new", "w", encoding="utf8") as file:
        file.write(str(generation))
    os.replace(f"{SEEN}.new", SEEN)
    return 0


def drop_incomplete() -> None:
    """A restore or copy that was broken off: pg_control is written last, and nothing starts without it."""
    if os.path.isdir(DATA) and os.listdir(DATA) and not os.path.exists(f"{DATA}/global/pg_control"):
        print(f"set-aside: {DATA} is incomplete; it is now {DATA}.incomplete", flush=True)
        shutil.rmtree(f"{DATA}.incomplete", ignore_errors=True)
        os.rename(DATA, f"{DATA}.incomplete")


def seen() -> int:
    try:
        with open(SEEN, encoding="utf8") as file:
            return int(file.read())
    except FileNotFoundError:
        return 0


def kept() -> list[str]:
    folder = os.path.dirname(DATA)
    prefix = os.path.basename(DATA) + SUFFIX
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.startswith(prefix))


if __name__ == "__main__":
    sys.exit(main())
