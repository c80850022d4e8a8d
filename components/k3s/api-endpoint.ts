import { connect } from "node:net";

/**
 * The API server to talk to: the first in order that accepts connections now, so that an update works while any
 * one server, the first included, is gone. With none reachable (nothing made yet) the first.
 */
export async function chooseApiEndpoint(addresses: string[], port: number, timeoutMs = 1000): Promise<string> {
    const answers = await Promise.all(addresses.map((address) => accepts(address, port, timeoutMs)));
    return addresses[Math.max(0, answers.indexOf(true))] ?? "";
}

function accepts(host: string, port: number, timeoutMs: number): Promise<boolean> {
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
