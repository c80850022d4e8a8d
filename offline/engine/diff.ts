import { DiffResponse, PropertyDiff } from "@pulumi/pulumi/proto/provider_pb";
import { isMap } from "./values";

export type ChangeKind = "add" | "delete" | "update";

export interface Change {
    /** The path in the engine's syntax, quoted where a key has a dot or a bracket. */
    readonly path: string;
    /** The same path key by key; array positions are "*". */
    readonly keys: readonly string[];
    readonly kind: ChangeKind;
}

function step(path: string, key: string): string {
    if (/[."[\]]/.test(key) || key === "") return `${path}["${key.replaceAll('"', '\\"')}"]`;
    return path ? `${path}.${key}` : key;
}

/** Every property that differs, at its own depth. Null and absent are the same. */
export function changesBetween(before: unknown, after: unknown): Change[] {
    const changes: Change[] = [];
    const compare = (old: unknown, next: unknown, path: string, keys: readonly string[]): void => {
        const gone = next === undefined || next === null;
        if (old === undefined || old === null) {
            if (!gone) changes.push({ path, keys, kind: "add" });
        } else if (gone) {
            changes.push({ path, keys, kind: "delete" });
        } else if (Array.isArray(old) && Array.isArray(next)) {
            for (let index = 0; index < Math.max(old.length, next.length); index += 1) {
                compare(old[index], next[index], `${path}[${index}]`, [...keys, "*"]);
            }
        } else if (isMap(old) && isMap(next)) {
            for (const key of new Set([...Object.keys(old), ...Object.keys(next)])) {
                compare(old[key], next[key], step(path, key), [...keys, key]);
            }
        } else if (old !== next) {
            changes.push({ path, keys, kind: "update" });
        }
    };
    compare(before, after, "", []);
    return changes;
}

const KINDS: Record<ChangeKind, { inPlace: PropertyDiff.Kind; replacing: PropertyDiff.Kind }> = {
    add: { inPlace: PropertyDiff.Kind.ADD, replacing: PropertyDiff.Kind.ADD_REPLACE },
    delete: { inPlace: PropertyDiff.Kind.DELETE, replacing: PropertyDiff.Kind.DELETE_REPLACE },
    update: { inPlace: PropertyDiff.Kind.UPDATE, replacing: PropertyDiff.Kind.UPDATE_REPLACE },
};

export interface DiffOptions {
    readonly forcesReplacement: (change: Change) => boolean;
    /** Asked only when something is replaced. */
    readonly deleteBeforeReplace?: () => boolean;
    /** Replacements that have no changed input behind them. */
    readonly furtherReplaces?: readonly string[];
}

/** `changesBetween` as the engine wants it: paths into the inputs, and what each costs. */
export function diffResponse(changes: readonly Change[], options: DiffOptions): DiffResponse {
    const response = new DiffResponse();
    const further = options.furtherReplaces ?? [];
    const some = changes.length > 0 || further.length > 0;
    response.setChanges(some ? DiffResponse.DiffChanges.DIFF_SOME : DiffResponse.DiffChanges.DIFF_NONE);
    response.setHasdetaileddiff(true);
    const replaces = [...further];
    for (const change of changes) {
        const replacing = options.forcesReplacement(change);
        if (replacing) replaces.push(change.path);
        const detail = new PropertyDiff();
        detail.setKind(replacing ? KINDS[change.kind].replacing : KINDS[change.kind].inPlace);
        detail.setInputdiff(true);
        response.getDetaileddiffMap().set(change.path, detail);
    }
    response.setDiffsList([...new Set(changes.map((change) => change.keys[0] ?? change.path))]);
    response.setReplacesList(replaces);
    response.setDeletebeforereplace(replaces.length > 0 && (options.deleteBeforeReplace?.() ?? false));
    return response;
}
