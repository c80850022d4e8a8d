import { randomBytes } from "node:crypto";
import { docker } from "../../components/docker-cli";
import { dockerName, ports } from "../../components/naming";
import type { ObjectStoreServerInputs } from "../../components/object-store/server.step";
import { paths, region, renderEnvironment, unitName, user } from "../../components/object-store/config";
import type { Cluster } from "../cluster";

const fromOutside = `! -i lo -p tcp --dport ${ports.objectStore} -j REJECT --reject-with tcp-reset`;

/** The second server, of `openReader`. */
const reader = {
    unit: "object-store-reader",
    port: ports.objectStore + 1,
    environment: "/etc/object-store/reader-environment",
} as const;

/** What a person would write into their settings. */
export interface StoreAccess {
    endpoint: string;
    caCertificate: string;
    accessKeyId: string;
    secretAccessKey: string;
}

/** The object store that the docker provider makes: what can happen to it. */
export class Store {
    /** How others reach it, with the keys that may do anything. */
    readonly access: StoreAccess;
    private readonly container: string;
    private readonly address: string;

    constructor({ state: { stack, resources } }: Cluster) {
        const server = resources.find(({ type }) => type.endsWith(":ObjectStoreServer"));
        if (server === undefined) {
            throw new Error("this stack's store is not its own; nothing is done to it");
        }
        const { access, authority, accessKeyId, secretAccessKey } =
            server.outputs as unknown as ObjectStoreServerInputs;
        this.container = dockerName(stack, access.name);
        this.address = access.address;
        const endpoint = `https://${access.address}:${ports.objectStore}`;
        this.access = { endpoint, caCertificate: authority, accessKeyId, secretAccessKey };
    }

    stop = (): Promise<string> => this.run(`systemctl stop ${unitName}`);

    start = (): Promise<string> => this.run(`systemctl start ${unitName}`);

    /** What the machines see of it: every connection is refused, while the store itself goes on. */
    refuse = (): Promise<string> => this.run(`iptables -I INPUT ${fromOutside}`);

    admit = (): Promise<string> => this.run(`while iptables -D INPUT ${fromOutside} 2>/dev/null; do :; done`);

    /** A second server over the same buckets, whose keys can list and get, but change nothing. */
    async openReader(): Promise<StoreAccess> {
        const keys = { accessKeyId: "reader", secretAccessKey: randomBytes(16).toString("hex") };
        await this.closeReader();
        await this.feed(`umask 077; cat > ${reader.environment}`, renderEnvironment(keys));
        await this.run(
            `systemd-run --quiet --unit ${reader.unit} --uid ${user} --property EnvironmentFile=${reader.environment} ` +
                `--setenv VGW_PORT=:${reader.port} --setenv VGW_REGION=${region} --setenv VGW_READ_ONLY=true ` +
                `--setenv VGW_CERT=${paths.certificate} --setenv VGW_KEY=${paths.privateKey} ` +
                `${paths.binary} posix ${paths.buckets}`,
        );
        return { ...this.access, ...keys, endpoint: `https://${this.address}:${reader.port}` };
    }

    /** Nothing happens where none is open. */
    closeReader = (): Promise<string> =>
        this.run(`systemctl stop ${reader.unit} 2>/dev/null; rm -f ${reader.environment}`);

    /** Status of the answer to a file written with these keys. */
    async put({ endpoint, accessKeyId, secretAccessKey }: StoreAccess, path: string): Promise<string> {
        const request =
            `url = "${endpoint}/${path}"\nuser = "${accessKeyId}:${secretAccessKey}"\naws-sigv4 = "aws:amz:${region}:s3"\n` +
            `cacert = "${paths.authority}"\ndata = "written"\nrequest = "PUT"\n` +
            'silent\nshow-error\noutput = "/dev/null"\nwrite-out = "%{http_code}"\n';
        return this.feed("curl --max-time 10 --retry 20 --retry-connrefused --retry-delay 1 --config -", request);
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

    private feed(command: string, stdin: string): Promise<string> {
        return docker(["exec", "-i", this.container, "bash", "-c", command], { stdin: Buffer.from(stdin) });
    }
}
