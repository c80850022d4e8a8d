import { kubectl } from "../k3s/cluster-access";
import type { SshConnection } from "../machines/ssh";
import { step } from "../progress";
import { leads, listMembers, type ClusterLocation } from "./api";
import { paths } from "./config";

/** What the bootstrap of an instance said last (image/backup/bootstrap.py). */
export interface BootstrapReport {
    instance: string;
    phase: "looking" | "restoring" | "recovering" | "initialising" | "initialised" | "done" | "failed";
    message: string;
    /** When it was said; tells a new failure from an old one. */
    at: string;
}

/** Recoveries that have ended without a database (image/backup/bootstrap.py). */
const attempts = `${paths.volume}/bootstrap-attempts`;

const file = `${paths.socket}/bootstrap.json`;

export async function readReports(
    ssh: SshConnection,
    { namespace, instances }: ClusterLocation,
): Promise<BootstrapReport[]> {
    const reports = await Promise.all(
        instances.map(async (instance) => {
            // The agent runs even where the instance itself starts over and over.
            const look = `-n ${namespace} exec ${instance} -c backup-agent -- cat ${file}`;
            const { exitCode, stdout } = await kubectl(ssh, look, { allowFailure: true });
            return exitCode === 0 ? [{ ...(JSON.parse(stdout) as BootstrapReport), instance }] : [];
        }),
    );
    return reports.flat();
}

/** Watches the bootstrap of a cluster that has no primary yet. */
export class BootstrapWatch {
    private known = new Set<string>();

    constructor(
        private readonly ssh: SshConnection,
        private readonly location: ClusterLocation,
    ) {}

    /** What failed before this update is no news; those instances try again at once instead of after a back-off. */
    async begin(): Promise<void> {
        const failed = (await readReports(this.ssh, this.location)).filter(({ phase }) => phase === "failed");
        this.known = new Set(failed.map(keyOf));
        // An old report lasts as long as its pod: another instance may have come up since, and this one be its primary now.
        const members = await listMembers(this.ssh, this.location).catch(() => []);
        if (members.some(leads)) return;
        // What was mended since may let the next attempt through.
        const forget = (instance: string) =>
            kubectl(this.ssh, `-n ${this.location.namespace} exec ${instance} -c backup-agent -- rm -f ${attempts}`, {
                allowFailure: true,
            });
        await Promise.all(this.location.instances.map(forget));
        for (const { instance, message } of failed) {
            console.log(`${instance}: ${message}`);
            await step(instance, "starting it anew to try the bootstrap again", () =>
                kubectl(this.ssh, `-n ${this.location.namespace} delete pod ${instance} --wait=true --timeout=60s`, {
                    timeoutSeconds: 70,
                }),
            );
        }
    }

    /** Throws what a bootstrap that failed since then said; otherwise tells what goes on, when something does. */
    async look(): Promise<string | undefined> {
        const reports = await readReports(this.ssh, this.location);
        const failure = reports.find((report) => report.phase === "failed" && !this.known.has(keyOf(report)));
        if (failure) {
            throw new BootstrapError(`${failure.instance}: ${failure.message}`);
        }
        return reports.find(({ phase }) => phase === "restoring" || phase === "recovering")?.message;
    }
}

export class BootstrapError extends Error {}

const keyOf = ({ instance, at }: BootstrapReport): string => `${instance} ${at}`;
