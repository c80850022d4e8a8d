import { createHash } from "node:crypto";
import { tar, type TarEntry } from "./tar";

/** The names the stand-in looks for (images.go). They are made here and are no registry's images; the name says so. */
const repository = "localhost/k3s-stand-in";

interface Image {
    name: string;
    layer: TarEntry[];
    entrypoint?: string[];
    command?: string[];
}

const sha256 = (data: Buffer | string) => createHash("sha256").update(data).digest("hex");

const systemPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const users = Buffer.from("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n");
const groups = Buffer.from("root:x:0:\nnogroup:x:65534:\n");

function program(name: string, data: Buffer): TarEntry[] {
    return [
        { name: "etc", directory: true },
        { name: "etc/passwd", data: users },
        { name: "etc/group", data: groups },
        { name: "tmp", directory: true, mode: 0o1777 },
        { name: "usr", directory: true },
        { name: "usr/local", directory: true },
        { name: "usr/local/bin", directory: true },
        { name: `usr/local/bin/${name}`, data, mode: 0o755 },
    ];
}

function busybox(data: Buffer, applets: string[]): TarEntry[] {
    return [
        { name: "bin", directory: true },
        { name: "bin/busybox", data, mode: 0o755 },
        ...applets
            .filter((applet) => applet !== "busybox")
            .sort()
            .map((applet) => ({ name: `bin/${applet}`, link: "busybox" })),
        { name: "etc", directory: true },
        { name: "etc/passwd", data: users },
        { name: "etc/group", data: groups },
        { name: "root", directory: true, mode: 0o700 },
        { name: "tmp", directory: true, mode: 0o1777 },
    ];
}

export interface ImagePrograms {
    pause: Buffer;
    etcd: Buffer;
    coredns: Buffer;
    localPathProvisioner: Buffer;
    busybox: Buffer;
    /** What `busybox --list` prints. */
    applets: string[];
}

/** Versions of the images, as images.go names them. */
export interface ImageTags {
    kubernetes: string;
    pause: string;
    etcd: string;
    coredns: string;
    localPathProvisioner: string;
    busybox: string;
}

/**
 * The images every node needs, in the format of `docker save`, equal bytes for equal programs. Images of the control
 * plane hold nothing but a mount point: its pods run the node's own programs.
 */
export function imageArchive(programs: ImagePrograms, tags: ImageTags, arch: string): Buffer {
    const pause: TarEntry[] = [
        { name: "pause", data: programs.pause, mode: 0o755 },
        { name: "usr", directory: true },
        { name: "usr/local", directory: true },
        { name: "usr/local/bin", directory: true },
    ];
    const images: Image[] = [
        { name: `pause:${tags.pause}`, layer: pause, entrypoint: ["/pause"] },
        ...["kube-apiserver", "kube-controller-manager", "kube-scheduler"].map((name) => ({
            name: `${name}:${tags.kubernetes}`,
            layer: pause,
        })),
        { name: `etcd:${tags.etcd}`, layer: program("etcd", programs.etcd), entrypoint: ["/usr/local/bin/etcd"] },
        {
            name: `coredns:${tags.coredns}`,
            layer: program("coredns", programs.coredns),
            entrypoint: ["/usr/local/bin/coredns"],
        },
        {
            name: `local-path-provisioner:${tags.localPathProvisioner}`,
            layer: program("local-path-provisioner", programs.localPathProvisioner),
            entrypoint: ["/usr/local/bin/local-path-provisioner"],
        },
        { name: `busybox:${tags.busybox}`, layer: busybox(programs.busybox, programs.applets), command: ["sh"] },
    ];

    const files = new Map<string, TarEntry>();
    const manifest = images.map((image) => {
        const layer = tar(image.layer);
        const layerName = `${sha256(layer)}.tar`;
        files.set(layerName, { name: layerName, data: layer });
        const config = Buffer.from(
            JSON.stringify({
                architecture: arch,
                os: "linux",
                created: "1970-01-01T00:00:00Z",
                config: { Env: [systemPath], WorkingDir: "/", Entrypoint: image.entrypoint, Cmd: image.command },
                rootfs: { type: "layers", diff_ids: [`sha256:${sha256(layer)}`] },
                history: [{ created: "1970-01-01T00:00:00Z", created_by: `k3s stand-in: ${image.name}` }],
            }),
        );
        const configName = `${sha256(config)}.json`;
        files.set(configName, { name: configName, data: config });
        return { Config: configName, RepoTags: [`${repository}/${image.name}`], Layers: [layerName] };
    });
    return tar([...files.values(), { name: "manifest.json", data: Buffer.from(JSON.stringify(manifest)) }]);
}
