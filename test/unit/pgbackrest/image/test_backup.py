"""The parts of the runner that need no PostgreSQL: run by image.test.ts."""

import json
import os
import sys
import tempfile
import time
import unittest
from datetime import datetime, timezone
from unittest import mock

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../../components/patroni/image"))
os.environ["BACKUP_STANZA"] = "orders"

from backup import (  # noqa: E402
    agent,
    bootstrap,
    clone,
    contents,
    cron,
    pgbackrest,
    plan,
    restore_check,
    restore_test,
    runner,
    set_aside,
    state,
    wal_archive,
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


class Cron(unittest.TestCase):
    def test_finds_the_last_moment(self):
        cases = {
            ("0 1 * * 0", "2026-11-22 00:59"): "2026-11-15 01:00",
            ("0 1 * * 0", "2026-11-22 01:00"): "2026-11-22 01:00",
            ("0 1 * * 7", "2026-11-22 12:00"): "2026-11-22 01:00",
            ("*/15 * * * *", "2026-11-22 10:44"): "2026-11-22 10:30",
            ("0 */4 * * *", "2026-11-22 03:59"): "2026-11-22 00:00",
            ("30 23 31 * *", "2026-11-22 00:00"): "2026-10-31 23:30",
            # Both days given: either is enough.
            ("0 0 13 * 5", "2026-11-22 00:00"): "2026-11-20 00:00",
        }
        for (expression, now), expected in cases.items():
            self.assertEqual(cron.previous(expression, at(now)), at(expected), expression)

    def test_finds_none_where_there_is_none(self):
        self.assertIsNone(cron.previous("0 0 30 2 *", at("2026-11-22 00:00")))


def backup(kind: str, start: str, timeline: int = 1) -> dict:
    seconds = at(start).timestamp()
    return {
        "type": kind,
        "timestamp": {"start": seconds, "stop": seconds + 60},
        "archive": {"start": f"{timeline:08X}0000000000000001", "stop": f"{timeline:08X}0000000000000002"},
    }


SCHEDULE = {"full": "0 1 * * 0", "differential": "0 1 * * 1-6", "incremental": "0 */4 * * *"}


class Plan(unittest.TestCase):
    def due(self, backups, now, timeline=1):
        found = plan.due_backup(backups, SCHEDULE, timeline, at(now))
        return found and found[0]

    def test_begins_with_a_full_backup(self):
        self.assertEqual(self.due([], "2026-11-18 12:00"), "full")

    def test_waits_for_the_next_moment(self):
        self.assertIsNone(self.due([backup("full", "2026-11-18 12:00")], "2026-11-18 12:30"))

    def test_takes_the_largest_kind_that_is_due(self):
        backups = [backup("full", "2026-11-18 12:00")]
        self.assertEqual(self.due(backups, "2026-11-18 16:00"), "incr")
        self.assertEqual(self.due(backups, "2026-11-19 04:10"), "diff")
        self.assertEqual(self.due(backups, "2026-11-22 01:00"), "full")

    def test_lets_a_larger_backup_serve_a_smaller_schedule(self):
        backups = [backup("full", "2026-11-18 12:00"), backup("diff", "2026-11-19 01:00")]
        self.assertIsNone(self.due(backups, "2026-11-19 01:05"))

    def test_is_not_silenced_by_a_backup_of_the_future(self):
        backups = [backup("full", "2026-11-18 12:00"), backup("full", "2026-12-24 12:00")]
        self.assertEqual(self.due(backups, "2026-11-19 04:10"), "diff")
        self.assertIsNone(self.due([backups[0], backup("incr", "2026-11-18 16:00")], "2026-11-18 16:00"))

    def test_backs_up_at_once_after_a_promotion(self):
        backups = [backup("full", "2026-11-18 12:00")]
        self.assertEqual(self.due(backups, "2026-11-18 12:30", timeline=2), "incr")
        self.assertIsNone(self.due([*backups, backup("incr", "2026-11-18 12:31", 2)], "2026-11-18 12:40", timeline=2))

    def test_tests_a_restore_once_per_moment(self):
        backups = [backup("full", "2026-11-18 12:00")]
        now = at("2026-11-19 03:01")
        self.assertTrue(plan.is_test_due(backups, "0 3 * * *", 0, now))
        self.assertFalse(plan.is_test_due(backups, "0 3 * * *", now.timestamp(), now))
        self.assertFalse(plan.is_test_due(backups, "0 3 * * *", 0, at("2026-11-18 23:00")))
        self.assertFalse(plan.is_test_due([], "0 3 * * *", 0, now))


def names(timeline: int, *numbers: int) -> set[str]:
    return {wal_archive.name(timeline, number) for number in numbers}


class Gaps(unittest.TestCase):
    START = wal_archive.name(1, 3)

    def find(self, segments, timeline=1, ancestors=(), starts=None, newest=None):
        found = wal_archive.gaps(segments, starts or [self.START], timeline, list(ancestors), newest)
        return [(each["from"], each["to"], each["segments"]) for each in found]

    def test_none_in_an_unbroken_archive(self):
        self.assertEqual(self.find(names(1, 3, 4, 5, 6)), [])

    def test_names_a_missing_stretch(self):
        expected = [(wal_archive.name(1, 5), wal_archive.name(1, 6), 2)]
        self.assertEqual(self.find(names(1, 3, 4, 7)), expected)

    def test_does_not_mind_what_is_older_than_the_oldest_backup(self):
        self.assertEqual(self.find(names(1, 1, 3, 4)), [])

    def test_crosses_the_boundary_of_a_log(self):
        self.assertEqual(wal_archive.name(1, 256), "000000010000000100000000")
        self.assertEqual(self.find(names(1, *range(3, 255), 256)), [(wal_archive.name(1, 255), wal_archive.name(1, 255), 1)])

    def test_follows_a_failover(self):
        # Timeline 2 begins in segment 6: 1 ends with 5.
        self.assertEqual(self.find(names(1, 3, 4, 5) | names(2, 6, 7), 2, [(1, 6)]), [])

    def test_finds_what_the_lost_primary_took_with_it(self):
        expected = [(wal_archive.name(1, 5), wal_archive.name(1, 5), 1)]
        self.assertEqual(self.find(names(1, 3, 4) | names(2, 6, 7), 2, [(1, 6)]), expected)

    def test_does_not_mind_a_timeline_that_a_restore_left_behind(self):
        segments = names(1, 3, 4, 5) | names(2, 6, 9) | names(3, 5, 6)
        self.assertEqual(self.find(segments, 3, [(1, 5)]), [])

    def test_counts_only_backups_on_the_line(self):
        starts = [wal_archive.name(2, 8), wal_archive.name(3, 6)]
        self.assertEqual(self.find(names(3, 6, 7), 3, [(1, 5)], starts), [])

    def test_misses_the_newest_when_it_was_there(self):
        expected = [(wal_archive.name(1, 6), wal_archive.name(1, 6), 1)]
        self.assertEqual(self.find(names(1, 3, 4, 5), newest=wal_archive.name(1, 6)), expected)

    def test_reads_a_history_file(self):
        text = "1\t0/6000158\tno recovery target specified\n\n2\t0/9000000\tbefore 2026-01-01\n"
        self.assertEqual(wal_archive.parse_history(text), [(1, 6), (2, 9)])


class ConfirmedGaps(unittest.TestCase):
    GAP = [{"from": wal_archive.name(1, 4), "to": wal_archive.name(1, 4), "segments": 1}]

    def watch(self, *looks, known=()):
        watcher = runner.Runner.__new__(runner.Runner)
        watcher.full_check_due, watcher.gaps, watcher.newest, watcher.timeline = 0, list(known), None, 1
        watcher.info, watcher.state = {"backup": [], "archive": [{"max": None}]}, mock.Mock()
        with (
            mock.patch.object(runner.Runner, "find_gaps", side_effect=list(looks)),
            mock.patch.object(runner.wal_archive, "newest_segment", return_value=(None, None)),
            mock.patch.object(runner.time, "sleep") as sleep,
        ):
            watcher.watch_archive("17-1", None)
        return watcher.gaps, sleep.call_count

    def test_a_segment_that_arrives_late_is_none(self):
        self.assertEqual(self.watch(self.GAP, []), ([], 1))

    def test_one_that_stays_is_told(self):
        self.assertEqual(self.watch(self.GAP, self.GAP), (self.GAP, 1))

    def test_a_known_one_is_not_waited_for(self):
        self.assertEqual(self.watch(self.GAP, known=self.GAP), (self.GAP, 0))

    def test_without_a_history_the_last_answer_stays(self):
        self.assertEqual(self.watch(None, known=self.GAP), (self.GAP, 0))


class GapsWithoutHistory(unittest.TestCase):
    """The history of the cluster's timeline is not in the archive."""

    def find(self, backup: str, *segments: str, timeline: int = 2) -> list[dict] | None:
        watcher = runner.Runner.__new__(runner.Runner)
        watcher.timeline, watcher.newest = timeline, None
        watcher.info = {"backup": [{"archive": {"start": backup}}]}
        archive = wal_archive.Archive("17-1", dict.fromkeys(segments, 0.0))
        with mock.patch.object(runner.wal_archive, "listing", return_value=archive):
            return watcher.find_gaps("17-1")

    def test_are_not_known_while_a_backup_of_an_earlier_timeline_counts(self):
        self.assertIsNone(self.find(wal_archive.name(1, 3), wal_archive.name(1, 3), wal_archive.name(2, 5)))

    def test_are_known_on_the_first_timeline_which_has_none(self):
        self.assertEqual(self.find(wal_archive.name(2, 3), wal_archive.name(1, 2), timeline=1), [])

    def test_are_told_in_a_repository_that_began_later_than_the_timeline(self):
        gap = {"from": wal_archive.name(2, 4), "to": wal_archive.name(2, 4), "segments": 1}
        self.assertEqual(self.find(wal_archive.name(2, 3), *(wal_archive.name(2, each) for each in (3, 5))), [gap])


class Errors(unittest.TestCase):
    def message(self, text):
        return str(pgbackrest.PgBackRestError("info", text))

    def test_say_what_to_do(self):
        cases = {
            "P00 ERROR: [039]: HTTP request failed with 403 (Forbidden)": "credentials",
            "P00 ERROR: [039]: 404 <Error><Code>NoSuchBucket</Code>": "bucket does not exist",
            "P00 ERROR: [095]: unable to verify certificate: [10] certificate has expired [CryptoError]": "has expired",
            "P00 ERROR: [049]: unable to connect to 'x:1': Connection refused": "cannot be reached",
            "[FormatError] unable to load info file: key/value found outside": "another passphrase",
        }
        for text, words in cases.items():
            self.assertIn(words, self.message(text))

    def test_are_one_line_without_the_request(self):
        text = "P00 ERROR: [039]: failed:\n*** Request Headers ***:\nauthorization: AWS4 secret\nhost: x\n\x01y"
        self.assertNotIn("AWS4", self.message(text))
        self.assertNotIn("\n", self.message(text))


class StoreThatGoesAway(unittest.TestCase):
    """While a command runs: `answers` are those of the connections to the store, one per look."""

    def run_during(self, answers: list, command: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "pgbackrest"), "w", encoding="utf8") as file:
                file.write(f"#!/bin/bash\n{command}\n")
            os.chmod(file.name, 0o755)
            path = f"{folder}:{os.environ['PATH']}"
            with (
                mock.patch.dict(os.environ, {"PATH": path}),
                mock.patch.object(pgbackrest, "KNOCK_SECONDS", 0.2),
                mock.patch.object(pgbackrest, "knock", side_effect=[None, *answers]),
            ):
                return pgbackrest.run("repo-put", "a", stdin="words")

    def test_ends_the_command(self):
        away = pgbackrest.PgBackRestError("connect", "unable to connect to store:443")
        begin = time.monotonic()
        with self.assertRaisesRegex(pgbackrest.PgBackRestError, "the store cannot be reached"):
            self.run_during([None, away, away], "exec sleep 60")
        self.assertLess(time.monotonic() - begin, 10)

    def test_lets_it_go_on_where_the_store_is_back(self):
        away = pgbackrest.PgBackRestError("connect", "unable to connect to store:443")
        self.assertEqual(self.run_during([away] + [None] * 99, "sleep 1; cat"), "words")


