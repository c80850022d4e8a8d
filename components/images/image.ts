import type { ArtifactName } from "../artifacts";
import { contentDigest } from "../content-digest";
import { versions } from "../versions";

/** A container image of the stack, built from a folder and released files, named by what it is made of. */
export interface Image {
    /** Full reference; its tag is a digest of everything that goes in. Never `latest`. */
    reference: string;
    /** Folder of the Dockerfile, relative to the project. */
    context: string;
    /** Released files put beside the Dockerfile. */
    artifacts: ArtifactName[];
    /** Another value is another image, with Debian's packages of the day on which it is built. */
    packagesAsOf?: string;
}

/** What the references of all of them begin with. */
export const repository = "docker.io/postgres-ha/";

export type ImageName = "etcd" | "patroni" | "haproxy";

const sources: Record<ImageName, { context: string; artifacts: ArtifactName[]; version: string }> = {
    etcd: { context: "components/etcd/image", artifacts: ["etcd", "etcdctl"], version: versions.etcd },
    patroni: { context: "components/patroni/image", artifacts: [], version: versions.patroni },
    haproxy: { context: "components/haproxy/image", artifacts: [], version: "" },
};

export const imageNames = Object.keys(sources) as ImageName[];

export function image(name: ImageName, packagesAsOf?: string): Image {
    const { context, artifacts, version } = sources[name];
    const packages = packagesAsOf === undefined ? [] : [packagesAsOf];
    const digest = contentDigest(context, versions.baseImage, version, versions.postgresql, ...packages);
    return { reference: `${repository}${name}:${digest}`, context, artifacts, packagesAsOf };
}
