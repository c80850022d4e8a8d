/** npm run test:<suite>: one suite as `make test` runs it, or the files of it that are named. */
import { isSuite, printFailures, runSuite, summaryRow } from "./suites";
import { main } from "./main";
import { printTable } from "./table";

async function suite(): Promise<number> {
    const [name = "", ...files] = process.argv.slice(2);
    if (!isSuite(name)) throw new Error(`"${name}" is no suite; the suites are the folders of test/`);
    const result = await runSuite(name, {}, files);
    process.stdout.write("\n");
    printTable(["suite", "passed", "failed", "skipped", "time", ""], [summaryRow(result)]);
    printFailures([result]);
    return result.failed > 0 ? 1 : 0;
}

main(suite);