def holding(kind: str, generation: int = 0) -> contents.Contents:
    backups = [{"label": "x", "info": {"size": 1}}] if kind == "backups" else []
    return contents.Contents(backups, kind != "empty", kind in ("backups", "wal-only"), generation)


class Decision(unittest.TestCase):
    """What is called for what the repository holds; nothing real runs."""

    def decide(self, own, request=None, source=None):
        calls = []
        looks = {pgbackrest.OWN: own, pgbackrest.SOURCE: source}
        with (
            mock.patch.object(bootstrap, "say"),
            mock.patch.object(contents, "look", lambda config=pgbackrest.OWN, stanza=None: looks[config]),
            mock.patch.object(bootstrap.restore_request, "read", lambda: request),
            mock.patch.object(bootstrap, "restore", lambda options, **more: calls.append(("restore", options, more))),
            mock.patch.object(bootstrap, "initialise", lambda _: calls.append(("initdb",))),
            mock.patch.object(bootstrap, "describe_or_drop", lambda _: calls.append(("stanza-create",))),
        ):
            bootstrap.decide()
        return calls

    def test_restores_what_has_backups(self):
        self.assertEqual(self.decide(holding("backups")), [("restore", ["--type=default"], {})])

    def test_initialises_only_what_is_provably_empty(self):
        self.assertEqual(self.decide(holding("empty")), [("initdb",)])
        self.assertEqual(self.decide(holding("description-only")), [("initdb",)])

    def test_refuses_wal_without_a_backup(self):
        with self.assertRaises(bootstrap.Refused):
            self.decide(holding("wal-only"))

    def test_changes_nothing_when_the_repository_cannot_be_read(self):
        def fail(*_):
            raise pgbackrest.PgBackRestError("repo-ls", "Connection refused")

        with (
            mock.patch.object(bootstrap, "say"),
            mock.patch.object(contents, "look", fail),
            mock.patch.object(bootstrap, "initialise") as initialise,
        ):
            self.assertRaises(pgbackrest.PgBackRestError, bootstrap.decide)
            initialise.assert_not_called()

    def test_carries_a_requested_restore_out_once(self):
        request = {"generation": 2, "options": ["--type=name"]}
        self.assertEqual(self.decide(holding("backups", 1), request), [("restore", ["--type=name"], {})])
        self.assertEqual(self.decide(holding("backups", 2), request), [("restore", ["--type=default"], {})])

    def test_refuses_a_restore_without_a_backup(self):
        with self.assertRaises(bootstrap.Refused):
            self.decide(holding("empty"), {"generation": 1, "options": []})

    def test_clones_into_an_empty_repository_only(self):
        request = {"generation": 1, "options": ["--type=default"], "source": {"stanza": "other"}}
        expected = [("restore", ["--type=default"], {"config": pgbackrest.SOURCE, "stanza": "other"}), ("stanza-create",)]
        self.assertEqual(self.decide(holding("empty"), request, holding("backups")), expected)
        for own, source in (("backups", "backups"), ("wal-only", "backups"), ("empty", "empty")):
            with self.assertRaises(bootstrap.Refused):
                self.decide(holding(own), request, holding(source))


