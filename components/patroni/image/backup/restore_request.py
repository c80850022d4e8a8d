"""The restore that the stack's settings ask for, as the program wrote it into the ConfigMap."""

import json
import os

PATH = os.environ.get("RESTORE_REQUEST", "/etc/postgres-ha/restore/restore.json")


def read() -> dict | None:
    """`{generation, options, source}`; None when nothing was ever asked for."""
    try:
        with open(PATH, encoding="utf8") as file:
            request = json.load(file)
    except FileNotFoundError:
        return None
    return request if request.get("generation", 0) > 0 else None
