import { docker } from "../../components/docker-cli";
import { dockerName, ports } from "../../components/naming";
import type { ObjectStoreServerInputs } from "../../components/object-store/server.step";
import { paths, unitName } from "../../components/object-store/config";
import type { Cluster } from "../cluster";

const fromOutside = `! -i lo -p tcp --dport ${ports.objectStore} -j REJECT --reject-with tcp-reset`;

/** The object store that the docker provider makes: what can happen to it. */
export class Store {
    /** How others reach it: what a person would write into their settings. */
    readonly access: { endpoint: string; caCertificate: string; accessKeyId: string; secretAccessKey: string };
    private readonly container: string;

    constructor({ state: { stack, resources } }: Cluster) {
        const server = resources.find(({ type }) => type.endsWith(":ObjectStoreServer"));
        if (server === undefined) {
            throw new Error("this stack's store is not its own; nothing is done to it");
        }
        const { access, authority, accessKeyId, secretAccessKey } =
            server.outputs as unknown as ObjectStoreServerInputs;
        this.container = dockerName(stack, access.name);
        const endpoint = `https://${access.address}:${ports.objectStore}`;
        this.access = { endpoint, caCertificate: authority, accessKeyId, secretAccessKey };
    }

    stop = (): Promise<string> => this.run(`systemctl stop ${unitName}`);

    start = (): Promise<string> => this.run(`systemctl start ${unitName}`);

    /** What the machines see of it: every connection is refused, while the store itself goes on. */
    refuse = (): Promise<string> => this.run(`iptables -I INPUT ${fromOutside}`);

    admit = (): Promise<string> => this.run(`while iptables -D INPUT ${fromOutside} 2>/dev/null; do :; done`);

    /** Nothing in this folder of a bucket can be changed any more, whoever asks. */
    async protect(folder: string): Promise<void> {
        const path = `${paths.buckets}/${folder}`;
        await this.run(`mount --bind ${path} ${path} && mount -o remount,bind,ro ${path}`);
    }

    /** Undoes `protect`; nothing happens where it was not done. */
    async release(folder: string): Promise<void> {
        const path = `${paths.buckets}/${folder}`;
        await this.run(`while mountpoint -q ${path}; do umount ${path} || exit 1; done`);
    }

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
