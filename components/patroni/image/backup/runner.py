"""
The one runner of a cluster: watches the archive, takes backups by schedule, on request and after every promotion, and
restores the newest one for a test. `expire` runs only here, at the end of each backup.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from . import api, cron, pgbackrest, plan, primary, restore_test, restored, wal_archive
from .contents import look
from .state import State, iso

SCHEDULE = json.loads(os.environ.get("BACKUP_SCHEDULE", "{}"))
WATCH_SECONDS = 10
# A listing of the whole archive; the newest segment is looked for at every watch.
FULL_CHECK_SECONDS = 300
# From a gap that is new to the look that confirms it: longer than the upload of a segment.
CONFIRM_SECONDS = 10
RETRY_SECONDS = (10, 20, 40, 80, 160, 300)
# Status codes of `pgbackrest info`: no folder of the stanza, or one without its description.
MISSING_STANZA = (1, 3)
CHECK = {"job": "check"}
HEARTBEAT = Path("/tmp/heartbeat")


class OtherDatabase(Exception):
    """The repository's stanza is not of this cluster: nothing that it holds is about it."""


class Runner:
    def __init__(self, state: State):
        self.state = state
        self.info: dict = {"backup": [], "archive": []}
        self.timeline: int | None = None
        self.last_test = 0.0
        self.full_check_due = 0.0
        self.gaps: list[dict] = []
        self.newest: str | None = None
        self.failures = 0
        self.not_before = 0.0
        # What was asked for and failed at the last attempt: tried again, but not at once.
        self.failed_request: dict | None = None
        self.job: threading.Thread | None = None

    def step(self) -> bool:
        """False where the repository cannot be read: nothing can be done then."""
        HEARTBEAT.touch()
        request = self.state.next_request()
        # One that is asked for while this look lasts is for the next.
        is_check = self.state.is_requested(CHECK)
        if is_check:
            self.full_check_due = 0
        try:
            self.watch()
            self.state.set(reachable=True, problem=None, otherDatabase=False, checkedAt=iso(time.time()))
            if is_check:
                self.state.done(CHECK)
        except (pgbackrest.PgBackRestError, OtherDatabase, ValueError, OSError) as error:
            is_other = isinstance(error, OtherDatabase)
            self.state.set(reachable=False, problem=str(error), otherDatabase=is_other, checkedAt=iso(time.time()))
            return False
        if self.is_idle():
            self.start_job(request if self.is_due(request) else None)
        return True

    def is_idle(self) -> bool:
        return self.job is None or not self.job.is_alive()

    def is_due(self, request: dict | None) -> bool:
        return request is not None and (request != self.failed_request or time.monotonic() >= self.not_before)

    def watch(self) -> None:
        seen = primary.look()
        self.timeline = seen["timeline"] if seen else self.timeline
        self.info = pgbackrest.info()
        if seen and self.info.get("status", {}).get("code") in MISSING_STANZA:
            # A repository that is new to a database that runs: pgBackRest refuses where another one's is.
            pgbackrest.stream("stanza-create", config=pgbackrest.RUNNER)
            # A restore that the settings still name was carried out on the repository before this one.
            restored.note()
            self.info = pgbackrest.info()
        refuse_other_database(self.info, seen)
        backups = self.info["backup"]
        self.read_annotations(backups)
        self.show_progress()
        if self.info["archive"]:
            self.watch_archive(self.info["archive"][-1]["id"], seen)
        # The newest ten, and the newest full one, which may be older: its age is what a person asks for.
        shown = backups[-10:]
        if all(each["type"] != "full" for each in shown):
            shown = [each for each in backups[:-10] if each["type"] == "full"][-1:] + shown
        self.state.set(backups=[summary(each) for each in shown])

    def watch_archive(self, identifier: str, seen: dict | None) -> None:
        if time.monotonic() >= self.full_check_due:
            gaps = self.find_gaps(identifier)
            if gaps and gaps != self.gaps:
                # Segments are pushed side by side: a later one may arrive a moment before an earlier one.
                time.sleep(CONFIRM_SECONDS)
                gaps = self.find_gaps(identifier)
            self.gaps = self.gaps if gaps is None else gaps
            self.full_check_due = time.monotonic() + FULL_CHECK_SECONDS
        newest, uploaded = wal_archive.newest_segment(identifier, self.info["archive"][-1]["max"])
        self.newest = max(filter(None, (self.newest, newest)), default=None)
        behind = None
        if seen and newest:
            behind = max(0, seen["location"] // wal_archive.SEGMENT_BYTES - wal_archive.split(newest)[1] - 1)
        archive = {
            "newest": newest,
            "archivedAt": iso(uploaded),
            "timeline": self.timeline,
            "segmentsBehind": behind,
            "gaps": self.gaps,
            # Those before it spoil older backups only.
            "gapAfterNewestBackup": self.has_gap_after_newest(),
        }
        self.state.set(archive=archive, latestRecoverableTime=iso(self.recoverable(uploaded)))

    def recoverable(self, uploaded: float | None) -> float | None:
        """Up to when the newest backup can be rolled: nothing without one, and not past a segment that is missing."""
        if not self.info["backup"]:
            return None
        return self.info["backup"][-1]["timestamp"]["stop"] if self.has_gap_after_newest() else uploaded

    def has_gap_after_newest(self) -> bool:
        if not self.info["backup"]:
            return bool(self.gaps)
        number = wal_archive.split(self.info["backup"][-1]["archive"]["start"])[1]
        return any(wal_archive.split(gap["to"])[1] >= number for gap in self.gaps)

    def find_gaps(self, identifier: str) -> list[dict] | None:
        """None while the history of the cluster's timeline is needed and not in the archive yet."""
        archive = wal_archive.listing(identifier)
        timeline = self.timeline or max([1, *archive.timelines])
        ancestors = wal_archive.history(identifier, timeline) if timeline in archive.timelines or timeline == 1 else []
        starts = [each["archive"]["start"] for each in self.info["backup"]]
        # In a repository that began later than the timeline its history never arrives, nor is it needed.
        if timeline != 1 and not ancestors and any(wal_archive.split(start)[0] != timeline for start in starts):
            return None
        return wal_archive.gaps(set(archive.segments), starts, timeline, ancestors, self.newest)

    def read_annotations(self, backups: list[dict]) -> None:
        self.read_begun(backups)
        tested = [each for each in backups if restore_test.PASSED in each.get("annotation", {})]
        if not tested or (self.state.values["restoreTest"] or {}).get("failedAt"):
            return
        newest = max(tested, key=lambda each: each["annotation"][restore_test.PASSED])
        note = newest["annotation"]
        self.last_test = max(self.last_test, seconds(note[restore_test.PASSED]))
        shown = {
            "passedAt": note[restore_test.PASSED],
            "recoverableUntil": note.get("recoverable-until"),
            "backup": newest["label"],
        }
        self.state.set(restoreTest={**(self.state.values["restoreTest"] or {}), **shown})

    def read_begun(self, backups: list[dict]) -> None:
        """A test that ended with its runner twice is not begun again before its time."""
        begun, again = (restore_test.unended(backups) or ""), restore_test.AGAIN
        if not begun.endswith(again) or not self.is_idle():
            return
        begun = begun.removesuffix(again)
        if seconds(begun) > self.last_test:
            self.last_test = seconds(begun)
            message = "twice it did not end: the runner was ended meanwhile, for its memory or its disk perhaps"
            self.state.set(restoreTest={"failedAt": begun, "message": message})

    def show_progress(self) -> None:
        running = self.state.values["running"]
        lock = self.info.get("status", {}).get("lock", {}).get("backup", {})
        if running and running["job"] == "backup" and lock.get("held") and lock.get("size"):
            done = lock.get("size-cplt", 0)
            self.state.set(running={**running, "doneBytes": done, "totalBytes": lock["size"]})

    def start_job(self, request: dict | None) -> None:
        now = cron.utc(time.time())
        backups = self.info["backup"]
        if request and request["job"] in ("backup", "restore-test"):
            job = {**request, "reason": "requested"}
        elif self.timeline and time.monotonic() >= self.not_before and (due := plan.due_backup(backups, SCHEDULE, self.timeline, now)):
            job = {"job": "backup", "type": due[0], "reason": due[1]}
        elif plan.is_test_due(backups, SCHEDULE.get("restoreTest"), self.last_test, now):
            job = {"job": "restore-test", "reason": "scheduled"}
        else:
            return
        self.state.set(running={**job, "startedAt": iso(time.time())})
        self.job = threading.Thread(target=self.work, args=(job, request), daemon=True)
        self.job.start()

    def work(self, job: dict, request: dict | None) -> None:
        begin = time.time()
        outcome = {**job, "startedAt": iso(begin)}
        print(f"runner: {job['job']} {job.get('type', '')}: {job['reason']}", flush=True)
        try:
            if job["job"] == "backup":
                take_backup(job["type"], self.failures)
            else:
                self.test_restore(is_proof=job["reason"] == "requested")
            if job["job"] == "backup":
                self.failures = 0
                self.failed_request = None
            outcome["ok"] = True
        except Exception as error:  # noqa: BLE001: the runner outlives whatever a job meets
            if job["job"] == "backup":
                self.not_before = time.monotonic() + RETRY_SECONDS[min(self.failures, len(RETRY_SECONDS) - 1)]
                self.failures += 1
                self.failed_request = request
            outcome |= {"ok": False, "message": str(error)}
            print(f"runner: {job['job']} failed: {error}", flush=True)
        self.finish(job, request, outcome, begin)

    def finish(self, job: dict, request: dict | None, outcome: dict, begin: float) -> None:
        # A backup that was asked for is tried again until there is one; a failed test says what it has to say.
        if request and (outcome["ok"] or job["job"] != "backup" or self.failures > 3):
            self.state.done(request)
        if job["job"] == "restore-test" and not outcome["ok"]:
            self.last_test = time.time()
            self.state.set(restoreTest={"failedAt": iso(time.time()), "message": outcome["message"]})
        self.full_check_due = 0
        finished = {**outcome, "finishedAt": iso(time.time()), "seconds": round(time.time() - begin, 1)}
        self.state.set(running=None, lastJob=finished)

    def test_restore(self, is_proof: bool) -> None:
        """
        `is_proof`: a person asked for it. The data that a restore has set aside goes then, and may hold what is nowhere else:
        the night's own test must not decide that nobody misses it.
        """
        generation = look().restored_generation
        newest = (self.state.values["archive"] or {}).get("newest")
        is_on_line = newest is not None and wal_archive.split(newest)[0] == self.timeline
        result = restore_test.run(newest if is_on_line else None)
        self.last_test = time.time()
        self.state.set(restoreTest=result)
        if is_proof and generation > 0 and self.proves(result["backup"], generation):
            pgbackrest.run("repo-put", "--raw", f"proven/{pgbackrest.STANZA}/{generation}", stdin=result["passedAt"])

    def proves(self, label: str, generation: int) -> bool:
        """Of the restored database, not of the one before: no restore since, and a backup of today's timeline."""
        ends = {each["label"]: each["archive"]["stop"] for each in pgbackrest.info()["backup"]}
        return (
            look().restored_generation == generation
            and label in ends
            and wal_archive.split(ends[label])[0] == self.timeline
        )


def refuse_other_database(info: dict, seen: dict | None) -> None:
    described = [each["system-id"] for each in info.get("db", [])]
    if seen and seen["system"] and described and str(described[-1]) != seen["system"]:
        raise OtherDatabase(
            f"the repository holds another database of the name {pgbackrest.STANZA} (system {described[-1]}, this one is "
            f"{seen['system']}): nothing is archived; choose another `backup.repository.path`"
        )


def take_backup(kind: str, failures: int) -> None:
    """
    After a failure from the primary: a standby that cannot follow would make every attempt fail. For a backup with damaged
    pages, which pgBackRest takes for a success, no earlier one is given up.
    """
    refuse_wrong_clock()
    source = ["--backup-standby=n"] if failures % 2 == 1 else []
    pgbackrest.stream("backup", f"--type={kind}", "--no-expire-auto", *source, config=pgbackrest.RUNNER)
    made = pgbackrest.info()["backup"][-1]
    if made.get("error"):
        raise pgbackrest.PgBackRestError(
            "backup", f"damaged pages were read for {made['label']}: see PostgreSQL's log; nothing was expired"
        )
    pgbackrest.stream("expire", config=pgbackrest.RUNNER)


def refuse_wrong_clock() -> None:
    """pgBackRest names a backup by the primary's clock, and takes none that is named earlier than another."""
    ahead = (primary.look() or {}).get("ahead", 0)
    if ahead > plan.SKEW_SECONDS:
        raise pgbackrest.PgBackRestError(
            "backup", f"the clock of the primary's machine is {ahead:.0f} s ahead of the runner's: set the clocks right first"
        )


def seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def summary(backup: dict) -> dict:
    return {
        "label": backup["label"],
        "type": backup["type"],
        "startedAt": iso(backup["timestamp"]["start"]),
        "finishedAt": iso(backup["timestamp"]["stop"]),
        "databaseBytes": backup["info"]["size"],
        "repositoryBytes": backup["info"]["repository"].get("delta"),
        "timeline": wal_archive.split(backup["archive"]["stop"])[0],
        "error": backup.get("error") is True,
    }


def main() -> int:
    # The first process of a container ignores what it does not handle. A backup that ends with it is resumed later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    state = State(pgbackrest.STANZA, os.environ.get("REPOSITORY", ""))
    api.serve(state)
    runner = Runner(state)
    while True:
        begin = time.monotonic()
        can_work = runner.step()
        while time.monotonic() < begin + WATCH_SECONDS:
            if can_work and runner.is_idle() and runner.is_due(state.next_request()):
                break
            time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
