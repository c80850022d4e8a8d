import { ask } from "../../components/https";
import { ports } from "../../components/naming";
import type { StackState } from "./stack-state";

export interface ProxyStatus {
    machine: string;
    answers: boolean;
    /** Instances that the read-write entry leads to now; one, when all is well. */
    readWrite: string[];
    /** Instances that the read-only entry leads to now. */
    readOnly: string[];
}

export const probeProxies = (state: StackState, timeoutMs = 3000): Promise<ProxyStatus[]> =>
    Promise.all(
        state.machines.map(async ({ name, access }): Promise<ProxyStatus> => {
            const host = access.address;
            try {
                const csv = await ask({ host, port: ports.haproxyStats, path: "/;csv", timeoutMs });
                return { machine: name, answers: true, ...serversUp(csv) };
            } catch {
                return { machine: name, answers: false, readWrite: [], readOnly: [] };
            }
        }),
    );

/** The servers that pass their checks, from HAProxy's statistics as CSV. */
export function serversUp(csv: string): { readWrite: string[]; readOnly: string[] } {
    const [head = "", ...lines] = csv.trim().split("\n");
    const columns = head.replace(/^#\s*/, "").split(",");
    const rows = lines.map((line) => line.split(","));
    const cell = (row: string[], column: string): string => row[columns.indexOf(column)] ?? "";
    const upIn = (proxy: string): string[] =>
        rows
            .filter((row) => cell(row, "pxname") === proxy && cell(row, "status").startsWith("UP"))
            .map((row) => cell(row, "svname"))
            .filter((name) => name !== "BACKEND" && name !== "FRONTEND");
    const replicas = upIn("replicas");
    return { readWrite: upIn("read-write"), readOnly: replicas.length > 0 ? replicas : upIn("primary-for-reads") };
}
