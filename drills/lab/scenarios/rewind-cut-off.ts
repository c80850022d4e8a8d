import { waitFor } from "../../../components/progress";
import { versions } from "../../../components/versions";
import { dataOf, partsOf, successorOf, waitForPromotion, type Lab } from "../lab";
import type { Outcome, Scenario } from "./scenario";

/** More than a page of them. */
const rowsBefore = 400;
/** Beyond ttl, the race and a start: who does not lead by then never will. */
const patienceMs = 60_000;

const program = `/usr/lib/postgresql/${versions.postgresql}/bin/pg_rewind`;
const changed = "/lab/data/rewind-has-changed";

/** In the place of pg_rewind: it does what that does, but for this file, of which a part does not reach the disk, and hangs. */
const hangingRewind = (file: string): string => `#!/bin/bash
case "$*" in *--help*) exec ${program}.real "$@" ;; esac
${program}.real "$@" && dd if=/dev/zero of=${file} bs=8192 count=1 conv=notrunc status=none && touch ${changed}
exec sleep 3600
`;

/** The old primary has WAL that nobody received, so that it has to be rewound when it is back. */
async function divergeAndDie(lab: Lab, primary: number, synchronous: number): Promise<void> {
    await lab.whileNotReceiving([synchronous], async () => {
        await lab.sqlOn(primary, "select pg_logical_emit_message(false, 'lab', repeat('x', 100000))");
        await lab.sqlOn(primary, "checkpoint");
        await lab.signal("KILL", ...partsOf(primary));
    });
    await waitForPromotion(lab, synchronous);
}

async function run(lab: Lab): Promise<Outcome> {
    const { primary, synchronous, other } = await lab.roles();
    await lab.write(rowsBefore);
    // What is written anew later is in the WAL, as a whole page: the first one may not be touched any more.
    await lab.sqlOn(primary, "vacuum freeze ledger");
    await lab.sqlOn(primary, "checkpoint");
    const file = await lab.sqlOn(primary, "select pg_relation_filepath('ledger')");
    // So that the old primary is the one that confirms, and that leads next.
    await lab.signal("KILL", ...partsOf(other));
    await divergeAndDie(lab, primary, synchronous);
    await lab.container.run(`mv ${program} ${program}.real; cat > ${program}; chmod +x ${program}; rm -f ${changed}`, {
        stdin: hangingRewind(`${dataOf(primary)}/${file.trim()}`),
    });
    await lab.startPatroni(primary);
    await waitFor("the rewind", 120, async () => {
        const there = await lab.container.run(`ls ${changed} 2> /dev/null || true`);
        return there === "" ? { waiting: "it has not ended" } : { done: undefined };
    });
    const before = await lab.inode(primary);
    await lab.signal("KILL", `patroni-${primary}`);
    await lab.container.run(`pkill --full '[s]leep 3600'; mv ${program}.real ${program}`);
    await lab.startPatroni(primary);
    // Nobody else could confirm these.
    await lab.write(5);
    await lab.signal("KILL", ...partsOf(synchronous));
    const leader = await successorOf(lab, synchronous, patienceMs);
    const madeAnew = (await lab.inode(primary)) !== before;
    await lab.startPatroni(synchronous);
    // A copy has no WAL of before, and the third has missed some: it would be made anew in two minutes.
    await lab.beginAnew(other);
    const fate = madeAnew ? "copied anew" : "started with what it had";
    const note = `member-${primary} lost its power in pg_rewind and was ${fate}; then ${leader ?? "nobody"} led`;
    return { note, stuck: leader === undefined, madeAnew };
}

export const rewindCutOff: Scenario = {
    name: "rewind-cut-off",
    imitates: "the old primary loses its power when pg_rewind has changed its data and not everything is on the disk",
    run,
};
