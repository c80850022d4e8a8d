"""What the runner knows, as `make status` and `pulumi up` read it."""

import threading
import time
from datetime import datetime, timezone


def iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class State:
    """Written by the watch and by the job that runs, read by the API."""

    def __init__(self, stanza: str, repository: str):
        self.lock = threading.Lock()
        self.values: dict = {
            "stanza": stanza,
            "repository": repository,
            "reachable": None,
            "problem": None,
            "otherDatabase": False,
            "checkedAt": None,
            "archive": None,
            "backups": [],
            "running": None,
            "lastJob": None,
            "restoreTest": None,
            "latestRecoverableTime": None,
        }
        # Jobs asked for over the API, oldest first.
        self.requests: list[dict] = []

    def set(self, **changes) -> None:
        with self.lock:
            self.values.update(changes)

    def read(self) -> dict:
        with self.lock:
            return {**self.values, "now": iso(time.time()), "requested": [dict(each) for each in self.requests]}

    def ask(self, job: dict) -> None:
        with self.lock:
            if job not in self.requests:
                self.requests.append(job)

    def next_request(self) -> dict | None:
        with self.lock:
            return self.requests[0] if self.requests else None

    def is_requested(self, job: dict) -> bool:
        with self.lock:
            return job in self.requests

    def done(self, job: dict) -> None:
        with self.lock:
            if job in self.requests:
                self.requests.remove(job)
