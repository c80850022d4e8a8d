import type { Tunnel } from "../../commands/status/tunnel";
import type { MachineAccess } from "../../components/machines/machine";
import type { SshConnection } from "../../components/machines/ssh";

/** Commands on a machine. */
export type Shell = Pick<SshConnection, "machine" | "run">;

/** A connection that was lost is made anew for the next command: what does harm has to be able to undo it. */
export const shellOn = (tunnel: Tunnel, machine: MachineAccess): Shell => ({
    machine,
    run: async (command, options) => (await tunnel.ssh(machine)).run(command, options),
});