class Clone(unittest.TestCase):
    REPLICA = [{"name": "orders-0", "role": "leader", "timeline": 3}, {"name": "orders-1", "role": "replica"}]

    def clone(self, members, size=clone.LARGE, exists=(), line="AB", damaged=False, age=0):
        answer = mock.MagicMock()
        answer.__enter__.return_value = answer
        answer.read.return_value = json.dumps({"members": members}).encode()
        made = [{"label": label, "info": {"size": size}, "error": damaged and label == "B"} for label in "AB"]
        with (
            mock.patch.dict(os.environ, INSTANCE_NAME="orders-1"),
            mock.patch.object(clone.ssl, "create_default_context"),
            mock.patch.object(clone.urllib.request, "urlopen", **({"return_value": answer} if members else {"side_effect": OSError})),
            mock.patch.object(clone.os.path, "exists", lambda path: path in exists),
            mock.patch.object(clone.os.path, "getmtime", lambda _: clone.time.time() - age),
            mock.patch.object(pgbackrest, "info", lambda: {"backup": made}),
            mock.patch.object(wal_archive, "on_line", lambda _, timeline: [each for each in made if each["label"] in line]),
            mock.patch.object(pgbackrest, "stream") as stream,
        ):
            code = clone.main()
            self.options = stream.call_args.args if stream.called else ()
            return code, stream.called

    def test_restores_a_large_database_or_over_what_is_there_or_where_the_primary_is_damaged(self):
        self.assertEqual(self.clone(self.REPLICA), (0, True))
        self.assertEqual(self.clone(self.REPLICA, size=clone.LARGE - 1), (1, False))
        for path in (f"{clone.DATA}/PG_VERSION", clone.DAMAGED_SOURCE):
            self.assertEqual(self.clone(self.REPLICA, size=clone.LARGE - 1, exists=[path]), (0, True))
        old = {"exists": [clone.DAMAGED_SOURCE], "age": clone.A_DAY_SECONDS + 1}
        self.assertEqual(self.clone(self.REPLICA, size=clone.LARGE - 1, **old), (1, False))

    def test_restores_the_last_whole_backup_that_leads_to_the_leaders_timeline(self):
        for more, label in (({}, "B"), ({"line": "A"}, "A"), ({"damaged": True}, "A")):
            self.assertEqual(self.clone(self.REPLICA, **more), (0, True))
            self.assertIn(f"--set={label}", self.options)
        self.assertEqual(self.clone(self.REPLICA, line=""), (1, False))
        self.assertEqual(self.clone(self.REPLICA, line="B", damaged=True), (1, False))
        leaderless = [{**member, "role": "replica"} for member in self.REPLICA]
        self.assertEqual(self.clone(leaderless), (1, False))

    def test_makes_room_of_what_broken_off_copies_left_where_somebody_leads(self):
        with tempfile.TemporaryDirectory() as folder:
            left = os.path.join(folder, "pgdata.incomplete")
            for members, stays in (([], True), ([{"name": "orders-1", "role": "replica"}], True), (self.REPLICA, False)):
                os.makedirs(os.path.join(left, "base"), exist_ok=True)
                with mock.patch.object(clone, "LEFTOVERS", (left, f"{folder}/pgdata.failed")):
                    clone.drop_leftovers({member["name"]: member for member in members})
                self.assertEqual(os.path.exists(left), stays, members)

    def test_takes_no_backup_for_an_instance_that_may_be_promoted_with_it(self):
        for role in ("sync_standby", "quorum_standby", "leader"):
            self.assertEqual(self.clone([{"name": "orders-1", "role": role}]), (1, False), role)
        # Not known to Patroni, and a Patroni that does not answer.
        self.assertEqual(self.clone([{"name": "orders-0", "role": "leader"}]), (1, False))
        self.assertEqual(self.clone([]), (1, False))


