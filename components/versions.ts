/**
 * Every version the stack provisions, in one place; what is built into an image stands there as well (a unit test holds them
 * together). A change here is a CHANGELOG line.
 */
export const versions = {
    /** Kubernetes 1.35 is the newest minor that both the k3s release and containerd 1.7 hosts accept. */
    k3s: "v1.35.4+k3s1",
    /** 3.6.6: lease and learner fixes of the 3.5.2x series included; the version every drill was run with. */
    etcd: "v3.6.6",
    /** Major version from Debian trixie; minor updates arrive with the image rebuild. */
    postgresql: "17",
    /** 4.1.5: 4.0.x demotes on an etcd leader change and never drops a lost slot. Hashes: patroni/image/requirements.txt. */
    patroni: "4.1.5",
    /** S3 server of development stacks; the version with which pgBackRest 2.55.1 was proven. */
    versitygw: "v1.8.0",
    /** Base of every image; present or pulled by the container engine. */
    baseImage: "debian:trixie-slim",
} as const;
