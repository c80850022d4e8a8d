import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { versions } from "../components/versions";
import { recipeOf, type Cache, type PartKey } from "./cache";
import { findCommand, runLogged } from "./command";
import { ToolchainError } from "./errors";
import { withLock } from "./lock";
import type { Architecture } from "./platform";
import { say, step } from "./progress";
import { toolVersions } from "./tool-versions";

/** A program built from a public Go module; its go.mod and go.sum lie in offline/go/<name>. */
interface GoProgram {
    version: string;
    package: string;
    linkerFlags?: string[];
    tags?: string;
}

const { pulumi, kubernetes, coredns } = toolVersions;
const [kubeMajor, kubeMinor] = kubernetes.slice(1).split(".");

export const goPrograms = {
    pulumi: {
        version: pulumi,
        package: "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
        tags: "osusergo grpcnotrace",
        linkerFlags: [`-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v${pulumi}`],
    },
    etcd: { version: versions.etcd, package: "go.etcd.io/etcd/server/v3" },
    etcdctl: { version: versions.etcd, package: "go.etcd.io/etcd/etcdctl/v3" },
    kube: {
        version: kubernetes,
        package: ".",
        linkerFlags: [
            `-X k8s.io/component-base/version.gitVersion=${kubernetes}`,
            `-X k8s.io/component-base/version.gitMajor=${kubeMajor}`,
            `-X k8s.io/component-base/version.gitMinor=${kubeMinor}`,
            `-X k8s.io/client-go/pkg/version.gitVersion=${kubernetes}`,
        ],
    },
    coredns: { version: coredns, package: "github.com/coredns/coredns", tags: "grpcnotrace" },
    "local-path-provisioner": {
        version: toolVersions["local-path-provisioner"],
        package: "github.com/rancher/local-path-provisioner",
        linkerFlags: [`-X main.VERSION=${toolVersions["local-path-provisioner"]}`],
    },
    versitygw: {
        version: versions.versitygw,
        package: "github.com/versity/versitygw/cmd/versitygw",
        linkerFlags: [`-X main.Version=${versions.versitygw.slice(1)}`],
    },
} satisfies Record<string, GoProgram>;

export type GoProgramName = keyof typeof goPrograms;

const modules = join(__dirname, "go");

function programOf(name: GoProgramName): GoProgram {
    return goPrograms[name];
}

function buildFlags(name: GoProgramName): string[] {
    const { tags, linkerFlags = [] } = programOf(name);
    return [
        "-mod=readonly",
        "-buildvcs=false",
        "-trimpath",
        ...(tags === undefined ? [] : ["-tags", tags]),
        "-ldflags",
        ["-s", "-w", ...linkerFlags].join(" "),
    ];
}

export function goProgramKey(name: GoProgramName, architecture: Architecture): PartKey {
    const { version, package: path } = programOf(name);
    const recipe = recipeOf([path, ...buildFlags(name)], [join(modules, name)]);
    return { name, version, architecture, recipe };
}

function requireGo(name: string): void {
    if (findCommand("go") !== undefined) return;
    throw new ToolchainError(
        `Go is needed to build ${name} here, and there is no \`go\` on PATH.`,
        "Install Go 1.26 or newer, or let the official releases be reached (make doctor shows their addresses).",
    );
}

/** Path of the program, built from its pinned module unless it is in the cache. One build runs at a time. */
export async function obtainGoProgram(cache: Cache, name: GoProgramName, architecture: Architecture): Promise<string> {
    const { version, package: path } = programOf(name);
    const make = async (directory: string): Promise<void> => {
        requireGo(name);
        // The go tool uses every processor by itself: two builds at once only take each other's memory.
        await withLock(
            join(cache.root, "locks", "go-build.lock"),
            () => build(directory),
            (pid) => say(`Waiting for the Go build of process ${pid} before building ${name}.`),
        );
    };
    const build = (directory: string): Promise<void> =>
        step(`building ${name} ${version} from its Go module`, async (report) => {
            let compiled = 0;
            let fetched = 0;
            const onLine = (line: string): void => {
                if (line.startsWith("go: downloading")) fetched += 1;
                else if (/^[\w.-]+(\/[\w.-]+)*$/.test(line)) compiled += 1;
                report.detail(`${fetched} modules fetched, ${compiled} packages compiled`);
            };
            mkdirSync(directory, { recursive: true });
            await runLogged("go", ["build", "-v", ...buildFlags(name), "-o", join(directory, name), path], {
                cwd: join(modules, name),
                environment: { CGO_ENABLED: "0", GOOS: "linux", GOARCH: architecture, GOFLAGS: "", GOWORK: "off" },
                log: cache.logFile(`go-${name}`),
                onLine,
                retry: `Run the same command again: what was compiled is kept. By hand: cd offline/go/${name} && go build ${path}`,
            });
        });
    const directory = await cache.obtain(goProgramKey(name, architecture), make, (pid) =>
        say(`Waiting for process ${pid}, which is building ${name} too.`),
    );
    return join(directory, name);
}
