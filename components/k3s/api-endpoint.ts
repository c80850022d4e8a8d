import { connect } from "node:net";
import { ask, HttpError } from "../https";

/**
 * The API server to talk to: the first in order that says it is ready now, so that an update works while any one server,
 * the first included, is gone, frozen or without its database. With none ready the first that takes connections (it may be
 * starting), with none at all (nothing made yet) the first.
 */
export async function chooseApiEndpoint(addresses: string[], port: number, timeoutMs = 2000): Promise<string> {
    const everywhere = (probe: typeof listens) =>
        Promise.all(addresses.map((address) => probe(address, port, timeoutMs)));
    const [ready, listening] = await Promise.all([everywhere(isReady), everywhere(listens)]);
    const firstOf = (answers: boolean[]) => addresses.find((_, index) => answers[index]);
    return firstOf(ready) ?? firstOf(listening) ?? addresses[0] ?? "";
}

/** Nothing is said to it: the connection that follows verifies the server. */
const isReady = (host: string, port: number, timeoutMs: number): Promise<boolean> =>
    ask({ host, port, path: "/readyz", tls: "unproven", timeoutMs }).then(
        () => true,
        // An API server that answers nobody without a certificate (401) has got as far as asking for one.
        ({ cause }: Error) => cause instanceof HttpError && cause.status < 500,
    );

function listens(host: string, port: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
        const socket = connect({ host, port, timeout: timeoutMs });
        const finish = (answer: boolean) => {
            socket.destroy();
            resolve(answer);
        };
        socket.once("connect", () => finish(true));
        socket.once("timeout", () => finish(false));
        socket.once("error", () => finish(false));
    });
}
