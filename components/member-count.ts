import type * as pulumi from "@pulumi/pulumi";
import { StepResource } from "./dynamic";

/** What a StatefulSet waits for before its size is changed: fewer members than before are refused. */
export class MemberCount extends StepResource {
    constructor(name: string, setting: string, count: number, opts: pulumi.CustomResourceOptions) {
        super("./components/member-count.step", "MemberCount", name, { setting, count }, opts);
    }
}
