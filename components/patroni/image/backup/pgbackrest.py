"""Runs pgBackRest and turns its errors into one line that a person can act on."""

import json
import os
import re
import socket
import subprocess

STANZA = os.environ.get("BACKUP_STANZA", "")
# Not PGBACKREST_...: pgBackRest warns of names that are none of its options, among what it is asked for.
OWN = os.environ.get("BACKUP_CONFIGURATION", "/etc/pgbackrest/pgbackrest.conf")
# Of another stack's repository, which is only read.
SOURCE = "/etc/pgbackrest/source.conf"
# The instances over TLS; only the runner has it.
RUNNER = "/etc/pgbackrest/runner.conf"

# While a command runs, between two connections to the store, and how many must fail one after the other.
KNOCK_SECONDS = 5
KNOCKS = 2

WRONG_PASSPHRASE = "the repository is encrypted with another passphrase"

CAUSES = (
    (r"NoSuchBucket|Code>NoSuchBucket", "the bucket does not exist: correct `backup.repository.bucket` or create it"),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|AccessDenied|\b403\b|Forbidden",
        "the store refuses the credentials: correct the keys (`backupAccessKeyId`, `backupSecretAccessKey`), or what they may do",
    ),
    (
        r"certificate has expired|certificate is not yet valid",
        "the store's certificate has expired: renew it on the store",
    ),
    (
        r"certificate|TLS error|unable to negotiate",
        "the store's certificate is not accepted: correct `backup.repository.caCertificate` or `backup.repository.endpoint`",
    ),
    (
        r"CryptoError|cipher|decrypt|is or was the repo encrypted|FormatError",
        f"{WRONG_PASSPHRASE}: give the one it was made with",
    ),
    (
        r"HostConnectError|unable to connect|timeout connecting|getaddrinfo|unable to get address|unable to find host|"
        r"Connection refused|unexpected eof|FileReadError: unable to read|KernelError|timeout waiting for read",
        "the store cannot be reached: see that it runs and that its address is right",
    ),
)


class PgBackRestError(Exception):
    """One line: what it means, then pgBackRest's own words."""

    def __init__(self, command: str, text: str, code: int | None = None):
        self.code = code
        words = shorten(text)
        cause = next((meaning for pattern, meaning in CAUSES if re.search(pattern, text, re.IGNORECASE)), None)
        super().__init__(f"pgbackrest {command}: {f'{cause} ({words})' if cause else words}")


def shorten(text: str) -> str:
    """The first error of pgBackRest's output, on one line and without credentials of a request."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line] or lines or ["no message"]
    start = lines.index(errors[0]) if errors[0] in lines else 0
    kept = [
        line
        for line in lines[start : start + 30]
        if not re.match(r"(authorization|x-amz-|\*\*\*|host:|content-|date:|server:)", line, re.IGNORECASE)
    ]
    words = " ".join(kept)
    words = re.sub(r"^.*?ERROR: ", "", words).partition("<?xml")[0].strip()
    return "".join(character if character.isprintable() and character != "\ufffd" else "?" for character in words)[:240]


def knock(config: str) -> None:
    """pgBackRest tries for minutes to reach a store that is not there; a connection tells in seconds."""
    with open(config, encoding="utf8") as file:
        settings = dict(line.rstrip("\n").split("=", 1) for line in file if "=" in line)
    host, port = settings.get("repo1-s3-endpoint"), int(settings.get("repo1-storage-port", "443"))
    if host is None or settings.get("repo1-s3-uri-style") == "host":
        host = host and f"{settings['repo1-s3-bucket']}.{host}"
    if host is None:
        return
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        raise PgBackRestError("connect", f"unable to connect to {host}:{port}: {error}") from error


def run(command: str, *options: str, config: str = OWN, stanza: str | None = None, stdin: str | None = None) -> str:
    """Standard output of a pgBackRest command that is done quickly."""
    knock(config)
    arguments = ["pgbackrest", f"--config={config}", f"--stanza={stanza or STANZA}", *LOG_TO_STDERR, command, *options]
    if command in ("repo-ls", "repo-put", "repo-rm", "repo-get"):
        arguments = [argument for argument in arguments if not argument.startswith("--stanza=")]
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True, errors="replace") as process:
        output, errors = finish(process, config, stdin or "")
    if process.returncode != 0:
        raise PgBackRestError(command, errors or output, process.returncode)
    return output


def finish(process: subprocess.Popen, config: str, stdin: str | None) -> tuple[str, str]:
    """Its output. Where the store goes away meanwhile it is ended: pgBackRest would try on for minutes."""
    refused = 0
    while True:
        try:
            return process.communicate(stdin, timeout=KNOCK_SECONDS)
        except subprocess.TimeoutExpired:
            stdin = None
        try:
            knock(config)
            refused = 0
        except PgBackRestError:
            refused += 1
            if refused == KNOCKS:
                process.kill()
                raise


LOG_TO_STDERR = ("--log-level-console=off", "--log-level-stderr=error", "--log-level-file=off")


def stream(command: str, *options: str, config: str = OWN, stanza: str | None = None) -> None:
    """Runs a long command with its log in this container's, and keeps the error for the exception."""
    knock(config)
    arguments = [
        "pgbackrest",
        f"--config={config}",
        f"--stanza={stanza or STANZA}",
        "--log-level-console=info",
        "--log-level-file=off",
        command,
        *options,
    ]
    lines: list[str] = []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            if "ERROR" in line or lines:
                lines.append(line)
    if process.returncode != 0:
        raise PgBackRestError(command, "".join(lines) or f"exit status {process.returncode}", process.returncode)


def restore(data: str, *options: str, config: str = OWN, stanza: str | None = None) -> None:
    """Restores into a folder. Recovery will ask fetch-wal, which tells the end of the archive from a store that is away."""
    command = f"/usr/local/bin/fetch-wal {config} {stanza or STANZA} %f %p"
    own = [f"--pg1-path={data}", f"--recovery-option=restore_command={command}"]
    stream("restore", *own, *options, config=config, stanza=stanza)


def names(path: str, config: str = OWN) -> list[str]:
    """What lies in a folder of the repository. Fails where the repository cannot be read."""
    found = json.loads(run("repo-ls", "--output=json", path, config=config) or "{}")
    return sorted(name for name in found if name != ".")


def info(config: str = OWN, stanza: str | None = None) -> dict:
    """The stanza as `pgbackrest info` knows it. What cannot be read is an error here, not a status code."""
    # Words of a repository that is not understood may hold any byte.
    text = run("info", "--output=json", config=config, stanza=stanza)
    try:
        answer = json.loads(text, strict=False)
    except ValueError as error:
        raise PgBackRestError("info", "[CryptoError] what the repository holds cannot be read") from error
    found = answer[0] if answer else {"status": {"code": 1}, "backup": [], "archive": [], "db": []}
    for repository in found.get("repo", []):
        if repository["status"]["code"] == 99:
            raise PgBackRestError("info", repository["status"]["message"])
    return found
