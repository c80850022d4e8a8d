import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { Certificate, CertificateAuthority } from "../certificates/certificates";
import { StepResource } from "../dynamic";
import { createDockerMachine, type DockerHost } from "../machines/docker/docker-machine";
import { access, type Machine } from "../machines/machine";
import { objectStoreVolume, ports } from "../naming";
import type { Repository } from "../pgbackrest/repository";
import { versions } from "../versions";
import { paths, region, renderUnit } from "./config";

export interface ObjectStoreArgs {
    /** What the stack's docker machines share. */
    host: DockerHost;
    /** The store's own machine, on their network. */
    machine: { name: string; address: string };
    bucket: string;
    /** Folder in the bucket. */
    path: string;
}

/**
 * An S3 server for development, outside Kubernetes: a machine of its own, whose buckets lie on a volume that outlives
 * it. It needs nothing of the cluster, and nothing that happens to the cluster's machines touches it.
 */
export class ObjectStore extends pulumi.ComponentResource {
    /** How to reach the bucket. */
    readonly repository: Repository;
    /** The bucket can be used when this is done. */
    readonly ready: pulumi.Resource[];

    constructor(name: string, args: ObjectStoreArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:objectStore:ObjectStore", name, {}, opts);
        const child = { parent: this };
        const accessKeyId = createSecret(`${name}-access-key-id`, 20, child);
        const secretAccessKey = createSecret(`${name}-secret-access-key`, 40, child);
        const authority = new CertificateAuthority(`${name}-ca`, { commonName: "object store CA" }, child);
        const machine = createMachine(name, args, child);
        const server = createServer(name, args, machine, authority, { accessKeyId, secretAccessKey }, child);

        this.repository = {
            host: args.machine.address,
            port: ports.objectStore,
            bucket: args.bucket,
            region,
            uriStyle: "path",
            caCertificate: authority.certificate,
            credentials: { type: "key", accessKeyId, secretAccessKey },
            path: args.path,
        };
        this.ready = [server];
        this.registerOutputs({ host: this.repository.host, bucket: args.bucket });
    }
}

/** Letters and digits only: it stands in configuration files of several programs. */
const createSecret = (name: string, length: number, child: pulumi.CustomResourceOptions): pulumi.Output<string> =>
    pulumi.secret(new random.RandomPassword(name, { length, special: false }, child).result);

function createMachine(name: string, { host, machine }: ObjectStoreArgs, child: { parent: pulumi.Resource }): Machine {
    const volume = new DockerVolume(
        `${name}-volume`,
        { name: objectStoreVolume(host.stack), stack: host.stack },
        child,
    );
    const mounts = { [objectStoreVolume(host.stack)]: paths.buckets };
    return createDockerMachine(`${name}-machine`, { ...machine, mounts, after: [volume] }, host, child);
}

function createServer(
    name: string,
    { machine: { name: dnsName, address }, bucket }: ObjectStoreArgs,
    machine: Machine,
    authority: CertificateAuthority,
    credentials: { accessKeyId: pulumi.Output<string>; secretAccessKey: pulumi.Output<string> },
    child: { parent: pulumi.Resource },
): pulumi.Resource {
    const certificate = new Certificate(
        `${name}-certificate`,
        { authority, commonName: dnsName, dnsNames: [dnsName], ipAddresses: [address], usages: ["server"] },
        child,
    );
    return new ObjectStoreServer(
        `${name}-server`,
        {
            access: access(machine),
            instance: machine.instance,
            version: versions.versitygw,
            unit: renderUnit(),
            certificate: certificate.certificate,
            privateKey: certificate.privateKey,
            authority: authority.certificate,
            ...credentials,
            bucket,
        },
        // With the whole store its machine goes, too.
        { ...child, dependsOn: machine.ready, deletedWith: child.parent },
    );
}

class DockerVolume extends StepResource {
    constructor(name: string, args: { name: string; stack: string }, opts: pulumi.CustomResourceOptions) {
        super("./components/machines/docker/volume.step", "DockerVolume", name, { ...args }, opts);
    }
}

class ObjectStoreServer extends StepResource {
    constructor(name: string, args: pulumi.Inputs, opts: pulumi.CustomResourceOptions) {
        const secrets = ["access", "privateKey", "accessKeyId", "secretAccessKey"];
        super(
            "./components/object-store/server.step",
            "ObjectStoreServer",
            name,
            args,
            pulumi.mergeOptions(opts, { additionalSecretOutputs: secrets }),
        );
    }
}
