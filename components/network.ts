/** IPv4 arithmetic for the few addresses the stack fixes in advance (no DNS in the failover path). */

export interface Cidr {
    /** First address of the block as a number. */
    base: number;
    prefix: number;
}

export function parseIpv4(text: string): number | undefined {
    const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
    if (!match) {
        return undefined;
    }
    const parts = match.slice(1).map(Number);
    return parts.every((part) => part <= 255) ? parts.reduce((sum, part) => sum * 256 + part, 0) : undefined;
}

export const formatIpv4 = (address: number): string =>
    [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");

/** A block such as `10.43.0.0/16`; undefined when the text is none or has host bits set. */
export function parseCidr(text: string): Cidr | undefined {
    const [address, prefixText, ...rest] = text.split("/");
    const base = parseIpv4(address ?? "");
    if (base === undefined || rest.length > 0 || !/^\d{1,2}$/.test(prefixText ?? "")) {
        return undefined;
    }
    const prefix = Number(prefixText);
    return prefix <= 32 && base % 2 ** (32 - prefix) === 0 ? { base, prefix } : undefined;
}

export const contains = (cidr: Cidr, address: number): boolean =>
    address >= cidr.base && address < cidr.base + 2 ** (32 - cidr.prefix);

export const overlap = (a: Cidr, b: Cidr): boolean => contains(a, b.base) || contains(b, a.base);

/** The address `offset` places into the block; the caller has validated the block. */
export function addressIn(cidr: string, offset: number): string {
    const parsed = parseCidr(cidr);
    if (!parsed || !contains(parsed, parsed.base + offset)) {
        throw new Error(`${cidr} has no address number ${offset}`);
    }
    return formatIpv4(parsed.base + offset);
}

/**
 * Offsets of fixed Service addresses. Kubernetes keeps the first 256 addresses of a /16 for static use
 * (ServiceIPStaticSubrange), so these never collide with one it hands out; .1 is the API, .10 is DNS.
 */
const etcdOffset = 32;
const instanceOffset = 64;

export const etcdMemberAddress = (serviceCidr: string, index: number): string =>
    addressIn(serviceCidr, etcdOffset + index);
export const instanceAddress = (serviceCidr: string, index: number): string =>
    addressIn(serviceCidr, instanceOffset + index);
