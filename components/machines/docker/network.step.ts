import { spawnSync } from "node:child_process";
import { docker } from "../../docker-cli";
import { dockerLabels } from "../../naming";
import { inputDiff, type StepProvider } from "../../step";

export interface NetworkInputs {
    name: string;
    /** Value of the stack label. */
    stack: string;
    subnet: string;
    /** Name of the Linux bridge (at most 15 characters). */
    bridge: string;
}

/**
 * An internal bridge network: machines reach each other and the deploying host, and nothing else. Docker's
 * isolation rules drop packets with pod addresses on such a bridge, so one rule in DOCKER-USER accepts them.
 */
export const provider: StepProvider<NetworkInputs> = {
    async create(inputs) {
        await ensure(inputs);
        return { id: inputs.name, outs: inputs };
    },
    async read(_id, network) {
        return (await isPresent(network)) ? network : undefined;
    },
    async diff(_id, olds, news) {
        const diff = inputDiff(olds, news, ["name", "stack", "subnet", "bridge"]);
        const broken = !diff.changed && !((await isPresent(olds)) && acceptsPodTraffic(olds));
        return broken ? { changed: true, replaces: [] } : diff;
    },
    async update(_id, _olds, news) {
        await ensure(news);
        return news;
    },
    async delete(_id, network) {
        removePodTrafficRule(network.bridge);
        if (await isPresent(network)) {
            await docker(["network", "rm", network.name]);
        }
    },
};

async function ensure(network: NetworkInputs): Promise<void> {
    if (!(await isPresent(network))) {
        await docker([
            ...["network", "create", "--internal", "--driver", "bridge", "--subnet", network.subnet],
            ...["--label", `${dockerLabels.stack}=${network.stack}`],
            ...["--opt", `com.docker.network.bridge.name=${network.bridge}`, network.name],
        ]);
    }
    if (!acceptsPodTraffic(network)) {
        const { status, stderr } = iptables(["-I", ...podTrafficRule(network)]);
        if (status !== 0) {
            throw new Error(
                `docker network ${network.name}: the rule that lets pods on different machines talk could not be added: ` +
                    `${stderr.trim()}. Run as root, or run once: sudo iptables -w -I ${podTrafficRule(network).join(" ")}`,
            );
        }
    }
}

async function isPresent({ name }: NetworkInputs): Promise<boolean> {
    const found = await docker(["network", "ls", "--filter", `name=^${name}$`, "--format", "{{.Name}}"]);
    return found === name;
}

/** Takes the rule away; none is there when it was never made. */
export function removePodTrafficRule(bridge: string): void {
    iptables(["-D", ...podTrafficRule({ bridge })]);
}

const podTrafficRule = ({ bridge }: Pick<NetworkInputs, "bridge">): string[] => [
    ...["DOCKER-USER", "-i", bridge, "-o", bridge, "-j", "ACCEPT"],
];

const acceptsPodTraffic = (network: NetworkInputs): boolean =>
    iptables(["-C", ...podTrafficRule(network)]).status === 0;

function iptables(args: string[]): { status: number; stderr: string } {
    const { status, stderr, error } = spawnSync("iptables", ["-w", ...args], { encoding: "utf8" });
    return { status: status ?? -1, stderr: error?.message ?? stderr };
}
