import { mostConnections } from "./haproxy/config";
import { machineAddressProblem } from "./machines/docker/subnet";
import { hostAccessProblems, hostAddressProblems, hostsInside } from "./machines/existing/host-validation";
import type { MachinesArgs } from "./machines/machines-args";
import { overlap, parseCidr } from "./network";
import { backupProblems } from "./pgbackrest/backup-args";
import { restoreProblems } from "./pgbackrest/restore";
import { parameterProblems } from "./patroni/parameters";
import type { NormalisedArgs } from "./postgres-ha-args";
import { postgresBytes, quantityBytes } from "./quantity";
import { deriveTimers, objectiveProblems, timerProblems } from "./recovery";
import { isLabel, machineNameProblem, type Problem } from "./validation";

/** Everything that is wrong with the arguments. Each check is a function of its own; all of them always run. */
export function postgresHAProblems(args: NormalisedArgs): Problem[] {
    return [
        ...nameProblems(args),
        ...machineProblems(args.machines),
        ...kubernetesProblems(args),
        ...etcdProblems(args),
        ...instanceProblems(args),
        ...sizeProblems(args),
        ...clientProblems(args),
        ...parameterProblems(args.postgres.parameters),
        ...databaseProblems(args),
        ...objectiveProblems(args.recovery.objective),
        ...timerProblems(deriveTimers(args.recovery.objective)),
        ...packagesProblems(args),
        ...backupProblems(args.backup, args.machines),
        ...restoreProblems(args.restore, args.backup !== undefined, args.machines),
    ];
}

function packagesProblems({ packagesAsOf }: NormalisedArgs): Problem[] {
    return packagesAsOf === undefined || isDay(packagesAsOf)
        ? []
        : [{ path: "packagesAsOf", message: `"${packagesAsOf}" is no day; write it as 2026-11-29` }];
}

/** A day that the calendar has. */
function isDay(text: string): boolean {
    const day = new Date(`${text}T00:00:00Z`);
    return !Number.isNaN(day.getTime()) && day.toISOString().slice(0, 10) === text;
}

const machineCount = ({ machines }: NormalisedArgs): number => machines.machines.length;

function nameProblems({ stack, cluster }: NormalisedArgs): Problem[] {
    const message = "is no name: use 1 to 32 lower-case letters, digits and hyphens, a letter first";
    return [
        ...(isLabel(cluster) ? [] : [{ path: "cluster", message: `"${cluster}" ${message}` }]),
        ...(cluster === "default" || cluster.startsWith("kube-")
            ? [{ path: "cluster", message: `"${cluster}" is a namespace of Kubernetes itself; choose another` }]
            : []),
        ...(isLabel(stack) ? [] : [{ path: "stack", message: `"${stack}" ${message}` }]),
    ];
}

export function machineProblems(machines: MachinesArgs): Problem[] {
    const list: { name: string; address: string }[] = machines.machines;
    const problems = list.flatMap(({ name }, index): Problem[] => {
        const message = machineNameProblem(name);
        return message === undefined ? [] : [{ path: `machines.machines[${index}].name`, message }];
    });
    problems.push(...duplicates(list, "name"), ...duplicates(list, "address"));
    if (machines.provider === "docker") {
        problems.push(...dockerProblems(machines.subnet, list));
    } else {
        problems.push(...hostAddressProblems(machines.machines), ...hostAccessProblems(machines));
    }
    return problems;
}

function duplicates(list: { name: string; address: string }[], field: "name" | "address"): Problem[] {
    return list.flatMap((machine, index) => {
        const first = list.findIndex((other) => other[field] === machine[field]);
        return first === index
            ? []
            : [
                  {
                      path: `machines.machines[${index}].${field}`,
                      message: `"${machine[field]}" is also that of machines[${first}]; every machine needs its own`,
                  },
              ];
    });
}

function dockerProblems(subnet: string, list: { address: string }[]): Problem[] {
    const block = parseCidr(subnet);
    if (!block || block.prefix > 29) {
        return [
            {
                path: "machines.subnet",
                message: `"${subnet}" is no IPv4 block of at least 8 addresses; use one such as 10.210.0.0/24`,
            },
        ];
    }
    return list.flatMap(({ address }, index) => {
        const message = machineAddressProblem(subnet, address);
        return message === undefined ? [] : [{ path: `machines.machines[${index}].address`, message }];
    });
}

