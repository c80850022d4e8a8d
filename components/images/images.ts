import * as pulumi from "@pulumi/pulumi";
import { StepResource } from "../dynamic";
import { access, type Machine } from "../machines/machine";
import { image, imageNames, type Image, type ImageName } from "./image";

export interface ImagesArgs {
    /** Nodes that must hold the images, with what must exist before. */
    nodes: { machine: Machine; node: pulumi.Resource }[];
    /** As in PostgresHAArgs. */
    packagesAsOf?: string;
}

/** The stack's container images, built once and present on every node. */
export class Images extends pulumi.ComponentResource {
    /** Reference of each image. */
    readonly references: Record<ImageName, string>;
    /** One per node: workloads wait for these. */
    readonly present: pulumi.Resource[];

    constructor(name: string, args: ImagesArgs, opts?: pulumi.ComponentResourceOptions) {
        super("postgresha:images:Images", name, {}, opts);
        const images = imageNames.map((imageName) => ({ imageName, image: image(imageName, args.packagesAsOf) }));
        const built = images.map(
            ({ imageName, image }) => new BuiltImage(`${name}-${imageName}`, image, { parent: this }),
        );
        this.references = Object.fromEntries(
            images.map(({ imageName, image }) => [imageName, image.reference]),
        ) as Record<ImageName, string>;
        this.present = args.nodes.map(
            ({ machine, node }) =>
                new NodeImages(
                    `${name}-${machine.name}`,
                    machine,
                    images.map(({ image }) => image),
                    {
                        parent: this,
                        dependsOn: [node, ...built],
                    },
                ),
        );
        this.registerOutputs({ references: this.references });
    }
}

class BuiltImage extends StepResource {
    constructor(name: string, args: Image, opts: pulumi.CustomResourceOptions) {
        super("./components/images/image.step", "Image", name, { ...args }, opts);
    }
}

class NodeImages extends StepResource {
    constructor(name: string, machine: Machine, images: Image[], opts: pulumi.CustomResourceOptions) {
        super(
            "./components/images/node-images.step",
            "NodeImages",
            name,
            { node: machine.name, access: access(machine), instance: machine.instance, images },
            pulumi.mergeOptions(opts, { additionalSecretOutputs: ["access"] }),
        );
    }
}
