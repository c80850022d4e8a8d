import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import type { ProxySet } from "../haproxy/roll";
import type { ClusterStatus } from "./until-whole";
import type { Rebirth } from "./rebirth";
import type { DynamicConfig } from "./dynamic-config";
import type { DatabaseOwner } from "./owner";

export interface PatroniStateArgs {
    cluster: string;
    namespace: string;
    instances: string[];
    dynamicConfig: DynamicConfig;
    servers: Machine[];
    /** Changes when the pods' template does. */
    template: pulumi.Input<string>;
    owner: pulumi.Input<DatabaseOwner>;
    proxies: Record<Exclude<keyof ProxySet, "nodes">, pulumi.Input<string>> & Pick<ProxySet, "nodes">;
    machines: pulumi.Input<string>[];
    /** How the cluster begins anew from its repository; undefined in a stack without backups. */
    rebirth?: Rebirth;
}

/** The running cluster, brought to what was asked for (cluster.step.ts), and what was seen of it last. */
export class PatroniState extends StepResource {
    declare readonly status: pulumi.Output<ClusterStatus>;

    constructor(name: string, args: PatroniStateArgs, opts: pulumi.CustomResourceOptions) {
        super(
            "./components/patroni/cluster.step",
            "PatroniState",
            name,
            { ...args, servers: args.servers.map(access), status: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["servers", "owner"] }),
        );
    }
}
