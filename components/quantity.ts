const binary: Record<string, number> = { Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 };
const postgresUnits: Record<string, number> = { kB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

const parse = (text: string, units: Record<string, number>): number | undefined => {
    const match = /^(\d+)([A-Za-z]+)$/.exec(text);
    const unit = match && Object.hasOwn(units, match[2] ?? "") ? units[match[2] ?? ""] : undefined;
    return match && unit !== undefined ? Number(match[1]) * unit : undefined;
};

/** Bytes of a Kubernetes quantity such as `10Gi`; undefined when it is none. */
export const quantityBytes = (text: string): number | undefined => parse(text, binary);

/** Bytes of a PostgreSQL size such as `256MB`; undefined when it is none. */
export const postgresBytes = (text: string): number | undefined => parse(text, postgresUnits);
