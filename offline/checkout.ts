import { join, resolve } from "node:path";

/** Top folder of this checkout. */
export const checkout = resolve(__dirname, "..");

/** Everything a checkout's dev stack remembers; `make down` removes it. */
export const stateDirectory = join(checkout, ".state");
