/** Prints rows in columns as wide as their content. */
export function printTable(head: string[], rows: string[][]): void {
    const widths = head.map((title, column) =>
        Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)),
    );
    const line = (cells: string[]): string =>
        cells
            .map((cell, column) => cell.padEnd(widths[column] ?? 0))
            .join("  ")
            .trimEnd();
    const ruler = widths.map((width) => "-".repeat(width));
    for (const cells of [head, ruler, ...rows]) process.stdout.write(`${line(cells)}\n`);
}
