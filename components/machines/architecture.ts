import type { Architecture } from "../artifacts";
import { RemoteError, type SshConnection } from "./ssh";

/** Of the machine, in the names that releases use. */
export async function machineArchitecture(ssh: SshConnection): Promise<Architecture> {
    const { stdout } = await ssh.run("uname -m");
    const known: Record<string, Architecture> = { x86_64: "amd64", aarch64: "arm64" };
    const architecture = known[stdout.trim()];
    if (!architecture) {
        throw new RemoteError(
            ssh.machine,
            "check",
            `architecture ${stdout.trim()} is not supported; use amd64 or arm64`,
        );
    }
    return architecture;
}
