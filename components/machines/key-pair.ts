import * as pulumi from "@pulumi/pulumi";
import { stepProvider } from "../dynamic";
import type { KeyPairInputs } from "./key-pair.step";

/** An ed25519 SSH key pair, made once and kept in the state. */
export class KeyPair extends pulumi.dynamic.Resource {
    declare readonly privateKey: pulumi.Output<string>;
    declare readonly publicKey: pulumi.Output<string>;

    constructor(name: string, args: KeyPairInputs, opts?: pulumi.CustomResourceOptions) {
        super(
            stepProvider("./components/machines/key-pair.step"),
            name,
            { ...args, privateKey: undefined, publicKey: undefined },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["privateKey"] }),
            "postgresha",
            "KeyPair",
        );
    }
}