function kubernetesProblems(args: NormalisedArgs): Problem[] {
    const { servers, podCidr, serviceCidr } = args.kubernetes;
    const problems = oddProblems("kubernetes.servers", servers, "servers");
    if (servers > machineCount(args)) {
        problems.push({
            path: "kubernetes.servers",
            message: `${servers} servers need as many machines, there are ${machineCount(args)}`,
        });
    }
    const blocks = { podCidr: parseCidr(podCidr), serviceCidr: parseCidr(serviceCidr) };
    for (const field of ["podCidr", "serviceCidr"] as const) {
        const block = blocks[field];
        if (!block || block.prefix > 16) {
            problems.push({
                path: `kubernetes.${field}`,
                message: `"${args.kubernetes[field]}" is no IPv4 block of /16 or larger`,
            });
        }
    }
    const { podCidr: pods, serviceCidr: services } = blocks;
    if (pods && services && overlap(pods, services)) {
        problems.push({
            path: "kubernetes.podCidr",
            message: `${podCidr} overlaps serviceCidr ${serviceCidr}; give them separate blocks`,
        });
    }
    const subnet = args.machines.provider === "docker" ? parseCidr(args.machines.subnet) : undefined;
    if (subnet && [pods, services].some((block) => block && overlap(block, subnet))) {
        problems.push({
            path: "machines.subnet",
            message: "overlaps the addresses of pods or Services; choose another",
        });
    }
    if (args.machines.provider === "existing") {
        const inside = [
            ...(pods ? [{ field: "kubernetes.podCidr", text: podCidr, block: pods }] : []),
            ...(services ? [{ field: "kubernetes.serviceCidr", text: serviceCidr, block: services }] : []),
        ];
        problems.push(...hostsInside(args.machines.machines, inside));
    }
    return problems;
}

/** A count that must have a majority. */
function oddProblems(path: string, count: number, what: string): Problem[] {
    if (!Number.isInteger(count) || count < 3 || count > 7) {
        const none = count === 1 || count === 2 ? " tolerate no failure" : " are not supported";
        return [{ path, message: `${count} ${what}${none}; use 3, 5 or 7` }];
    }
    return count % 2 === 0
        ? [
              {
                  path,
                  message: `${count} ${what} tolerate no more failures than ${count - 1}; use ${count - 1} or ${count + 1}`,
              },
          ]
        : [];
}

function etcdProblems(args: NormalisedArgs): Problem[] {
    const { members } = args.etcd;
    const problems = oddProblems("etcd.members", members, "members");
    if (members > machineCount(args)) {
        problems.push({
            path: "etcd.members",
            message: `${members} members on ${machineCount(args)} machines would share one; add machines or use fewer members`,
        });
    }
    return problems;
}

const isConnectionCount = (count: number): boolean => Number.isInteger(count) && count >= 20 && count <= 10_000;

function instanceProblems(args: NormalisedArgs): Problem[] {
    const { instances, synchronousStandbyCount, maxConnections } = args.postgres;
    const problems: Problem[] = [];
    const add = (field: string, message: string) => problems.push({ path: `postgres.${field}`, message });
    if (!Number.isInteger(instances) || instances < 3 || instances > 9) {
        // A write waits for a standby: of two instances neither can do without the other.
        const why =
            instances === 2 ? "instances: with the loss of either no write is acknowledged" : "is not supported";
        add("instances", `${instances} ${why}; use 3 to 9`);
    }
    if (instances > machineCount(args)) {
        add(
            "instances",
            `${instances} instances on ${machineCount(args)} machines would share one; add machines or use fewer instances`,
        );
    }
    if (
        !Number.isInteger(synchronousStandbyCount) ||
        synchronousStandbyCount < 1 ||
        synchronousStandbyCount >= instances
    ) {
        add(
            "synchronousStandbyCount",
            `${synchronousStandbyCount} is not possible with ${instances} instances; use 1 to ${Math.max(1, instances - 1)}`,
        );
    }
    if (!isConnectionCount(maxConnections)) {
        add("maxConnections", `${maxConnections} is not a number of connections between 20 and 10000`);
    }
    return problems;
}

const mebibyte = 2 ** 20;
const mebibytes = (bytes: number): string => `${Math.ceil(bytes / mebibyte)}Mi`;

/** Of an instance. */
const leastMemory = 512 * mebibyte;
/** Of a session that has filled its caches and waits; a query takes `work_mem` beside it. */
const sessionBytes = 2 * mebibyte;
/** Patroni, the checks, and what PostgreSQL does in the background. */
const besideSessions = 256 * mebibyte;

