import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checksumIn, download, downloadText } from "../../../offline/downloads";
import { type ToolchainError, UnreachableError } from "../../../offline/errors";
import { breakAfter, ReleaseServer, serve, sha256, stallAfter, temporaryDirectory } from "./release-server";

describe("download", () => {
    const directory = temporaryDirectory();
    const body = Buffer.from("0123456789".repeat(10_000));
    const quick = { pauseMs: 5, stallMs: 200, answerMs: 1000 };
    let server: ReleaseServer;
    let base: string;
    const file = () => join(directory.path(), "k3s");
    const partial = () => `${file()}.${sha256(body).slice(0, 12)}.part`;

    beforeEach(async () => {
        server = new ReleaseServer();
        base = await server.start();
        server.publish("/k3s", body);
    });
    afterEach(() => server.stop());

    it("keeps a file whose checksum matches, and reports every byte", async () => {
        let last = 0;
        await download(`${base}/k3s`, file(), sha256(body), { ...quick, onProgress: (received) => (last = received) });
        assert.deepEqual(readFileSync(file()), body);
        assert.equal(last, body.length);
        assert.deepEqual(readdirSync(directory.path()), ["k3s"]);
    });

    it("keeps nothing when the checksum is wrong, and names both", async () => {
        const wanted = sha256(Buffer.from("another"));
        await assert.rejects(download(`${base}/k3s`, file(), wanted, quick), (error: ToolchainError) => {
            assert.ok(error.message.includes(wanted) && error.message.includes(sha256(body)), error.message);
            assert.ok(!(error instanceof UnreachableError), "a wrong checksum must not lead to a fallback");
            return true;
        });
        assert.deepEqual(readdirSync(directory.path()), []);
    });

    it("continues a broken connection where it stopped", async () => {
        server.misbehave("/k3s", (request, response, content) => {
            server.behave("/k3s");
            breakAfter(40_000, partial())(request, response, content);
        });
        await download(`${base}/k3s`, file(), sha256(body), quick);
        assert.deepEqual(readFileSync(file()), body);
        assert.deepEqual(
            server.requests.map(({ range }) => range),
            [undefined, "bytes=40000-"],
        );
    });

    it("continues in a later run what an earlier one left", async () => {
        server.misbehave("/k3s", (request, response, content) =>
            request.headers.range === undefined
                ? breakAfter(30_000, partial())(request, response, content)
                : response.destroy(),
        );
        await assert.rejects(
            download(`${base}/k3s`, file(), sha256(body), { ...quick, attempts: 1 }),
            UnreachableError,
        );
        assert.equal(existsSync(file()), false);
        server.behave("/k3s");
        await download(`${base}/k3s`, file(), sha256(body), quick);
        assert.deepEqual(readFileSync(file()), body);
        assert.equal(server.requests.at(-1)?.range, "bytes=30000-");
    });

    it("starts again when the server cannot continue", async () => {
        let first = true;
        server.misbehave("/k3s", (request, response, content) => {
            if (first) breakAfter(30_000, partial())(request, response, content);
            else response.writeHead(200, { "content-length": content.length }).end(content);
            first = false;
        });
        await download(`${base}/k3s`, file(), sha256(body), quick);
        assert.deepEqual(readFileSync(file()), body);
    });

    it("starts again when what was continued does not add up", async () => {
        let first = true;
        server.misbehave("/k3s", (request, response, content) => {
            if (first) breakAfter(30_000, partial())(request, response, Buffer.alloc(content.length, "y"));
            else serve(request, response, content);
            first = false;
        });
        await download(`${base}/k3s`, file(), sha256(body), quick);
        assert.deepEqual(readFileSync(file()), body);
    });

    it("gives up on a connection that falls silent", async () => {
        server.misbehave("/k3s", stallAfter(1000));
        const started = Date.now();
        await assert.rejects(
            download(`${base}/k3s`, file(), sha256(body), { ...quick, attempts: 2 }),
            (error: Error) =>
                error instanceof UnreachableError && error.message.includes("nothing was received for 0.2 s"),
        );
        assert.ok(Date.now() - started < 3000);
        assert.equal(existsSync(file()), false);
    });

    it("says that a site is unreachable, which leads to the fallback", async () => {
        await server.stop();
        await assert.rejects(download(`${base}/k3s`, file(), sha256(body), quick), UnreachableError);
        await server.start();
    });

    it("says that a server accepts but does not answer", async () => {
        server.misbehave("/k3s", () => undefined);
        await assert.rejects(
            download(`${base}/k3s`, file(), sha256(body), { ...quick, answerMs: 100 }),
            (error: Error) => error instanceof UnreachableError && error.message.includes("no answer within 0.1 s"),
        );
    });

    it("says that a release does not exist without trying again", async () => {
        await assert.rejects(
            download(`${base}/none`, file(), sha256(body), quick),
            (error: Error) => error.message.includes("404") && !(error instanceof UnreachableError),
        );
        assert.equal(server.requests.length, 1);
    });

    it("tries again when the server is out of order for a moment", async () => {
        server.misbehave("/k3s", (_request, response) => {
            server.behave("/k3s");
            response.writeHead(503).end();
        });
        await download(`${base}/k3s`, file(), sha256(body), quick);
        assert.deepEqual(readFileSync(file()), body);
    });

    it("reads a list of checksums in both forms and refuses one without the file", async () => {
        const sum = sha256(body);
        server.publish("/sums", `${sum}  k3s\n${sum} *k3s-arm64\nnot-a-sum  etcd\n`);
        const listing = await downloadText(`${base}/sums`, quick);
        assert.equal(checksumIn(listing, "k3s", "sums"), sum);
        assert.equal(checksumIn(listing, "k3s-arm64", "sums"), sum);
        assert.throws(() => checksumIn(listing, "etcd", "sums"), /sums lists no SHA-256 for etcd/);
    });
});