class RestoreCheck(unittest.TestCase):
    """What is refused while the database still runs."""

    NOW = at("2026-11-18 12:00")

    def ask(self, options, own=None, generation=2, source=None, restored=None, line="AB"):
        backups = [
            {"label": label, "info": {"size": 100}, "timestamp": {"stop": at(stop).timestamp()}, "lsn": {"stop": lsn}}
            for label, stop, lsn in (("A", "2026-11-17 12:00", "0/FF000000"), ("B", "2026-11-18 11:00", "1/5000000"))
        ]
        found = contents.Contents(backups, True, True, 1)
        request = {"generation": generation, "options": options, **({"source": {"stanza": "other"}} if source else {})}
        looks = {pgbackrest.OWN: own or found, pgbackrest.SOURCE: source}
        with (
            mock.patch.object(contents, "look", lambda config=pgbackrest.OWN, stanza=None: looks[config]),
            mock.patch.object(restore_check.restore_request, "read", lambda: request),
            mock.patch.object(restore_check, "restores", lambda: {1: restored or at("2026-11-01 00:00")}),
            mock.patch.object(restore_check, "timelines", lambda: "the archive holds 1, 2"),
            mock.patch.object(pgbackrest, "info", lambda *_: {"backup": backups}),
            mock.patch.object(wal_archive, "on_line", lambda *_: [each for each in backups if each["label"] in line]),
        ):
            return restore_check.look(self.NOW)["bytes"]

    def refused(self, pattern, *arguments, **more):
        with self.assertRaisesRegex(bootstrap.Refused, pattern):
            self.ask(*arguments, **more)

    def test_says_how_much_room_it_takes(self):
        self.assertEqual(self.ask(["--type=default"]), 110)

    def test_asks_nothing_of_one_that_was_carried_out(self):
        self.assertEqual(self.ask(["--type=time", "--target=2030-01-01 00:00:00+00:00"], generation=1), 0)

    def test_refuses_what_the_bootstrap_would(self):
        self.refused("own backups", ["--type=default"], source=holding("backups"))
        self.refused("no backup of stanza", ["--type=default"], own=holding("empty"), source=holding("empty"))
        self.refused("holds no backup", ["--type=default"], own=holding("empty"))

    def test_refuses_a_time_out_of_reach(self):
        self.assertEqual(self.ask(["--type=time", "--target=2026-11-17 12:00:01+00:00"]), 110)
        self.refused("too early", ["--type=time", "--target=2026-11-17 13:00:00+01:00"])
        self.refused("future", ["--type=time", "--target=2026-11-18 12:00:01+00:00"])

    def test_refuses_a_place_before_the_backup_it_begins_with(self):
        self.assertEqual(self.ask(["--type=lsn", "--target=1/0"]), 110)
        self.refused("too early", ["--type=lsn", "--target=0/FE000000"])
        self.refused("too early", ["--type=lsn", "--target=1/0", "--set=B"])

    def test_refuses_a_time_of_which_a_restore_made_two(self):
        asked = ["--type=time", "--target=2026-11-18 08:00:00+00:00"]
        self.refused("restore 1 .* which one to follow.*holds 1, 2", asked, restored=at("2026-11-18 09:00"))
        self.assertEqual(self.ask(asked, restored=at("2026-11-18 07:00")), 110)
        self.assertEqual(self.ask([*asked, "--target-timeline=1"], restored=at("2026-11-18 09:00")), 110)

    def test_refuses_a_place_behind_a_backup_that_a_restore_left(self):
        self.refused("which one to follow", ["--type=lsn", "--target=1/6000000"], line="A")
        self.assertEqual(self.ask(["--type=lsn", "--target=1/0"], line="A"), 110)

    def test_refuses_a_backup_that_is_not_there(self):
        self.refused("it holds A, B", ["--type=default", "--set=C"])


