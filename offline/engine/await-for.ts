import { condition, type Rule } from "./await-rule";
import type { KubeObject } from "./kube-client";
import { isMap, pluckNumber } from "./values";

/** The `pulumi.com/waitFor` annotation: `condition=Type[=Status]`, `jsonpath={.path}[=value]`, or a JSON array of them. */

type Test = (live: KubeObject) => string | undefined;

function isStale(live: KubeObject): boolean {
    const observed = pluckNumber(live, "status", "observedGeneration");
    return observed !== undefined && observed < (pluckNumber(live, "metadata", "generation") ?? 0);
}

function conditionTest(expression: string): Test {
    const [type = "", wanted = "True"] = expression.split("=", 2);
    return (live) => {
        const found = condition(live, type);
        if (!isStale(live) && String(found?.status).toLowerCase() === wanted.toLowerCase()) return undefined;
        const why = typeof found?.message === "string" && found.message !== "" ? `: ${found.message}` : "";
        return `waiting for condition ${type}=${wanted}${why}`;
    };
}

/** `.a.b[0]['c.d']`, without filters or wildcards. */
function pathSteps(path: string): string[] {
    const steps: string[] = [];
    const pattern = /\.?([A-Za-z_][\w-]*)|\.?\[(\d+)\]|\['([^']+)'\]|\["([^"]+)"\]|\.((?:[^.[\]\\]|\\.)+)/y;
    while (pattern.lastIndex < path.length) {
        const match = pattern.exec(path);
        if (!match) throw new Error(`pulumi.com/waitFor: cannot read the path "${path}": write it as {.status.phase}`);
        const found = match.slice(1).find((group) => group !== undefined) ?? "";
        steps.push(found.replaceAll("\\.", "."));
    }
    return steps;
}

function lookUp(value: unknown, steps: readonly string[]): unknown {
    return steps.reduce<unknown>((inner, key) => {
        if (Array.isArray(inner)) return inner[Number(key)];
        return isMap(inner) ? inner[key] : undefined;
    }, value);
}

function textOf(value: unknown): string {
    return typeof value === "string" ? value : JSON.stringify(value);
}

function pathTest(expression: string): Test {
    const parsed = /^\{?(\.[^}=]*|[^}=.][^}=]*)\}?(?:=(.*))?$/.exec(expression);
    if (!parsed)
        throw new Error(`pulumi.com/waitFor: cannot read "jsonpath=${expression}": write jsonpath={.path}=value`);
    const [, path = "", quoted] = parsed;
    const steps = pathSteps(path);
    const wanted = quoted?.replace(/^(["'])(.*)\1$/, "$2");
    return (live) => {
        const found = lookUp(live, steps);
        const there = found !== undefined && found !== null;
        if (!isStale(live) && there && (wanted === undefined || textOf(found) === wanted)) return undefined;
        return `waiting for ${path}${wanted === undefined ? "" : `=${wanted}`}${there ? ` (found ${JSON.stringify(found)})` : ""}`;
    };
}

function parseExpression(expression: unknown): Test {
    const text = String(expression);
    if (text.startsWith("condition=")) return conditionTest(text.slice("condition=".length));
    if (text.startsWith("jsonpath=")) return pathTest(text.slice("jsonpath=".length));
    throw new Error(`pulumi.com/waitFor: expected a "jsonpath=" or "condition=" prefix, got ${JSON.stringify(text)}`);
}

function expressionsIn(annotation: string): unknown[] {
    try {
        const parsed: unknown = JSON.parse(annotation);
        return Array.isArray(parsed) ? parsed : [annotation];
    } catch {
        return [annotation];
    }
}

export function waitForRule(annotation: string): Rule {
    const tests = expressionsIn(annotation).map(parseExpression);
    if (tests.length === 0) throw new Error("pulumi.com/waitFor: the list of conditions is empty");
    return {
        judgedOnRead: false,
        judge(live) {
            const missing = tests.map((test) => test(live)).filter((text) => text !== undefined);
            return missing.length === 0
                ? { ready: true }
                : { ready: false, status: missing[0] ?? "", problems: missing };
        },
    };
}
