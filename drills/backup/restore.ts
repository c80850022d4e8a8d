import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { confirmationToken, type RestoreTarget } from "../../components/pgbackrest/restore";
import { checkout } from "../../offline/checkout";
import type { Cluster } from "../cluster";

/** Settings of the running stack with a restore in them, in a file beside the stack's own. */
export class RestoreSettings {
    private readonly folder = mkdtempSync(join(tmpdir(), "postgres-ha-restore-"));
    readonly file: string;

    constructor(private readonly cluster: Cluster) {
        this.file = join(this.folder, `Pulumi.${cluster.state.stack}.yaml`);
    }

    /** Writes the file; with the confirmation unless told otherwise. */
    ask(target: RestoreTarget, generation: number, confirmed = true): string {
        const own = parse(readFileSync(join(checkout, `Pulumi.${this.cluster.state.stack}.yaml`), "utf8")) as {
            config: Record<string, unknown>;
        };
        const token = confirmationToken(this.cluster.state.cluster, { target, generation });
        const restore = { target, generation, ...(confirmed && { confirm: token }) };
        const config = { ...own.config, "postgres-ha:restore": restore };
        // Quoted: a moment without quotes comes back rounded to its digits, and the token is for the very text.
        writeFileSync(this.file, stringify({ ...own, config }, { defaultStringType: "QUOTE_DOUBLE" }));
        return token;
    }

    /** An update, or a preview, with these settings; its whole output and its status. */
    pulumi(command: "up" | "preview"): { status: number | null; output: string } {
        const settings = ["--config-file", this.file];
        return command === "up" ? this.cluster.tryUpdate(...settings) : this.cluster.tryPulumi(command, ...settings);
    }

    remove(): void {
        rmSync(this.folder, { recursive: true, force: true });
    }
}

/** Higher than any before: seconds since 1970. */
export const nextGeneration = (): number => Math.floor(Date.now() / 1000);
