import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import type { KeyPairInputs } from "./key-pair.step";

/** An ed25519 SSH key pair, made once and kept in the state. */
export class KeyPair extends StepResource {
    declare readonly privateKey: pulumi.Output<string>;
    declare readonly publicKey: pulumi.Output<string>;

    constructor(name: string, args: KeyPairInputs, opts?: pulumi.CustomResourceOptions) {
        super(
            "./components/machines/key-pair.step",
            "KeyPair",
            name,
            { ...args, privateKey: undefined, publicKey: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["privateKey"] }),
        );
    }
}
