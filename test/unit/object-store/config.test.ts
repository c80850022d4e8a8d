import assert from "node:assert/strict";
import { paths, renderBucketRequest, renderEnvironment, renderUnit } from "../../../components/object-store/config";

const credentials = { accessKeyId: "KEY", secretAccessKey: "SECRET" };

describe("the unit of the object store", () => {
    it("serves the volume over HTTPS by absolute paths, as a user of its own", () => {
        const unit = renderUnit();
        assert.match(unit, /^ExecStart=\/usr\/local\/bin\/versitygw posix \/var\/lib\/object-store$/m);
        assert.match(unit, /^User=object-store$/m);
        assert.match(unit, /VGW_PORT=:9000 /);
        for (const file of [paths.certificate, paths.privateKey]) {
            assert.ok(file.startsWith("/") && unit.includes(`=${file}`), file);
        }
    });

    it("starts with the machine and again after it ended", () => {
        assert.match(renderUnit(), /^Restart=always$/m);
        assert.match(renderUnit(), /^StartLimitIntervalSec=0$/m);
        assert.match(renderUnit(), /^WantedBy=multi-user.target$/m);
    });

    it("names the file with the keys instead of the keys", () => {
        assert.match(renderUnit(), /^EnvironmentFile=\/etc\/object-store\/environment$/m);
        assert.doesNotMatch(renderUnit(), /ACCESS_KEY/);
        assert.equal(renderEnvironment(credentials), "ROOT_ACCESS_KEY_ID=KEY\nROOT_SECRET_ACCESS_KEY=SECRET\n");
    });
});

describe("the request that makes the bucket", () => {
    it("is signed, verifies the server and names the bucket", () => {
        const request = renderBucketRequest("192.0.2.20", "backups", credentials);
        assert.match(request, /^url = "https:\/\/192\.0\.2\.20:9000\/backups"$/m);
        assert.match(request, /^request = "PUT"$/m);
        assert.match(request, /^user = "KEY:SECRET"$/m);
        assert.match(request, /^aws-sigv4 = "aws:amz:us-east-1:s3"$/m);
        assert.match(request, /^cacert = "\/etc\/object-store\/authority.pem"$/m);
        assert.doesNotMatch(request, /insecure/);
    });
});
