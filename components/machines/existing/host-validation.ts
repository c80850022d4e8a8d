import { isIPv6 } from "node:net";
import { contains, parseIpv4, type Cidr } from "../../network";
import type { Problem } from "../../validation";
import { privateKeyProblem } from "../private-key";
import type { ExistingHost, ExistingMachinesArgs } from "./existing-machines";

/** An IPv4 address or a DNS name: entries, certificates and URLs are written for these. */
const isHost = (text: string): boolean =>
    parseIpv4(text) !== undefined ||
    (/[a-z]/i.test(text) && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i.test(text));

/** Pods, Services and fixed addresses are IPv4 (network.ts), and a node must be reachable from them. */
const ipv6Problem = (text: string): string | undefined =>
    isIPv6(text.replace(/^\[|\]$/g, ""))
        ? `"${text}" is an IPv6 address, and this stack speaks IPv4 only; give the host's IPv4 address, or a name that has one`
        : undefined;

/** What is wrong with the addresses of the hosts themselves. */
export function hostAddressProblems(list: ExistingHost[]): Problem[] {
    const privateOf = (host: ExistingHost) => host.privateAddress ?? host.address;
    return list.flatMap((host, index) => {
        const path = `machines.machines[${index}]`;
        const problems: Problem[] = [];
        if (!isHost(host.address)) {
            const message = ipv6Problem(host.address) ?? `"${host.address}" is no IPv4 address or DNS name`;
            problems.push({ path: `${path}.address`, message });
        }
        if (host.privateAddress === undefined && isHost(host.address) && parseIpv4(host.address) === undefined) {
            problems.push({
                path: `${path}.privateAddress`,
                message: `is missing, and "${host.address}" is a name; nodes are registered by an IPv4 address, give the host's own`,
            });
        }
        if (host.privateAddress !== undefined && parseIpv4(host.privateAddress) === undefined) {
            problems.push({
                path: `${path}.privateAddress`,
                message:
                    ipv6Problem(host.privateAddress) ??
                    `"${host.privateAddress}" is no IPv4 address; nodes are registered by theirs`,
            });
        }
        const first = list.findIndex((other) => privateOf(other) === privateOf(host));
        if (first !== index && host.privateAddress !== undefined) {
            problems.push({
                path: `${path}.privateAddress`,
                message: `"${host.privateAddress}" is also that of machines[${first}]; every machine needs its own`,
            });
        }
        return problems;
    });
}

/** What would keep the hosts from being reached, or from being known as themselves. */
export function hostAccessProblems(machines: ExistingMachinesArgs): Problem[] {
    const problems = machines.machines.flatMap(({ hostKey, address }, index) =>
        /^(ssh-ed25519|ecdsa-sha2-\S+|ssh-rsa) [A-Za-z0-9+/=]{40,}/.test(hostKey)
            ? []
            : [
                  {
                      path: `machines.machines[${index}].hostKey`,
                      message: `is no public host key; take it from \`ssh-keyscan -t ed25519 ${address}\``,
                  },
              ],
    );
    const problem = typeof machines.privateKey === "string" ? privateKeyProblem(machines.privateKey) : undefined;
    if (problem !== undefined) {
        problems.push({ path: "machines.privateKey", message: problem });
    }
    return problems;
}

/** Hosts at addresses that the cluster gives to pods or Services: what is sent to them would never leave a node. */
export function hostsInside(list: ExistingHost[], blocks: { field: string; text: string; block: Cidr }[]): Problem[] {
    return list.flatMap((host, index) =>
        (["address", "privateAddress"] as const).flatMap((field) => {
            const address = parseIpv4(host[field] ?? "");
            return blocks
                .filter(({ block }) => address !== undefined && contains(block, address))
                .map(({ field: setting, text }) => ({
                    path: `machines.machines[${index}].${field}`,
                    message: `${host[field]} lies inside ${setting} ${text}; set ${setting} to a block that no host is in`,
                }));
        }),
    );
}
