import manifest from "../package.json";

/** Versions of what runs on the operator's machine. What is provisioned is pinned in components/versions.ts. */
export const toolVersions = {
    /** CLI and SDK are one release; package.json pins it. */
    pulumi: manifest.dependencies["@pulumi/pulumi"],
    /** Plugins must be those of the SDKs. */
    plugins: {
        kubernetes: manifest.dependencies["@pulumi/kubernetes"],
        random: manifest.dependencies["@pulumi/random"],
    },
    /** Built from source only; inside the stand-in for k3s. */
    kubernetes: "v1.35.4",
    coredns: "v1.14.6",
    "local-path-provisioner": "v0.0.30",
} as const;
