import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "./machines/machine";
import { ports, proxyNamespace, readOnlyService, readWriteService } from "./naming";
import type { PatroniState } from "./patroni/patroni-state";
import type { NormalisedArgs } from "./postgres-ha-args";

export interface Endpoints {
    /** `address:port` of every read-write entry; each leads to the primary. */
    readWrite: string[];
    /** `address:port` of every read-only entry; each leads to a replica, or the primary while none is fit. */
    readOnly: string[];
    /** HAProxy's own pages, one per node. */
    statistics: string[];
    /** Entries for applications inside the cluster. */
    services: { readWrite: string; readOnly: string };
}

/** Who may use the entries: pods, the kubelet's probes among them, the machines, and whom the settings name. */
export const allowedClients = ({ haproxy, kubernetes }: NormalisedArgs, machines: Machine[]): string[] | undefined =>
    haproxy.allowedClients && [
        kubernetes.podCidr,
        ...addressesOf(machines).filter(isAddress),
        ...haproxy.allowedClients,
    ];

const addressesOf = (machines: Machine[]): string[] => [
    ...new Set(machines.flatMap(({ address, privateAddress }) => [address, privateAddress])),
];

const isAddress = (text: string): boolean => /^[\d.]+$/.test(text) || text.includes(":");

/** Every name under which a client may reach PostgreSQL, for `sslmode=verify-full`. */
export function serverNames(
    { cluster }: NormalisedArgs,
    machines: Machine[],
): { dnsNames: string[]; ipAddresses: string[] } {
    const addresses = addressesOf(machines);
    const services = [readWriteService(cluster), readOnlyService(cluster)];
    const namespace = proxyNamespace(cluster);
    return {
        dnsNames: [
            ...machines.map((machine) => machine.name),
            ...addresses.filter((address) => !isAddress(address)),
            ...services.flatMap((service) =>
                ["", `.${namespace}`, `.${namespace}.svc`, `.${namespace}.svc.cluster.local`].map(
                    (end) => service + end,
                ),
            ),
        ],
        ipAddresses: addresses.filter(isAddress),
    };
}

export function createEndpoints({ cluster }: NormalisedArgs, machines: Machine[]): Endpoints {
    const at = (port: number) => machines.map(({ address }) => `${address}:${port}`);
    const namespace = proxyNamespace(cluster);
    return {
        readWrite: at(ports.readWrite),
        readOnly: at(ports.readOnly),
        statistics: at(ports.haproxyStats).map((host) => `http://${host}/`),
        services: {
            readWrite: `${readWriteService(cluster)}.${namespace}.svc.cluster.local:${ports.postgresql}`,
            readOnly: `${readOnlyService(cluster)}.${namespace}.svc.cluster.local:${ports.postgresql}`,
        },
    };
}

/**
 * What a client needs for the loss of the entry that it tries first: without `connect_timeout` (seconds, for each host) it
 * waits for minutes until the kernel gives up.
 */
const everywhere = "sslmode=verify-full&connect_timeout=3";
const parameters = { readWrite: `${everywhere}&target_session_attrs=read-write`, readOnly: everywhere } as const;

/** Known only when the cluster serves: an application never gets a string that does not work yet. */
export const connectionString = (
    { database }: NormalisedArgs,
    endpoints: Endpoints,
    kind: keyof typeof parameters,
    password: pulumi.Output<string>,
    ready: PatroniState,
): pulumi.Output<string> =>
    pulumi.secret(
        pulumi
            .all([password, ready.id])
            .apply(
                ([known]) =>
                    `postgresql://${database.owner}:${known}@${endpoints[kind].join(",")}/${database.name}?${parameters[kind]}`,
            ),
    );
