import * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { skipAwait } from "./workload";

/** A StatefulSet whose members each have a fixed address: etcd's, and the instances of PostgreSQL. */
export interface MemberSet {
    /** Of its headless Service, and of the set itself. */
    name: string;
    /** Labels of its pods. */
    labels: Record<string, string>;
    members: { name: string; address: string }[];
    ports: { name: string; port: number }[];
    metadata: (name: string, annotations?: Record<string, string>) => kubernetes.types.input.meta.v1.ObjectMeta;
}

/** One Service with a fixed address per member: who looks for one never waits for DNS. `name`: prefix of the resources. */
export function createMemberServices(
    name: string,
    { name: setName, labels, members, ports, metadata }: MemberSet,
    object: pulumi.CustomResourceOptions,
): kubernetes.core.v1.Service[] {
    const headless = new kubernetes.core.v1.Service(
        `${name}-headless`,
        {
            metadata: metadata(setName),
            spec: { clusterIP: "None", publishNotReadyAddresses: true, selector: labels, ports },
        },
        object,
    );
    const single = members.map(
        (member, index) =>
            new kubernetes.core.v1.Service(
                `${name}-${index}`,
                {
                    // Its pod comes later: waiting for endpoints would wait for ever.
                    metadata: metadata(member.name, skipAwait),
                    spec: {
                        clusterIP: member.address,
                        publishNotReadyAddresses: true,
                        selector: { "statefulset.kubernetes.io/pod-name": member.name },
                        ports,
                    },
                },
                object,
            ),
    );
    return [headless, ...single];
}

/** A drain takes one member at a time. */
export function createDisruptionBudget(
    name: string,
    { name: setName, labels, metadata }: MemberSet,
    object: pulumi.CustomResourceOptions,
): void {
    new kubernetes.policy.v1.PodDisruptionBudget(
        `${name}-budget`,
        { metadata: metadata(setName), spec: { maxUnavailable: 1, selector: { matchLabels: labels } } },
        object,
    );
}
