/** Signals that end a drill, which undoes first what it has done; the last one where the terminal is closed. */
export const endings = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