class StandbysMark(unittest.TestCase):
    """How far a standby need not keep WAL for the archive: what put-wal reads."""

    SEGMENT = "000000020000000000000005"

    FORGET = "select pg_stat_reset_shared('archiver')"

    def keep(self, standby: bool, known: bool, free: int, before: bool = True) -> tuple[str | None, list[str]]:
        """The mark, and what the database was asked. `before`: it was the primary when it was last looked at."""
        with tempfile.TemporaryDirectory() as folder:
            cursor = mock.MagicMock()
            cursor.fetchone.side_effect = [(standby, known), (self.SEGMENT,)]
            connection = mock.MagicMock()
            connection.cursor.return_value.__enter__.return_value = cursor
            volume = mock.Mock(f_blocks=100, f_bavail=free)
            path = f"{folder}/archived"
            with (
                mock.patch.object(agent, "ARCHIVED", path),
                mock.patch.object(agent, "was_primary", [before]),
                mock.patch.object(agent.psycopg2, "connect", return_value=connection, create=True),
                mock.patch.object(agent.os, "statvfs", return_value=volume),
            ):
                agent.keep_rows()
            connection.close.assert_called_once()
            asked = [call.args[0] for call in cursor.execute.call_args_list[1:]]
            if not os.path.exists(path):
                return None, asked
            with open(path, encoding="utf8") as file:
                return file.read(), asked

    def test_is_what_the_primary_has_archived(self):
        self.assertEqual(self.keep(standby=True, known=True, free=50)[0], f"{self.SEGMENT}\n")

    def test_is_everything_when_the_volume_is_nearly_full(self):
        self.assertEqual(self.keep(standby=True, known=True, free=9)[0], "F" * 24 + "\n")

    def test_is_none_before_the_primary_has_said_anything(self):
        self.assertEqual(self.keep(standby=True, known=False, free=50), (None, []))

    def test_is_advanced_by_the_primary(self):
        self.assertEqual(self.keep(standby=False, known=True, free=50), (None, [agent.ADVANCE]))

    def test_is_not_advanced_by_what_was_thrown_away_before_the_promotion(self):
        self.assertEqual(self.keep(standby=False, known=True, free=50, before=False), (None, [self.FORGET, agent.ADVANCE]))

    def test_begins_in_a_new_database(self):
        self.assertEqual(self.keep(standby=False, known=False, free=50), (None, [agent.ROWS, agent.ADVANCE]))


