"""
Before Patroni starts: when a restore was asked for that this volume has not seen, its data directory is renamed, not
removed. It stays until the restored cluster passed a restore test that a person asked for (runner.py).
"""

import os
import shutil
import sys

from . import restore_request
from .bootstrap import DATA, UNFINISHED, mark_finished

SEEN = os.path.join(os.path.dirname(DATA), "restore-generation")
COPYING = f"{DATA}.copying"
# Of a pg_rewind that has not ended (91-rewind-cut-off.patch): what has it Patroni does not start.
REWINDING = f"{DATA}.rewinding"
# What Patroni has put aside to copy the primary, and may take back; under the second name, since the copy is whole, it may not
# (94-past-mending.patch).
ASIDE = f"{DATA}.aside"
SUPERSEDED = f"{DATA}.superseded"
SUFFIX = ".before-restore-"


def main() -> int:
    put_unfinished_aside()
    supersede()
    request = restore_request.read()
    if request is None or request["generation"] <= seen():
        return 0
    generation = request["generation"]
    # Of a copy that was broken off what it was to replace.
    before = DATA if is_there() else ASIDE
    if os.path.isdir(before):
        # What earlier restores set aside stays too: the older it is, the more it holds that is nowhere else.
        os.rename(before, f"{DATA}{SUFFIX}{generation}")
        print(f"set-aside: the data directory is now {DATA}{SUFFIX}{generation}", flush=True)
    forget_rewind()
    with open(f"{SEEN}.new", "w", encoding="utf8") as file:
        file.write(str(generation))
    os.replace(f"{SEEN}.new", SEEN)
    return 0


def put_unfinished_aside() -> None:
    """
    A copy that was broken off has no pg_control, which is written last, or its mark (92-damaged-page.patch): what had arrived
    may not have been on the disk when the power went. A bootstrap that was broken off later has left its
    mark: Patroni would go on with the recovery as a standby, past the target that was asked for.

    Data that was opened once, which leaves postmaster.opts, has lost its pg_control: it may hold what is nowhere else.
    """
    is_marked = os.path.exists(UNFINISHED) or os.path.exists(COPYING)
    is_copy = not any(os.path.exists(f"{DATA}/{name}") for name in ("global/pg_control", "postmaster.opts"))
    if is_there() and (is_marked or is_copy):
        print(f"set-aside: {DATA} is unfinished; it is now {DATA}.incomplete", flush=True)
        shutil.rmtree(f"{DATA}.incomplete", ignore_errors=True)
        os.rename(DATA, f"{DATA}.incomplete")
    # What is made here from now on is another directory: a copy of the primary's, perhaps.
    mark_finished()
    if os.path.exists(COPYING):
        os.remove(COPYING)
        flush(os.path.dirname(DATA))
    forget_rewind()


def forget_rewind() -> None:
    """Of a data directory that is not there any more."""
    if not is_there() and os.path.exists(REWINDING):
        os.remove(REWINDING)
        flush(os.path.dirname(DATA))


def supersede() -> None:
    """Patroni was ended between the copy and this."""
    if is_there() and os.path.isdir(ASIDE):
        shutil.rmtree(SUPERSEDED, ignore_errors=True)
        os.rename(ASIDE, SUPERSEDED)
        flush(os.path.dirname(DATA))


def is_there() -> bool:
    return os.path.isdir(DATA) and len(os.listdir(DATA)) > 0


def flush(folder: str) -> None:
    """So that a loss of power does not undo what was renamed or removed in it."""
    handle = os.open(folder, os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