/** More sessions than the memory holds end in a kill, and that in the next storm of connections. */
function connectionProblems(connections: number, memory = Infinity, buffers = 0): Problem[] {
    const needed = buffers + connections * sessionBytes + besideSessions;
    if (needed <= memory || memory < leastMemory || buffers > memory / 2) return [];
    return [
        {
            path: "postgres.maxConnections",
            message: `${connections} connections need ${mebibytes(needed)} with sharedBuffers; lower it or raise postgres.resources.memory`,
        },
    ];
}

/** Two buffers of 16 KiB for each connection, and what HAProxy needs without any. */
const proxyBytes = (connections: number): number => 64 * mebibyte + mostConnections(connections) * 36 * 1024;

function sizeProblems({ etcd, postgres, haproxy }: NormalisedArgs): Problem[] {
    const problems: Problem[] = [];
    const gibibyte = 2 ** 30;
    const atLeast = (path: string, text: string, bytes: number | undefined, least: number, example: string) => {
        if (bytes === undefined) {
            problems.push({ path, message: `"${text}" is no size; write it as ${example}` });
        } else if (bytes < least) {
            problems.push({ path, message: `"${text}" is too small; ${example} is the least` });
        }
    };
    atLeast("etcd.storage", etcd.storage, quantityBytes(etcd.storage), gibibyte, "1Gi");
    atLeast("postgres.storage", postgres.storage, quantityBytes(postgres.storage), 2 * gibibyte, "2Gi");
    const memory = quantityBytes(postgres.resources.memory);
    atLeast("postgres.resources.memory", postgres.resources.memory, memory, leastMemory, "512Mi");
    atLeast(
        "etcd.resources.memory",
        etcd.resources.memory,
        quantityBytes(etcd.resources.memory),
        gibibyte / 8,
        "128Mi",
    );
    const buffers = postgresBytes(postgres.sharedBuffers);
    atLeast("postgres.sharedBuffers", postgres.sharedBuffers, buffers, 2 ** 24, "16MB");
    if (memory !== undefined && buffers !== undefined && buffers > memory / 2) {
        problems.push({
            path: "postgres.sharedBuffers",
            message: `${postgres.sharedBuffers} is more than half of the instance's memory (${postgres.resources.memory}); lower it or raise postgres.resources.memory`,
        });
    }
    // One that is refused by itself says nothing about sizes.
    const connections = isConnectionCount(postgres.maxConnections) ? postgres.maxConnections : 0;
    problems.push(...connectionProblems(connections, memory, buffers));
    const proxyMemory = haproxy.resources.memory;
    const proxyNeeds = proxyBytes(connections);
    atLeast("haproxy.resources.memory", proxyMemory, quantityBytes(proxyMemory), proxyNeeds, mebibytes(proxyNeeds));
    for (const [part, { resources }] of Object.entries({ etcd, postgres, haproxy })) {
        if (!/^(\d+m|\d+(\.\d+)?)$/.test(resources.cpu)) {
            problems.push({
                path: `${part}.resources.cpu`,
                message: `"${resources.cpu}" is no CPU quantity; write it as 500m or 2`,
            });
        }
    }
    atLeast(
        "haproxy.maximumReplicaLag",
        haproxy.maximumReplicaLag,
        postgresBytes(haproxy.maximumReplicaLag),
        2 ** 20,
        "1MB",
    );
    return problems;
}

const clientProblems = ({ haproxy: { allowedClients = [] } }: NormalisedArgs): Problem[] =>
    allowedClients.flatMap((text, index) =>
        parseCidr(text)
            ? []
            : [
                  {
                      path: `haproxy.allowedClients[${index}]`,
                      message: `"${text}" is no IPv4 block; write it as 10.20.0.0/16, one address as 10.20.0.7/32`,
                  },
              ],
    );

function databaseProblems({ database }: NormalisedArgs): Problem[] {
    const { passwordGeneration } = database;
    const isCount = Number.isInteger(passwordGeneration) && passwordGeneration >= 1;
    const ofPassword = isCount
        ? []
        : [
              {
                  path: "database.passwordGeneration",
                  message: `${passwordGeneration} is no whole number from 1 on; raise it by one for another password`,
              },
          ];
    const reserved = ["postgres", "template0", "template1", "replicator", "rewind"];
    const ofNames = (["name", "owner"] as const).flatMap((field) =>
        /^[a-z_][a-z0-9_]{0,62}$/.test(database[field]) && !reserved.includes(database[field])
            ? []
            : [
                  {
                      path: `database.${field}`,
                      message: `"${database[field]}" cannot be used; lower-case letters, digits and underscores, and not ${reserved.join(", ")}`,
                  },
              ],
    );
    return [...ofNames, ...ofPassword];
}
