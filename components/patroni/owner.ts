import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { waitUntilItWorks } from "../progress";
import { leads, listMembers, type ClusterLocation } from "./api";
import { superuserPsql } from "./config";

/** Role that owns the application's database. */
export interface DatabaseOwner {
    name: string;
    password: string;
}

/** States of before there was an owner in them say nothing. */
export function refuseOtherOwner(before: DatabaseOwner | undefined, owner: DatabaseOwner): void {
    if (before !== undefined && before.name !== owner.name) {
        throw new Error(
            `database.owner: the role ${before.name} was made with the database, and an update renames none. Name it again; for ` +
                `another one \`create role ${owner.name} login password …\` in the database. Nothing was restarted`,
        );
    }
}

/** An election may be on its way. */
const patienceSeconds = 60;

/**
 * Gives the owner the password of the outputs, on the primary and by way of standard input: it was set when the database was made
 * or restored, and may be another one by now. Written into no log, as in image/bin/post-bootstrap.
 */
export async function setOwnersPassword(
    ssh: SshConnection,
    location: ClusterLocation,
    { name, password }: DatabaseOwner,
): Promise<void> {
    const statements = [
        "set log_statement = none",
        "set log_min_duration_statement = -1",
        "set log_min_error_statement = panic",
        "set log_lock_waits = off",
        "set log_min_duration_sample = -1",
        "set log_transaction_sample_rate = 0",
        "set pg_stat_statements.track_utility = off",
        // Letters and digits both, by their validation and their making.
        `alter role "${name}" password '${password}'`,
    ];
    await waitUntilItWorks(`the password of ${name}`, patienceSeconds, async () => {
        const primary = (await listMembers(ssh, location)).find(leads)?.name;
        if (primary === undefined) throw new Error("no instance is primary");
        await kubectl(ssh, `-n ${location.namespace} exec -i ${primary} -c postgresql -- ${superuserPsql}`, {
            stdin: statements.map((statement) => `${statement};\n`).join(""),
        });
    });
}
