import type { KubeObject } from "./kube-client";
import { pluckMaps, pluckNumber, type PropertyMap } from "./values";

/** When is an object ready? One rule a kind, as the official provider has them. Pure: what they need is handed in. */
export type Verdict =
    | { readonly ready: true }
    | {
          readonly ready: false;
          /** Shown while waiting. */
          readonly status: string;
          /** Said when the wait fails; the status, without. */
          readonly problems?: readonly string[];
          /** It will never be ready: waiting on is pointless. */
          readonly final?: boolean;
          /** Good enough when time is up. */
          readonly acceptAtTimeout?: boolean;
      };

export interface Circumstances {
    /** What the rule asked for, by kind. */
    readonly related: Readonly<Record<string, readonly KubeObject[]>>;
    /** Seconds since a related object last changed. */
    readonly quietSeconds: number;
    readonly creating: boolean;
}

export interface Wanted {
    readonly apiVersion: string;
    readonly kind: string;
    /** One by name, else all with these labels. */
    readonly name?: string;
    readonly labels?: PropertyMap;
    readonly clusterScoped?: boolean;
}

export interface Rule {
    readonly wants?: (live: KubeObject) => Wanted[];
    readonly judge: (live: KubeObject, circumstances: Circumstances) => Verdict;
    /** A refresh reports an object that is not ready. */
    readonly judgedOnRead: boolean;
}

export const READY: Verdict = { ready: true };

export function waiting(status: string, problems?: readonly string[]): Verdict {
    return { ready: false, status, problems };
}

export function condition(object: PropertyMap, type: string): PropertyMap | undefined {
    return pluckMaps(object, "status", "conditions").find((entry) => entry.type === type);
}

export function conditionHolds(object: PropertyMap, type: string): boolean {
    return condition(object, type)?.status === "True";
}

export function statusNumber(live: KubeObject, field: string): number {
    return pluckNumber(live, "status", field) ?? 0;
}
