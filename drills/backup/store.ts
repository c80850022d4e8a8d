import { docker } from "../../components/docker-cli";
import { dockerName } from "../../components/naming";
import { paths, unitName } from "../../components/object-store/config";
import type { Cluster } from "../cluster";

/** The object store that the docker provider makes: what can happen to it. */
export class Store {
    private readonly container: string;

    constructor({ state: { stack, resources } }: Cluster) {
        const server = resources.find(({ type }) => type.endsWith(":ObjectStoreServer"));
        if (server === undefined) {
            throw new Error("this stack's store is not its own; nothing is done to it");
        }
        const { access } = server.outputs as { access: { name: string } };
        this.container = dockerName(stack, access.name);
    }

    stop = (): Promise<string> => this.run(`systemctl stop ${unitName}`);

    start = (): Promise<string> => this.run(`systemctl start ${unitName}`);

    /** Path of an archived segment on the store's disk. */
    async segment(name: string): Promise<string> {
        const found = await this.run(`find ${paths.buckets} -name '${name}-*'`);
        if (found.trim() === "") {
            throw new Error(`the store has no segment ${name}`);
        }
        return found.trim().split("\n")[0] ?? "";
    }

    run(command: string): Promise<string> {
        return docker(["exec", this.container, "bash", "-c", command]);
    }
}
