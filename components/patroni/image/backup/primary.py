"""Asks Patroni which timeline the cluster is on and how far it has written."""

import json
import os
import ssl
import time
import urllib.request
from email.utils import parsedate_to_datetime

ADDRESSES = os.environ.get("PATRONI_ADDRESSES", "").split()
AUTHORITY = os.environ.get("PATRONI_AUTHORITY", "")


def look() -> dict | None:
    """
    `{timeline, location, system, ahead}` of the primary, `ahead`: seconds by which its clock is ahead of ours; None when no
    instance says that it is one.
    """
    context = ssl.create_default_context(cadata=AUTHORITY)
    # Strict also asks for extensions that say nothing about trust.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    for address in ADDRESSES:
        try:
            with urllib.request.urlopen(f"https://{address}:8008/primary", timeout=3, context=context) as answer:
                status = json.load(answer)
                date = answer.headers["Date"]
                ahead = parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
        except (OSError, ValueError):
            continue
        if status.get("role") == "primary" and "xlog" in status:
            system = status.get("database_system_identifier")
            location = status["xlog"]["location"]
            return {"timeline": status["timeline"], "location": location, "system": system, "ahead": ahead}
    return None
