import { style } from "./style";

const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? "");

export const element = (name: string, content: string, attributes: Record<string, string | number> = {}): string =>
    `<${name}${Object.entries(attributes)
        .map(([key, value]) => ` ${key}="${escapeHtml(String(value))}"`)
        .join("")}>${content}</${name}>`;

/** Cells that begin with a digit are numbers, and stand to the right. */
export const htmlTable = (head: string[], rows: string[][]): string =>
    element(
        "table",
        element("thead", element("tr", head.map((cell) => element("th", cell, { scope: "col" })).join(""))) +
            element(
                "tbody",
                rows
                    .map((row) =>
                        element(
                            "tr",
                            row
                                .map((cell) =>
                                    element("td", cell, /^[\d.,]+( s)?$/.test(cell) ? { class: "number" } : {}),
                                )
                                .join(""),
                        ),
                    )
                    .join(""),
            ),
    );

/** A page that needs nothing else. `title`: as HTML. */
export function htmlPage(title: string, body: string[]): string {
    const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style>`;
    return `<!doctype html>\n<html lang="en"><head>${head}</head><body>\n${body.join("\n")}\n</body></html>\n`;
}
