/** One entry of an archive. Times, owners and order are fixed, so that equal contents give equal bytes. */
export interface TarEntry {
    name: string;
    mode?: number;
    /** Content of a regular file. */
    data?: Buffer;
    /** Target of a symbolic link. */
    link?: string;
    /** A directory. */
    directory?: boolean;
}

const block = 512;

function header(entry: TarEntry): Buffer {
    const h = Buffer.alloc(block);
    const octal = (value: number, at: number, length: number) =>
        h.write(value.toString(8).padStart(length - 1, "0") + "\0", at, "ascii");
    const name = entry.directory === true ? `${entry.name}/` : entry.name;
    if (Buffer.byteLength(name) > 100) throw new Error(`tar: the name ${name} is longer than 100 bytes`);
    if (Buffer.byteLength(entry.link ?? "") > 100)
        throw new Error(`tar: the link ${entry.link} is longer than 100 bytes`);
    h.write(name, 0, "utf8");
    octal(entry.mode ?? (entry.directory === true ? 0o755 : entry.link === undefined ? 0o644 : 0o777), 100, 8);
    octal(0, 108, 8); // owner
    octal(0, 116, 8); // group
    octal(entry.data?.length ?? 0, 124, 12);
    octal(0, 136, 12); // time
    h.write("        ", 148, "ascii");
    h.write(entry.directory === true ? "5" : entry.link === undefined ? "0" : "2", 156, "ascii");
    h.write(entry.link ?? "", 157, "utf8");
    h.write("ustar\0" + "00", 257, "ascii");
    h.write(
        h
            .reduce((sum, byte) => sum + byte, 0)
            .toString(8)
            .padStart(6, "0") + "\0 ",
        148,
        "ascii",
    );
    return h;
}

/** A ustar archive of the entries, in the given order. */
export function tar(entries: TarEntry[]): Buffer {
    const parts: Buffer[] = [];
    for (const entry of entries) {
        parts.push(header(entry));
        if (entry.data !== undefined) {
            parts.push(entry.data, Buffer.alloc((block - (entry.data.length % block)) % block));
        }
    }
    parts.push(Buffer.alloc(2 * block));
    return Buffer.concat(parts);
}
