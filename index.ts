import * as pulumi from "@pulumi/pulumi";
import { PostgresHA } from "./components/postgres-ha";
import { readStackConfig } from "./stacks/config";
import { stackOutputs, type StackOutputs } from "./stacks/outputs";

const outputs: pulumi.Output<StackOutputs> = pulumi.output(
    readStackConfig().then((args) => stackOutputs(new PostgresHA("postgres", args))),
);

export const connectionString = pulumi.secret(outputs.connectionString);
export const readOnlyConnectionString = pulumi.secret(outputs.readOnlyConnectionString);
export const caCertificate = outputs.caCertificate;
export const endpoints = outputs.endpoints;
export const kubeconfig = pulumi.secret(outputs.kubeconfig);
export const status = outputs.status;
