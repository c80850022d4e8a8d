import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";

export interface PassphraseCheckArgs {
    stanza: string;
    passphrase: pulumi.Input<string>;
    /** What the instances will read, by name. */
    files: Record<string, pulumi.Input<string>>;
    /** Machines with the image on them. */
    machines: Machine[];
    /** Image that holds pgBackRest. */
    image: string;
}

/** The Secrets that hold the passphrase wait for this: it is the one of what the repository holds. */
export class PassphraseCheck extends StepResource {
    constructor(name: string, { machines, ...rest }: PassphraseCheckArgs, opts: pulumi.CustomResourceOptions) {
        super(
            "./components/pgbackrest/passphrase-check.step",
            "PassphraseCheck",
            name,
            { ...rest, machines: machines.map(access) },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["passphrase", "files", "machines"] }),
        );
    }
}
