import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { isMap, nonEmpty, pluckMap, pluckMaps, pluckText, type PropertyMap } from "./values";

/** How to reach one cluster as one user. */
export interface Connection {
    readonly server: string;
    readonly namespace: string | undefined;
    readonly authority: Buffer | undefined;
    readonly certificate: Buffer | undefined;
    readonly key: Buffer | undefined;
    readonly authorization: string | undefined;
    readonly serverName: string | undefined;
    readonly verify: boolean;
}

export interface Overrides {
    readonly context?: string | undefined;
    readonly cluster?: string | undefined;
}

function expand(path: string): string {
    return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

/** Takes a path or the contents themselves, as the official provider does; without either, kubectl's own defaults. */
export function loadKubeconfig(pathOrContents: string | undefined): PropertyMap {
    const ambient = nonEmpty(process.env.KUBECONFIG?.split(":")[0]) ?? join(homedir(), ".kube", "config");
    const given = nonEmpty(pathOrContents) ?? ambient;
    const isContents = given.includes("\n") || given.trimStart().startsWith("{");
    const path = expand(given);
    if (!isContents && !existsSync(path)) throw new Error(`there is no kubeconfig at ${path}`);
    const parsed: unknown = parse(isContents ? given : readFileSync(path, "utf8"));
    if (!isMap(parsed)) throw new Error("the kubeconfig is neither YAML nor JSON with clusters, contexts and users");
    return parsed;
}

function named(config: PropertyMap, list: string, name: string | undefined, field: string): PropertyMap | undefined {
    return pluckMap(
        pluckMaps(config, list).find((entry) => entry.name === name),
        field,
    );
}

function activeContext(config: PropertyMap, overrides: Overrides): PropertyMap | undefined {
    return named(config, "contexts", nonEmpty(overrides.context) ?? pluckText(config, "current-context"), "context");
}

/** The cluster entry in use. Two configs with the same one are taken for the same cluster. */
export function activeCluster(config: PropertyMap, overrides: Overrides): PropertyMap | undefined {
    const context = activeContext(config, overrides);
    return (
        context && named(config, "clusters", nonEmpty(overrides.cluster) ?? pluckText(context, "cluster"), "cluster")
    );
}

function bytes(entry: PropertyMap, field: string): Buffer | undefined {
    const inline = pluckText(entry, `${field}-data`);
    if (inline !== undefined) return Buffer.from(inline, "base64");
    const path = pluckText(entry, field);
    return path === undefined ? undefined : readFileSync(path);
}

interface ExecCredential {
    readonly token?: string;
    readonly clientCertificateData?: string;
    readonly clientKeyData?: string;
}

function runCredentialPlugin(user: PropertyMap): ExecCredential {
    const exec = pluckMap(user, "exec");
    if (!exec) return {};
    const command = pluckText(exec, "command") ?? "";
    const args = Array.isArray(exec.args) ? exec.args.map((argument: unknown) => String(argument)) : [];
    const extra: Record<string, string> = {};
    for (const entry of pluckMaps(exec, "env")) extra[String(entry.name)] = String(entry.value);
    const spec = { apiVersion: exec.apiVersion, kind: "ExecCredential", spec: { interactive: false } };
    const env = { ...process.env, ...extra, KUBERNETES_EXEC_INFO: JSON.stringify(spec) };
    const answer: unknown = JSON.parse(execFileSync(command, args, { env, encoding: "utf8" }));
    return pluckMap(answer, "status") ?? {};
}

export function resolveConnection(config: PropertyMap, overrides: Overrides): Connection {
    const context = activeContext(config, overrides);
    if (!context) {
        const name = nonEmpty(overrides.context) ?? pluckText(config, "current-context") ?? "(none)";
        throw new Error(
            `the kubeconfig has no context "${name}": set current-context or the provider's context argument`,
        );
    }
    const cluster = activeCluster(config, overrides) ?? {};
    const server = pluckText(cluster, "server");
    if (!server) throw new Error(`the kubeconfig's cluster "${pluckText(context, "cluster")}" has no server address`);
    const user = named(config, "users", pluckText(context, "user"), "user") ?? {};
    const credential = runCredentialPlugin(user);
    const tokenFile = pluckText(user, "tokenFile");
    const fileToken = tokenFile === undefined ? undefined : readFileSync(tokenFile, "utf8").trim();
    const token = credential.token ?? pluckText(user, "token") ?? fileToken;
    const basic = Buffer.from(`${pluckText(user, "username")}:${pluckText(user, "password")}`).toString("base64");
    const buffer = (text: string | undefined): Buffer | undefined =>
        text === undefined ? undefined : Buffer.from(text);
    return {
        server,
        namespace: pluckText(context, "namespace"),
        authority: bytes(cluster, "certificate-authority"),
        certificate: buffer(credential.clientCertificateData) ?? bytes(user, "client-certificate"),
        key: buffer(credential.clientKeyData) ?? bytes(user, "client-key"),
        authorization: token ? `Bearer ${token}` : user.username === undefined ? undefined : `Basic ${basic}`,
        serverName: pluckText(cluster, "tls-server-name"),
        verify: cluster["insecure-skip-tls-verify"] !== true,
    };
}
