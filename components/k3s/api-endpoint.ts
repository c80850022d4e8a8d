import { request } from "node:https";
import { connect } from "node:net";

/**
 * The API server to talk to: the first in order that says it is ready now, so that an update works while any one server,
 * the first included, is gone, frozen or without its database. With none ready the first that takes connections (it may be
 * starting), with none at all (nothing made yet) the first.
 */
export async function chooseApiEndpoint(addresses: string[], port: number, timeoutMs = 2000): Promise<string> {
    const [ready, listening] = await Promise.all(
        [isReady, listens].map((probe) => Promise.all(addresses.map((address) => probe(address, port, timeoutMs)))),
    );
    const index = [ready, listening].map((answers) => answers?.indexOf(true) ?? -1).find((first) => first >= 0) ?? 0;
    return addresses[index] ?? "";
}

/** Whom it asks it does not prove, and nothing is said to it: the connection that follows verifies the server. */
function isReady(host: string, port: number, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
        const options = { host, port, path: "/readyz", rejectUnauthorized: false, agent: false };
        const call = request({ ...options, timeout: timeoutMs }, ({ statusCode = 500 }) => {
            // An API server that answers nobody without a certificate (401) has got as far as asking for one.
            resolve(statusCode < 500);
            call.destroy();
        });
        const timer = setTimeout(() => call.destroy(), timeoutMs);
        call.once("error", () => resolve(false));
        call.once("close", () => {
            clearTimeout(timer);
            resolve(false);
        });
        call.end();
    });
}

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
