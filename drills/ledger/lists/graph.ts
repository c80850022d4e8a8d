/** How one transaction comes before another: it was overwritten, was read, or read what the other then changed. */
export type Dependency = "ww" | "wr" | "rw";

export interface Edge {
    from: number;
    to: number;
    kind: Dependency;
    key: number;
}

/** Transactions in the order that their data forces upon them. */
export class DependencyGraph {
    private readonly outgoing = new Map<number, Edge[]>();

    constructor(readonly edges: Edge[]) {
        for (const edge of edges) {
            const known = this.outgoing.get(edge.from);
            if (known === undefined) {
                this.outgoing.set(edge.from, [edge]);
            } else {
                known.push(edge);
            }
        }
    }

    /** The shortest way from one transaction to another over edges of these kinds. */
    path(from: number, to: number, kinds: Dependency[]): Edge[] | undefined {
        const arrived = new Map<number, Edge | undefined>([[from, undefined]]);
        let frontier = [from];
        while (frontier.length > 0) {
            const next: number[] = [];
            for (const edge of frontier.flatMap((node) => this.outgoing.get(node) ?? [])) {
                if (!kinds.includes(edge.kind)) {
                    continue;
                }
                if (edge.to === to) {
                    return [...this.back(arrived, edge.from), edge];
                }
                if (!arrived.has(edge.to)) {
                    arrived.set(edge.to, edge);
                    next.push(edge.to);
                }
            }
            frontier = next;
        }
        return undefined;
    }

    private back(arrived: Map<number, Edge | undefined>, node: number): Edge[] {
        const way: Edge[] = [];
        for (let edge = arrived.get(node); edge !== undefined; edge = arrived.get(edge.from)) {
            way.unshift(edge);
        }
        return way;
    }

    /** Number of the strongly connected component of each transaction, over edges of these kinds (Tarjan). */
    components(kinds: Dependency[]): Map<number, number> {
        const component = new Map<number, number>();
        const index = new Map<number, number>();
        const low = new Map<number, number>();
        const stack: number[] = [];
        const lowest = (node: number, value: number) => low.set(node, Math.min(low.get(node) ?? Infinity, value));
        for (const root of this.outgoing.keys()) {
            if (index.has(root)) {
                continue;
            }
            const calls: { node: number; next: number }[] = [{ node: root, next: 0 }];
            for (let call = calls.at(-1); call !== undefined; call = calls.at(-1)) {
                const { node } = call;
                if (call.next === 0 && !index.has(node)) {
                    index.set(node, index.size);
                    lowest(node, index.get(node) ?? 0);
                    stack.push(node);
                }
                const edge = this.outgoing.get(node)?.[call.next];
                call.next += 1;
                if (edge === undefined) {
                    calls.pop();
                    const caller = calls.at(-1);
                    if (caller !== undefined) {
                        lowest(caller.node, low.get(node) ?? 0);
                    }
                    if (low.get(node) === index.get(node)) {
                        const number = component.size;
                        for (let member = stack.pop(); member !== undefined; member = stack.pop()) {
                            component.set(member, number);
                            if (member === node) break;
                        }
                    }
                } else if (kinds.includes(edge.kind)) {
                    if (!index.has(edge.to)) {
                        calls.push({ node: edge.to, next: 0 });
                    } else if (!component.has(edge.to)) {
                        lowest(node, index.get(edge.to) ?? 0);
                    }
                }
            }
        }
        return component;
    }
}
