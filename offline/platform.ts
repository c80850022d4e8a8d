import { closeSync, openSync, readSync } from "node:fs";
import { ToolchainError } from "./errors";

/** Architecture as Go, Debian and the k3s and etcd releases call it. */
export type Architecture = "amd64" | "arm64";

/** The architecture of this machine, or an error naming those that are served. */
export function hostArchitecture(node: string = process.arch): Architecture {
    if (node === "x64") return "amd64";
    if (node === "arm64") return "arm64";
    throw new ToolchainError(
        `This machine's architecture, ${node}, is not supported: k3s and etcd are provided for amd64 and arm64.`,
        "Use an amd64 or arm64 machine (a 64-bit Node on it).",
    );
}

const elfMachines: Record<number, string> = { 3: "386", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64" };

/** The architecture an ELF binary was made for; undefined when the file is not one. */
export function binaryArchitecture(path: string): string | undefined {
    const header = Buffer.alloc(20);
    const file = openSync(path, "r");
    try {
        readSync(file, header, 0, header.length, 0);
    } finally {
        closeSync(file);
    }
    if (header.toString("latin1", 0, 4) !== "\x7fELF") return undefined;
    const machine = header.readUInt16LE(18);
    return elfMachines[machine] ?? `ELF machine ${machine}`;
}

/** Refuses a binary that would only fail later, on a machine, with "exec format error". */
export function requireArchitecture(path: string, expected: Architecture, origin: string): void {
    const actual = binaryArchitecture(path);
    if (actual === expected) return;
    const found = actual === undefined ? "not an executable for Linux" : `made for ${actual}`;
    throw new ToolchainError(
        `${origin} is ${found}; this machine needs ${expected}.`,
        "Check the mirror it came from; nothing was kept.",
    );
}
