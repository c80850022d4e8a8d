import type { StackState } from "../commands/status/stack-state";
import { image, imageNames, type Image } from "../components/images/image";
import { ToolchainError } from "../offline/errors";

/** The rounds of a stack that runs another program would be told of this one. */
export function assertSameImages({ resources }: Pick<StackState, "resources">): void {
    const deployed = resources.flatMap(({ urn, outputs }) =>
        urn.includes("NodeImages::") ? ((outputs["images"] ?? []) as Image[]) : [],
    );
    const ofThis = (packagesAsOf: string | undefined): string[] =>
        imageNames.map((name) => image(name, packagesAsOf).reference);
    const others = deployed.filter(({ reference, packagesAsOf }) => !ofThis(packagesAsOf).includes(reference));
    if (others.length > 0) {
        const names = [...new Set(others.map(({ reference }) => reference))].join(", ");
        throw new ToolchainError(
            `The stack runs images that this checkout does not make (${names}).`,
            "`make up` brings the stack to this checkout; or drill from the one that it was made with.",
        );
    }
}
