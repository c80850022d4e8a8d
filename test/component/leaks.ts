import { isSecretOnWire } from "./mocks";

/** Paths of texts outside secret marks that hold one of the values, plain or in base64. */
export function leaks(value: unknown, secrets: string[], path: string): string[] {
    if (isSecretOnWire(value)) {
        return [];
    }
    if (typeof value === "string") {
        const encoded = (secret: string) => Buffer.from(secret).toString("base64").replace(/=+$/, "");
        return secrets.some((secret) => value.includes(secret) || value.includes(encoded(secret))) ? [path] : [];
    }
    return typeof value === "object" && value !== null
        ? Object.entries(value).flatMap(([key, inner]) => leaks(inner, secrets, `${path}.${key}`))
        : [];
}