class SetAside(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.data = os.path.join(self.folder.name, "pgdata")
        mark = os.path.join(self.folder.name, "bootstrap-unfinished")
        seen = os.path.join(self.folder.name, "restore-generation")
        marks = ("COPYING", "REWINDING", "ASIDE", "SUPERSEDED")
        beside = [(set_aside, name, f"{self.data}.{name.lower()}") for name in marks]
        places = [(set_aside, "DATA", self.data), (set_aside, "SEEN", seen), (set_aside, "UNFINISHED", mark), *beside]
        for module, name, value in [*places, (bootstrap, "UNFINISHED", mark)]:
            patch = mock.patch.object(module, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def start(self, generation: int) -> list[str]:
        request = {"generation": generation} if generation else None
        with mock.patch.object(set_aside.restore_request, "read", lambda: request), mock.patch("builtins.print"):
            set_aside.main()
        return sorted(os.listdir(self.folder.name))

    def make_data(self, complete: bool = True) -> None:
        os.makedirs(os.path.join(self.data, "global"))
        for name in ["PG_VERSION", *(["global/pg_control"] if complete else [])]:
            with open(os.path.join(self.data, name), "w", encoding="utf8"):
                pass

    def test_leaves_the_data_alone_without_a_request(self):
        self.make_data()
        self.assertEqual(self.start(0), ["pgdata"])

    def test_renames_the_data_once_per_generation(self):
        self.make_data()
        self.assertEqual(self.start(1), ["pgdata.before-restore-1", "restore-generation"])
        self.make_data()
        self.assertEqual(self.start(1), ["pgdata", "pgdata.before-restore-1", "restore-generation"])

    def test_keeps_what_every_restore_set_aside(self):
        self.make_data()
        self.start(1)
        self.make_data()
        kept = ["pgdata.before-restore-1", "pgdata.before-restore-2", "restore-generation"]
        self.assertEqual(self.start(2), kept)

    def test_never_starts_an_incomplete_restore(self):
        self.make_data(complete=False)
        self.assertEqual(self.start(0), ["pgdata.incomplete"])

    def test_leaves_damaged_data_alone_that_was_opened_once(self):
        self.make_data(complete=False)
        with open(os.path.join(self.data, "postmaster.opts"), "w", encoding="utf8"):
            pass
        self.assertEqual(self.start(0), ["pgdata"])

    def test_never_goes_on_with_a_recovery_that_was_broken_off(self):
        self.make_data()
        bootstrap.mark_unfinished()
        self.assertEqual(self.start(0), ["pgdata.incomplete"])
        # A copy of the primary's, made since, is no such thing.
        self.make_data()
        self.assertEqual(self.start(0), ["pgdata", "pgdata.incomplete"])

    def test_never_starts_a_copy_that_may_not_be_on_the_disk(self):
        self.make_data()
        self.mark_copying()
        self.assertEqual(self.start(0), ["pgdata.incomplete"])

    def test_keeps_the_mark_of_a_rewind_that_was_cut_off_with_its_data_only(self):
        self.make_data()
        with open(set_aside.REWINDING, "w", encoding="utf8"):
            pass
        self.assertEqual(self.start(0), ["pgdata", "pgdata.rewinding"])
        self.assertEqual(self.start(1), ["pgdata.before-restore-1", "restore-generation"])

    def put_aside(self) -> None:
        self.make_data()
        os.rename(self.data, set_aside.ASIDE)

    def test_lets_nothing_lead_any_more_that_was_put_aside_when_the_copy_is_whole(self):
        self.put_aside()
        self.make_data()
        self.assertEqual(self.start(0), ["pgdata", "pgdata.superseded"])

    def test_keeps_what_was_put_aside_for_a_copy_that_was_broken_off(self):
        self.put_aside()
        self.assertEqual(self.start(0), ["pgdata.aside"])
        self.make_data()
        self.mark_copying()
        self.assertEqual(self.start(0), ["pgdata.aside", "pgdata.incomplete"])
        self.assertEqual(self.start(1), ["pgdata.before-restore-1", "pgdata.incomplete", "restore-generation"])

    def test_forgets_a_mark_without_data(self):
        bootstrap.mark_unfinished()
        self.mark_copying()
        self.assertEqual(self.start(0), [])

    def mark_copying(self) -> None:
        with open(set_aside.COPYING, "w", encoding="utf8"):
            pass

    def clean(self, *proven: int) -> list[str]:
        with (
            mock.patch.object(agent, "kept", set_aside.kept),
            mock.patch.object(agent.pgbackrest, "names", lambda _: [str(each) for each in proven]),
            mock.patch("builtins.print"),
        ):
            agent.clean()
        return sorted(os.listdir(self.folder.name))

    def test_a_database_needs_no_memory_of_attempts(self):
        attempts = f"{self.folder.name}/bootstrap-attempts"
        with open(attempts, "w", encoding="utf8"):
            pass
        self.make_data()
        with mock.patch.multiple(agent, DATA=self.data, UNFINISHED=f"{self.data}.none", ATTEMPTS=attempts, LEFTOVERS=()):
            self.assertEqual(self.clean(), ["pgdata"])

    def test_a_proven_restore_needs_nothing_of_before_it(self):
        for generation in (1, 2, 3):
            os.makedirs(f"{self.data}{set_aside.SUFFIX}{generation}")
        self.assertEqual(len(self.clean()), 3)
        self.assertEqual(self.clean(2), ["pgdata.before-restore-3"])


class Proof(unittest.TestCase):
    """Which restore test proves a restore, so that the data of before it may go."""

    def proves(self, generation_after: int, backup_timeline: int, timeline: int = 3) -> bool:
        tester = runner.Runner.__new__(runner.Runner)
        tester.timeline = timeline
        backups = [{"label": "A", "archive": {"stop": wal_archive.name(backup_timeline, 9)}}]
        with (
            mock.patch.object(runner, "look", lambda: mock.Mock(restored_generation=generation_after)),
            mock.patch.object(runner.pgbackrest, "info", lambda: {"backup": backups}),
        ):
            return tester.proves("A", 2)

    def test_is_one_of_the_restored_database(self):
        self.assertTrue(self.proves(generation_after=2, backup_timeline=3))

    def test_is_none_that_a_restore_overtook(self):
        self.assertFalse(self.proves(generation_after=3, backup_timeline=3))

    def test_is_none_of_a_backup_from_before_it(self):
        self.assertFalse(self.proves(generation_after=2, backup_timeline=2))


class Attempts(unittest.TestCase):
    """Recoveries that PostgreSQL ends, again and again."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        patch = mock.patch.multiple(
            bootstrap,
            ATTEMPTS=f"{self.folder.name}/attempts",
            UNFINISHED=f"{self.folder.name}/unfinished",
            TOLD_SECONDS=0,
        )
        patch.start()
        self.addCleanup(patch.stop)

    def begin(self, what: str) -> list[str]:
        with mock.patch.object(bootstrap, "say") as said:
            bootstrap.begin_attempt(what)
        return [call.args[0] for call in said.call_args_list]

    def test_are_told_from_the_third_on(self):
        told = [self.begin("--type=name --target=absent") for _ in range(4)]
        self.assertEqual(told, [[], [], ["failed"], ["failed"]])

    def test_of_another_kind_begin_anew(self):
        for _ in range(2):
            self.begin("--type=name --target=absent")
        self.assertEqual(self.begin("--type=default"), [])

    def test_are_forgotten_with_a_database(self):
        for _ in range(2):
            self.begin("--type=default")
        with mock.patch.object(bootstrap, "say"):
            bootstrap.finish()
        self.assertEqual(self.begin("--type=default"), [])


class NightlyTest(unittest.TestCase):
    """What was set aside may be nowhere else: only a test that a person asked for says that it may go."""

    def test_proves_nothing_of_a_restore(self):
        self.assertEqual(self.proven("scheduled"), 0)
        self.assertEqual(self.proven("requested"), 1)

    def proven(self, reason: str) -> int:
        tester = runner.Runner.__new__(runner.Runner)
        tester.state = mock.Mock(values={"archive": None})
        tester.timeline, tester.failures, tester.failed_request = 3, 0, None
        tester.full_check_due = 0
        with (
            mock.patch.object(runner, "look", lambda: mock.Mock(restored_generation=2)),
            mock.patch.object(runner.restore_test, "run", lambda _: {"backup": "A", "passedAt": "now"}),
            mock.patch.object(runner.Runner, "proves", lambda *_: True),
            mock.patch.object(runner.pgbackrest, "run") as run,
            mock.patch("builtins.print"),
        ):
            tester.work({"job": "restore-test", "reason": reason}, None)
        return run.call_count


class Reach(unittest.TestCase):
    """Replay that ends at a hole opens the copy all the same."""

    def check(self, lsn: str, newest: str | None) -> None:
        with mock.patch.object(restore_test, "ask", lambda _: lsn):
            restore_test.check_reach(newest)

    def test_is_enough_from_the_newest_segment_on(self):
        self.check("0/9000028", wal_archive.name(1, 9))
        self.check("0/A000000", wal_archive.name(1, 9))
        self.check("0/1000000", None)

    def test_is_too_short_before_it(self):
        with self.assertRaisesRegex(restore_test.TestFailed, "replay ended at 0/8FFFFFF"):
            self.check("0/8FFFFFF", wal_archive.name(1, 9))


class RoomForATest(unittest.TestCase):
    """The disk may be the one of the database, and the kubelet ends a pod that takes more than its limit."""

    def refuse(self, size: int, free: int, limit: int) -> None:
        usage = mock.Mock(free=free, total=1000 * 2**20)
        with mock.patch.object(restore_test.shutil, "disk_usage", lambda _: usage), mock.patch.object(restore_test, "LIMIT", limit):
            restore_test.refuse_without_room(size)

    def test_is_there_or_nothing_is_begun(self):
        self.refuse(100 * 2**20, free=161 * 2**20, limit=111 * 2**20)
        with self.assertRaisesRegex(restore_test.TestFailed, "needs 110 MiB, 109 MiB may be used"):
            self.refuse(100 * 2**20, free=159 * 2**20, limit=2**63)
        with self.assertRaisesRegex(restore_test.TestFailed, "needs 110 MiB, 100 MiB may be used"):
            self.refuse(100 * 2**20, free=900 * 2**20, limit=100 * 2**20)


class BegunTests(unittest.TestCase):
    """A test that took its pod with it."""

    def look(self, *annotations: dict, busy: bool = False) -> tuple[float, dict | None]:
        tester = runner.Runner.__new__(runner.Runner)
        tester.state, tester.last_test, tester.job = state.State("orders", ""), 0.0, None
        with mock.patch.object(runner.Runner, "is_idle", lambda _: not busy):
            tester.read_annotations([{"label": "A", "annotation": each} for each in annotations])
        return tester.last_test, tester.state.values["restoreTest"]

    BEGUN = {restore_test.BEGUN: "2026-11-29T03:00:00Z again"}

    def test_is_begun_once_more(self):
        self.assertEqual(self.look({restore_test.BEGUN: "2026-11-29T03:00:00Z"}), (0.0, None))

    def test_has_failed_the_second_time_and_waits_for_its_next_one(self):
        last, shown = self.look(self.BEGUN, {"restore-tested": "2026-11-28T03:10:00Z"})
        self.assertEqual(last, runner.seconds("2026-11-29T03:00:00Z"))
        self.assertEqual(shown["failedAt"], "2026-11-29T03:00:00Z")

    def test_is_none_that_has_passed_or_goes_on(self):
        last, shown = self.look({**self.BEGUN, "restore-tested": "2026-11-29T03:10:00Z"})
        self.assertEqual((last, shown.get("failedAt")), (runner.seconds("2026-11-29T03:10:00Z"), None))
        self.assertEqual(self.look(self.BEGUN, busy=True), (0.0, None))


class Recoverable(unittest.TestCase):
    """What `make status` calls recoverable."""

    def until(self, backups: list[dict], *gaps: int) -> float | None:
        watcher = runner.Runner.__new__(runner.Runner)
        watcher.info = {"backup": backups}
        watcher.gaps = [{"from": wal_archive.name(1, each), "to": wal_archive.name(1, each), "segments": 1} for each in gaps]
        return watcher.recoverable(1000.0)

    BACKUP = {"archive": {"start": wal_archive.name(1, 5)}, "timestamp": {"stop": 500}}

    def test_is_nothing_without_a_backup(self):
        self.assertIsNone(self.until([]))

    def test_ends_at_a_gap_behind_the_newest_backup(self):
        self.assertEqual(self.until([self.BACKUP]), 1000)
        self.assertEqual(self.until([self.BACKUP], 3), 1000)
        self.assertEqual(self.until([self.BACKUP], 7), 500)


class Requests(unittest.TestCase):
    def setUp(self):
        self.state = state.State("orders", "")
        self.runner = runner.Runner(self.state)

    def step(self, during=lambda: None) -> bool:
        with (
            mock.patch.object(runner.Runner, "watch", side_effect=during),
            mock.patch.object(runner.Runner, "start_job"),
            mock.patch.object(runner, "HEARTBEAT", mock.Mock()),
        ):
            return self.runner.step()

    def test_a_check_is_done_by_a_look_that_began_after_it(self):
        self.runner.full_check_due = 99.0
        self.step(during=lambda: self.state.ask(dict(runner.CHECK)))
        self.assertTrue(self.state.is_requested(runner.CHECK))
        self.assertEqual(self.runner.full_check_due, 99)
        self.step()
        self.assertFalse(self.state.is_requested(runner.CHECK))
        self.assertEqual(self.runner.full_check_due, 0)

    def test_a_check_behind_another_request_is_done_too(self):
        self.state.ask({"job": "backup", "type": "full"})
        self.state.ask(dict(runner.CHECK))
        self.step()
        self.assertFalse(self.state.is_requested(runner.CHECK))

    def test_nothing_can_be_done_while_the_repository_cannot_be_read(self):
        self.state.ask(dict(runner.CHECK))
        self.assertFalse(self.step(during=OSError("away")))
        self.assertTrue(self.state.is_requested(runner.CHECK))
        self.assertTrue(self.step())

    def test_what_failed_is_not_tried_again_at_once_but_another_is(self):
        failed, other = {"job": "backup", "type": "full"}, {"job": "backup", "type": "incr"}
        with mock.patch.object(runner, "take_backup", side_effect=pgbackrest.PgBackRestError("backup", "no")):
            self.runner.work({**failed, "reason": "requested"}, failed)
        self.assertFalse(self.runner.is_due(failed))
        self.assertTrue(self.runner.is_due(other))
        self.runner.not_before = 0
        self.assertTrue(self.runner.is_due(failed))


class DamagedPages(unittest.TestCase):
    """pgBackRest ends well after a backup whose pages failed their checksums."""

    def take(self, error: bool) -> list[str]:
        info = {"backup": [{"label": "A"}, {"label": "B", "error": error}]}
        with (
            mock.patch.object(pgbackrest, "stream") as stream,
            mock.patch.object(pgbackrest, "info", return_value=info),
        ):
            try:
                runner.take_backup("full", 0)
            except pgbackrest.PgBackRestError as failure:
                self.assertIn("damaged pages were read for B", str(failure))
                self.assertTrue(error)
            return [call.args[0] for call in stream.call_args_list]

    def test_are_no_reason_to_give_up_an_earlier_backup(self):
        self.assertEqual(self.take(error=True), ["backup"])

    def test_are_not_in_the_way_of_expire_where_there_are_none(self):
        self.assertEqual(self.take(error=False), ["backup", "expire"])

    def test_are_not_restored_while_there_is_a_backup_without(self):
        good, bad = {"label": "A"}, {"label": "B", "error": True}
        self.assertEqual(contents.undamaged([good, bad]), [good])
        self.assertEqual(contents.undamaged([bad]), [bad])


class WrongClock(unittest.TestCase):
    """A backup of the future would refuse every later one until then."""

    def take(self, ahead: float) -> list[str]:
        with (
            mock.patch.object(runner.primary, "look", lambda: {"ahead": ahead}),
            mock.patch.object(pgbackrest, "info", return_value={"backup": [{"label": "A"}]}),
            mock.patch.object(pgbackrest, "stream") as stream,
        ):
            runner.take_backup("full", 0)
            return [call.args[0] for call in stream.call_args_list]

    def test_of_the_primary_takes_no_backup(self):
        with self.assertRaisesRegex(pgbackrest.PgBackRestError, "172800 s ahead of the runner's"):
            self.take(2 * 86400)

    def test_that_is_behind_or_a_little_ahead_is_in_nobodys_way(self):
        for ahead in (-3600, 0, 30):
            self.assertEqual(self.take(ahead), ["backup", "expire"])


class OtherDatabase(unittest.TestCase):
    def test_is_told_by_its_system_identifier(self):
        info = {"db": [{"system-id": 7000000000000000001}]}
        for seen in (None, {"system": None}, {"system": "7000000000000000001"}):
            runner.refuse_other_database(info, seen)
        runner.refuse_other_database({"db": []}, {"system": "7000000000000000002"})
        with self.assertRaisesRegex(runner.OtherDatabase, "choose another"):
            runner.refuse_other_database(info, {"system": "7000000000000000002"})


class NewestLine(unittest.TestCase):
    """Timeline 2 began in the middle of segment 6, after a restore; backup B was made on timeline 1 behind that."""

    def described(self, *backups: tuple[str, int, float]) -> dict:
        """Each by its timeline and the segment in which it ended; in which hour it did as well."""
        made = [
            {
                "label": label,
                "archive": {"stop": wal_archive.name(timeline, int(end))},
                "lsn": {"stop": f"0/{int(end * wal_archive.SEGMENT_BYTES):X}"},
                "timestamp": {"stop": at(f"2026-11-18 {int(end):02}:00").timestamp()},
                "error": label == "D",
            }
            for label, timeline, end in backups
        ]
        return {"backup": made, "archive": [{"id": "17-1"}]}

    def begin(self, options: list[str], *backups: tuple[str, int, int]) -> list[str]:
        archive = wal_archive.Archive("17-1", {}, {2})
        with (
            mock.patch.object(wal_archive, "listing", lambda *_: archive),
            mock.patch.object(wal_archive, "history_file", lambda _, timeline, *__: "1\t0/6800000\tno reason\n" if timeline == 2 else ""),
        ):
            return bootstrap.begin_with(options, self.described(*backups), pgbackrest.OWN, None)

    def test_is_begun_with_the_last_backup_on_it(self):
        self.assertEqual(self.begin(["--type=default"], ("A", 1, 5), ("B", 1, 9)), ["--set=A"])

    def test_leaves_the_choice_alone_where_the_newest_is_on_it(self):
        self.assertEqual(self.begin(["--type=default"], ("B", 1, 9), ("C", 2, 7)), [])

    def test_leaves_the_choice_alone_where_one_was_made(self):
        self.assertEqual(self.begin(["--type=time", "--target=x", "--set=B"], ("A", 1, 5), ("B", 1, 9)), [])

    def test_does_not_reach_a_backup_in_which_it_began(self):
        """Its end lies behind the fork, in the same segment."""
        self.assertEqual(self.begin(["--type=default"], ("A", 1, 5), ("B", 1, 6.75)), ["--set=A"])
        self.assertEqual(self.begin(["--type=default"], ("A", 1, 5), ("B", 1, 6.25)), [])

    def test_is_begun_before_the_target(self):
        backups = (("A", 1, 5), ("B", 1, 9), ("C", 2, 10), ("D", 2, 12), ("E", 2, 14))
        for target in (
            ["--type=time", "--target=2026-11-18 13:00:00+00:00"],
            ["--type=lsn", "--target=0/D000000"],
        ):
            self.assertEqual(self.begin(target, *backups), ["--set=C"])
        early = ["--type=time", "--target=2026-11-18 09:30:00+00:00"]
        self.assertEqual(self.begin(early, *backups), ["--set=A"])
        self.assertEqual(self.begin([*early, "--target-timeline=1"], *backups), ["--set=B"])
        with self.assertRaisesRegex(bootstrap.Refused, "no backup of the line .* 2026-11-18 04:00"):
            self.begin(["--type=time", "--target=2026-11-18 04:00:00+00:00"], *backups)

    def test_is_another_where_a_timeline_is_asked_for(self):
        asked = ["--type=default", "--target-timeline=1"]
        self.assertEqual(self.begin(asked, ("A", 1, 5), ("C", 2, 7)), ["--set=A"])
        self.assertEqual(self.begin(asked, ("A", 1, 5), ("B", 1, 9)), [])


if __name__ == "__main__":
    unittest.main()
