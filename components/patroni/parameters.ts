import { unacknowledgedSeconds } from "../recovery";
import type { Problem } from "../validation";

/** PostgreSQL settings of the stack, each with its reason. The user's `postgres.parameters` are laid over them. */
export const defaultParameters: Record<string, string | number> = {
    password_encryption: "scram-sha-256",
    wal_level: "replica",
    hot_standby: "on",
    // pg_rewind needs hint bits in the WAL (checksums imply it; said here so that nobody relies on that).
    wal_log_hints: "on",
    // Clients that wait for a standby may take every other connection: by these the standby is compared with the primary.
    reserved_connections: 3,
    max_wal_senders: 12,
    max_replication_slots: 12,
    wal_keep_size: "128MB",
    // A dead replica's slot must not fill the disk: it is dropped past this, and the replica clones anew (patch 94).
    max_slot_wal_keep_size: "4GB",
    max_wal_size: "1GB",
    checkpoint_timeout: "5min",
    wal_compression: "zstd",
    wal_retrieve_retry_interval: "500ms",
    // A promotion replays what a conflicting query on the replica held back: at most this.
    max_standby_streaming_delay: "3s",
    hot_standby_feedback: "on",
    // A vanished client or standby is noticed within 11 s, or 15 s while something is on its way to it.
    tcp_keepalives_idle: 5,
    tcp_keepalives_interval: 2,
    tcp_keepalives_count: 3,
    tcp_user_timeout: `${unacknowledgedSeconds}s`,
    // Compiling short transactions costs more than it saves; the image leaves the compiler out.
    jit: "off",
    log_checkpoints: "on",
    log_line_prefix: "%m [%p] %q%u@%d/%a ",
};

/** What safety needs or the stack manages itself, with the reason a user sees. */
const reserved: Record<string, string> = {
    synchronous_commit: "an acknowledged write must be on two machines; it stays `on`",
    synchronous_standby_names: "Patroni manages it",
    fsync: "acknowledged writes must survive a power loss; it stays `on`",
    full_page_writes: "pages torn by a power loss could not be repaired; it stays `on`",
    wal_level: "replication needs it; it stays `replica`",
    hot_standby: "Patroni needs it; it stays `on`",
    wal_log_hints: "pg_rewind needs it; it stays `on`",
    primary_conninfo: "Patroni manages it",
    primary_slot_name: "Patroni manages it",
    restore_command: "the stack manages the archive",
    archive_command: "the stack manages the archive",
    archive_mode: "the stack manages the archive",
    recovery_min_apply_delay: "a delayed standby would hold up every promotion",
    data_directory: "the stack manages it",
    hba_file: "the stack manages it",
    config_file: "the stack manages it",
    unix_socket_directories: "the stack manages it",
    zero_damaged_pages: "it discards data silently",
    ignore_invalid_pages: "it discards data silently",
    ssl: "connections are always encrypted",
    ssl_cert_file: "the stack makes the certificates",
    ssl_key_file: "the stack makes the certificates",
    password_encryption: "it stays `scram-sha-256`",
    listen_addresses: "Patroni manages it",
    port: "the stack manages it",
    jit: "the image has no compiler for it",
    max_connections: "use `postgres.maxConnections`",
    shared_buffers: "use `postgres.sharedBuffers`",
    wal_sender_timeout: "it is derived from `recovery.objective`",
    wal_receiver_timeout: "it is derived from `recovery.objective`",
};

export function parameterProblems(parameters: Record<string, string>): Problem[] {
    // PostgreSQL ignores the case of a parameter's name.
    return Object.keys(parameters)
        .filter((name) => Object.hasOwn(reserved, name.toLowerCase()))
        .map((name) => ({
            path: `postgres.parameters.${name}`,
            message: `cannot be set: ${reserved[name.toLowerCase()]}; remove it`,
        }));
}
