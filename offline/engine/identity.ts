/** What each stand-in stands in for. The versions are the SDK pins of package.json; the build checks that they agree. */
export interface Identity {
    readonly official: string;
    readonly version: string;
}

export const LANGUAGE_HOST: Identity = { official: "pulumi-language-nodejs", version: "3.246.0" };
export const DYNAMIC_HOST: Identity = { official: "pulumi-resource-pulumi-nodejs", version: "3.246.0" };
export const RANDOM: Identity = { official: "pulumi-resource-random", version: "4.21.2" };
export const KUBERNETES: Identity = { official: "pulumi-resource-kubernetes", version: "4.29.0" };

export function introduce(identity: Identity): string {
    return `offline engine: stand-in for ${identity.official} ${identity.version}`;
}

/** Answers `--version` as the official binaries do, and says what it really is. True when it did. */
export function answeredVersion(identity: Identity, args: readonly string[]): boolean {
    if (!args.some((argument) => /^--?version$/.test(argument))) return false;
    process.stdout.write(`${identity.version} (${introduce(identity)})\n`);
    return true;
}
