import { request } from "node:https";
import { ports } from "../naming";

/**
 * Whether an S3 server answers at the address over HTTPS with a certificate of this authority. Any answer counts: a
 * request without a signature is refused by a healthy server, too.
 */
export function isServing(
    address: string,
    authority: string,
    { port = ports.objectStore, timeoutMs = 3000 }: { port?: number; timeoutMs?: number } = {},
): Promise<boolean> {
    return new Promise((resolve) => {
        const asked = request({ host: address, port, path: "/", ca: authority, agent: false, timeout: timeoutMs });
        asked.on("response", (response) => {
            response.resume();
            resolve(true);
        });
        asked.on("timeout", () => asked.destroy());
        asked.on("error", () => resolve(false));
        asked.on("close", () => resolve(false));
        asked.end();
    });
}
