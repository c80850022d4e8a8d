import { execFile } from "node:child_process";
import * as messages from "@pulumi/pulumi/proto/language_pb";
import * as plugins from "@pulumi/pulumi/proto/plugin_pb";
import { introduce, LANGUAGE_HOST } from "./identity";
import { type LanguageOptions, parseOptions } from "./language-options";
import { directDependencies, installedPackages, requiredPlugin, resolvePackageManager } from "./node-packages";
import { fromStruct } from "./rpc";

/** What the engine wants to know of a program without running it. */

export interface Program {
    readonly root: string;
    readonly directory: string;
    readonly entryPoint: string;
    readonly options: LanguageOptions;
}

export function programOf(request: { getInfo(): messages.ProgramInfo | undefined }): Program {
    const info = request.getInfo();
    if (!info) throw new Error("the engine sent no program information: CLI and SDK versions do not fit together");
    return {
        root: info.getRootDirectory(),
        directory: info.getProgramDirectory(),
        entryPoint: info.getEntryPoint() || ".",
        options: parseOptions(fromStruct(info.getOptions())),
    };
}

export function getRequiredPackages(
    request: messages.GetRequiredPackagesRequest,
): messages.GetRequiredPackagesResponse {
    const required = installedPackages(programOf(request).directory).flatMap((manifest) => {
        const plugin = requiredPlugin(manifest);
        if (!plugin) return [];
        const dependency = new plugins.PackageDependency();
        dependency.setKind("resource");
        dependency.setName(plugin.name);
        dependency.setVersion(plugin.version);
        dependency.setServer(plugin.server);
        if (plugin.parameterization) {
            const parameterization = new plugins.PackageParameterization();
            parameterization.setName(String(plugin.parameterization.name));
            parameterization.setVersion(String(plugin.parameterization.version));
            parameterization.setValue(String(plugin.parameterization.value));
            dependency.setParameterization(parameterization);
        }
        return [dependency];
    });
    const response = new messages.GetRequiredPackagesResponse();
    response.setPackagesList(required);
    return response;
}

export function getProgramDependencies(
    request: messages.GetProgramDependenciesRequest,
): messages.GetProgramDependenciesResponse {
    const { directory } = programOf(request);
    const direct = directDependencies(directory);
    const wanted = installedPackages(directory).filter(
        (manifest) => request.getTransitivedependencies() || direct.has(String(manifest.name)),
    );
    const response = new messages.GetProgramDependenciesResponse();
    response.setDependenciesList(
        wanted.map((manifest) => {
            const dependency = new messages.DependencyInfo();
            dependency.setName(String(manifest.name));
            dependency.setVersion(String(manifest.version));
            return dependency;
        }),
    );
    return response;
}

export async function about(request: messages.AboutRequest): Promise<messages.AboutResponse> {
    const { directory, options } = programOf(request);
    const manager = resolvePackageManager(options.packageManager, directory);
    const version = await new Promise<string>((resolve) => {
        execFile(manager, ["--version"], { cwd: directory }, (error, stdout) => resolve(error ? "" : stdout.trim()));
    });
    const response = new messages.AboutResponse();
    response.setExecutable(process.execPath);
    response.setVersion(process.version);
    const metadata = response.getMetadataMap();
    metadata.set("packagemanager", manager);
    if (version) metadata.set("packagemanagerVersion", version);
    metadata.set("languageHost", introduce(LANGUAGE_HOST));
    return response;
}
