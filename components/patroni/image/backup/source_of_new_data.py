"""
What a cluster whose data is lost would begin with: asked before it is forgotten, as the bootstrap cannot know any more then that
there was one.
"""

import sys

from . import contents, pgbackrest, restore_request


def main() -> int:
    try:
        print(source())
    except pgbackrest.PgBackRestError as error:
        print(error)
    return 0


def source() -> str:
    own = contents.look()
    request = restore_request.read()
    is_asked = request is not None and request["generation"] > own.restored_generation
    return "repository" if is_asked or own.kind not in ("empty", "description-only") else "none"


if __name__ == "__main__":
    sys.exit(main())
