import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { pulumiOutput } from "../../commands/run-pulumi";
import { confirmationToken, type RestoreArgs, type RestoreSource } from "../../components/pgbackrest/restore";
import { checkout } from "../../offline/checkout";
import type { Cluster } from "../cluster";

/** As it stands in the settings; the keys and the passphrase of `from` are secrets beside it (`setSecret`). */
export type RestoreRequest = Pick<RestoreArgs, "target" | "generation"> & {
    from?: Pick<RestoreSource, "stanza" | "repository">;
};

interface Settings {
    config: Record<string, unknown> & { "postgres-ha:backup": { repository: Record<string, unknown> } };
}

/** Settings of the running stack with a restore or something else in them, in a file beside the stack's own. */
export class OtherSettings {
    private readonly folder = mkdtempSync(join(tmpdir(), "postgres-ha-restore-"));
    readonly file: string;

    constructor(private readonly cluster: Cluster) {
        this.file = join(this.folder, `Pulumi.${cluster.state.stack}.yaml`);
    }

    /** Asks for a restore and returns its token, which is in the file unless told otherwise. */
    ask(restore: RestoreRequest, { path, confirmed = true }: { path?: string; confirmed?: boolean } = {}): string {
        const source = restore.from && { ...restore.from, passphrase: "" };
        const token = confirmationToken(this.cluster.state.cluster, { ...restore, from: source });
        this.write({ "postgres-ha:restore": { ...restore, ...(confirmed && { confirm: token }) } }, path);
        return token;
    }

    /** Asks for another folder of the repository, and for no restore. */
    moveRepository(path: string): void {
        this.write({}, path);
    }

    /** With these keys in the place of the stack's own. */
    write(further: Record<string, unknown>, path?: string): void {
        const own = parse(readFileSync(join(checkout, `Pulumi.${this.cluster.state.stack}.yaml`), "utf8")) as Settings;
        if (path !== undefined) own.config["postgres-ha:backup"].repository["path"] = path;
        const settings = { ...own, config: { ...own.config, ...further } };
        // Quoted: a moment without quotes comes back rounded to its digits, and the token is for the very text.
        writeFileSync(this.file, stringify(settings, { defaultStringType: "QUOTE_DOUBLE" }));
    }

    /** As a person would: `pulumi config set --secret`, the value on standard input. */
    async setSecret(key: string, value: string): Promise<void> {
        const args = ["config", "set", "--secret", key, "--config-file", this.file];
        if ((await pulumiOutput(this.cluster.workspace, args, { input: value })) === undefined) {
            throw new Error(`pulumi ${args.join(" ")} failed`);
        }
    }

    /** An update, or a preview, with these settings; its whole output and its status. */
    pulumi(command: "up" | "preview"): { status: number | null; output: string } {
        const settings = ["--config-file", this.file];
        return command === "up" ? this.cluster.tryUpdate(...settings) : this.cluster.tryPulumi(command, ...settings);
    }

    /** An update with these settings, until the cluster is whole. */
    async update(): Promise<void> {
        await this.cluster.update("--config-file", this.file);
        await this.cluster.waitUntilRedundant();
    }

    remove(): void {
        rmSync(this.folder, { recursive: true, force: true });
    }
}

/** Higher than any before: seconds since 1970. */
export const nextGeneration = (): number => Math.floor(Date.now() / 1000);
