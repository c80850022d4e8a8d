import { utils } from "ssh2";

/** Why nobody could log in with it; undefined when it is a private key. */
export function privateKeyProblem(text: string): string | undefined {
    const set = "set it with `pulumi config set --secret sshPrivateKey < ~/.ssh/id_ed25519`";
    if (!text.includes("PRIVATE KEY")) return `is missing or no private key; ${set}`;
    const parsed = utils.parseKey(text);
    if (!(parsed instanceof Error)) return undefined;
    return /encrypted/i.test(parsed.message)
        ? "is locked with a passphrase, which nobody is there to type (an agent is not asked); give a key without one: copy it, " +
              "then `ssh-keygen -p -N '' -f <copy>`"
        : `is no private key that can be read (${parsed.message}); ${set}`;
}
