/**
 * make status: the stack on one screen, and whether it is serving (a write works now), redundant (a failure now would
 * lose nothing and heal) and recoverable (so would a loss of every machine, up to a minute, from the backups). Exit
 * status 0: all of it, 1: serving only, 2: not serving, 3: all but recoverable. `--json`, or JSON=1 with make, prints the
 * same as JSON.
 */
import { explain } from "../offline/errors";
import { assess } from "./status/assessment";
import { observe } from "./status/collect";
import { printStatus } from "./status/render";
import { openStack, readStackState } from "./status/stack-state";
import { Tunnel } from "./status/tunnel";
import { main } from "./main";

async function status(): Promise<number> {
    const state = await readStackState(await openStack());
    const tunnel = new Tunnel(state.machines.map(({ access }) => access));
    const seen = await observe(state, tunnel);
    tunnel.close();
    const assessment = assess(seen, new Date());
    if (process.argv.includes("--json") || process.env["JSON"] === "1") {
        process.stdout.write(`${JSON.stringify({ stack: state.stack, ...assessment, ...seen }, undefined, 2)}\n`);
    } else {
        printStatus(state.stack, seen, assessment);
    }
    const { serving, redundant, recoverable } = assessment;
    return redundant ? (recoverable === false ? 3 : 0) : serving ? 1 : 2;
}

// A status that cannot be told is not 1, which says that the stack serves.
main(() =>
    status().catch((error: unknown) => {
        process.stderr.write(`${explain(error)}\n`);
        return 2;
    }),
);
