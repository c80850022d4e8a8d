"""What a repository holds of a stanza: the ground on which the bootstrap decides."""

from dataclasses import dataclass

from . import pgbackrest


@dataclass
class Contents:
    """Backups by label, oldest first; whether anything but the stanza's own description is there."""

    backups: list[dict]
    has_stanza: bool
    has_wal: bool
    # Highest restore generation that was carried out on this repository's cluster.
    restored_generation: int

    @property
    def kind(self) -> str:
        if self.backups:
            return "backups"
        if self.has_wal:
            return "wal-only"
        return "description-only" if self.has_stanza else "empty"


def undamaged(backups: list[dict]) -> list[dict]:
    """Those without damaged pages; where there is no other, a damaged one is better than nothing."""
    return [each for each in backups if not each.get("error")] or backups


def look(config: str = pgbackrest.OWN, stanza: str | None = None) -> Contents:
    """Lists before it reads: a missing bucket and a missing file give the same answer to a read."""
    name = stanza or pgbackrest.STANZA
    backup = pgbackrest.names(f"backup/{name}", config)
    archive = pgbackrest.names(f"archive/{name}", config)
    generations = [int(text) for text in pgbackrest.names(f"restore/{name}", config) if text.isdigit()]
    described = pgbackrest.info(config, name)
    backups = undamaged(described.get("backup", []))
    folders = [entry for entry in backup if entry[:8].isdigit()]
    if folders and not backups and described["status"]["code"] not in (0, 2):
        raise pgbackrest.PgBackRestError("info", described["status"].get("message", "the stanza cannot be read"))
    wal = [entry for entry in archive if entry not in ("archive.info", "archive.info.copy")]
    return Contents(
        backups=backups,
        has_stanza=bool(backup or archive),
        has_wal=bool(wal or folders),
        restored_generation=max(generations, default=0),
    )
