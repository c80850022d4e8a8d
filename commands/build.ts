/** make build: every tool that make up needs, without starting a container engine or a stack. */
import { say } from "../offline/progress";
import { ensureToolchain } from "../offline/toolchain";
import { main } from "./main";

async function build(): Promise<number> {
    const { origins, artifacts } = await ensureToolchain({ withoutMachines: true });
    for (const [part, origin] of Object.entries(origins)) say(`${part}: ${origin}`);
    say(`artifacts: ${artifacts}`);
    return 0;
}

main(build);
