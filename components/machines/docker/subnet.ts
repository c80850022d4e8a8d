import { contains, parseCidr, parseIpv4 } from "../../network";

/** Why a machine cannot have this address in the network of the docker machines; undefined when it can. */
export function machineAddressProblem(subnet: string, address: string): string | undefined {
    const block = parseCidr(subnet);
    if (!block) {
        // The subnet itself is complained about where it stands.
        return undefined;
    }
    const parsed = parseIpv4(address);
    // The first address is the bridge's own, the last is for broadcasts.
    const last = block.base + 2 ** (32 - block.prefix) - 1;
    return parsed !== undefined && contains(block, parsed) && parsed > block.base + 1 && parsed < last
        ? undefined
        : `"${address}" is no address for a machine in ${subnet}`;
}
