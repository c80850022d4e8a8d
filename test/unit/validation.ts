import { utils } from "ssh2";
import { normalise } from "../../components/normalise";
import type { NormalisedArgs, PostgresHAArgs } from "../../components/postgres-ha-args";
import { ValidationError, type Problem } from "../../components/validation";

/** Nobody can log in anywhere with it. */
export const { private: privateKey } = utils.generateKeyPairSync("ed25519");

/** Three docker machines and every default: accepted. */
export const acceptedArguments = (): PostgresHAArgs => ({
    stack: "dev",
    machines: {
        provider: "docker",
        subnet: "172.30.0.0/24",
        machines: [1, 2, 3].map((number) => ({ name: `machine-${number}`, address: `172.30.0.1${number}` })),
    },
});

export const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/** Three hosts that exist already: accepted. */
export const existingMachines = (
    change: Partial<Extract<PostgresHAArgs["machines"], { provider: "existing" }>> = {},
): PostgresHAArgs["machines"] => ({
    provider: "existing",
    machines: [1, 2, 3].map((number) => ({ name: `db-${number}`, address: `192.0.2.1${number}`, hostKey })),
    privateKey,
    ...change,
});

/** What is wrong with the accepted arguments after a change. */
export function problemsOf(change: Partial<PostgresHAArgs>): Problem[] {
    try {
        normalise({ ...acceptedArguments(), ...change });
        return [];
    } catch (error) {
        if (error instanceof ValidationError) {
            return error.problems;
        }
        throw error;
    }
}

/** The same as `path: message`. */
export const complaints = (change: Partial<PostgresHAArgs>): string[] =>
    problemsOf(change).map(({ path, message }) => `${path}: ${message}`);

export const normalised = (change: Partial<PostgresHAArgs> = {}): NormalisedArgs =>
    normalise({ ...acceptedArguments(), ...change });
