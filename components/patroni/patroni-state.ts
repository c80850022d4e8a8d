import * as pulumi from "@pulumi/pulumi";
import { stepProvider } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import type { ClusterStatus } from "./cluster.step";
import type { DynamicConfig } from "./dynamic-config";

export interface PatroniStateArgs {
    cluster: string;
    namespace: string;
    instances: string[];
    dynamicConfig: DynamicConfig;
    servers: Machine[];
    /** Changes when the pods' template does. */
    template: pulumi.Input<string>;
    machines: pulumi.Input<string>[];
}

/** The running cluster: its dynamic configuration as asked for, and what was seen of it last. */
export class PatroniState extends pulumi.dynamic.Resource {
    declare readonly status: pulumi.Output<ClusterStatus>;

    constructor(name: string, args: PatroniStateArgs, opts: pulumi.CustomResourceOptions) {
        super(
            stepProvider("./components/patroni/cluster.step"),
            name,
            { ...args, servers: args.servers.map(access), status: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["servers"] }),
            "postgresha",
            "PatroniState",
        );
    }
}
