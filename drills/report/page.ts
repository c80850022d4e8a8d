import type { DrillRun } from "../run";
export const renderPage = (run: DrillRun): string => `<pre>${run.verdict}</pre>`;
