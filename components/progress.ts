/**
 * Progress of a long step: one line when it begins and one when it ends, with the time it took. The engine shows
 * what a provider process prints beside the stack.
 */
export async function step<Result>(where: string, what: string, run: () => Promise<Result>): Promise<Result> {
    const begin = Date.now();
    console.log(`${where}: ${what} ...`);
    try {
        const result = await run();
        console.log(`${where}: ${what}: done in ${seconds(begin)} s`);
        return result;
    } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(
            `${where}: ${what} failed after ${seconds(begin)} s: ${message}\nRun the update again to retry.`,
            {
                cause: error,
            },
        );
    }
}

/** Says what is seen whenever it is something else than before. */
export function onChange(where: string): (seen: string | undefined) => void {
    let before: string | undefined;
    return (seen) => {
        if (seen !== undefined && seen !== before) {
            console.log(`${where}: ${seen}`);
        }
        before = seen;
    };
}

const seconds = (begin: number): string => ((Date.now() - begin) / 1000).toFixed(1);

/**
 * Asks until the answer is done; the error of giving up carries what was seen last. The limit is for giving up, not for
 * speed: a host that gets a third of its CPU time needs four times as long.
 */
export async function waitFor<Result>(
    what: string,
    timeoutSeconds: number,
    ask: () => Promise<{ done: Result } | { waiting: string }>,
    intervalMs = 1000,
): Promise<Result> {
    const end = Date.now() + timeoutSeconds * 1000;
    for (;;) {
        const answer = await ask();
        if ("done" in answer) {
            return answer.done;
        }
        if (Date.now() > end) {
            throw new Error(`${what}: not within ${timeoutSeconds} s; last seen: ${answer.waiting}`);
        }
        await new Promise((resolve) => setTimeout(resolve, intervalMs));
    }
}

/** The same for work that fails until then; its last error is what was seen last. */
export const waitUntilItWorks = <Result>(
    what: string,
    timeoutSeconds: number,
    work: () => Promise<Result>,
): Promise<Result> =>
    waitFor<Result>(what, timeoutSeconds, () =>
        work().then(
            (done) => ({ done }),
            (error: unknown) => ({ waiting: (error as Error).message }),
        ),
    );

/** Every probe ends: what does not answer in time is an answer too. */
export async function withTimeout<Result>(work: Promise<Result>, timeoutMs: number, what: string): Promise<Result> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what} within ${timeoutMs / 1000} s`)), timeoutMs);
    });
    try {
        return await Promise.race([work, late]);
    } finally {
        clearTimeout(timer);
    }
}
