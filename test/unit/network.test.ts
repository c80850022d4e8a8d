import assert from "node:assert/strict";
import fc from "fast-check";
import {
    addressIn,
    contains,
    etcdMemberAddress,
    formatIpv4,
    instanceAddress,
    overlap,
    parseCidr,
    parseIpv4,
} from "../../components/network";

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const block = fc
    .tuple(address, fc.integer({ min: 0, max: 32 }))
    .map(([start, prefix]) => ({ base: start - (start % 2 ** (32 - prefix)), prefix }));

describe("IPv4 arithmetic", () => {
    it("reads back every address it writes", () => {
        fc.assert(fc.property(address, (number) => parseIpv4(formatIpv4(number)) === number));
    });

    it("reads addresses as numbers and refuses what is none", () => {
        assert.equal(parseIpv4("10.43.0.1"), 0x0a2b0001);
        assert.equal(parseIpv4("255.255.255.255"), 2 ** 32 - 1);
        for (const text of [
            "",
            "10.43.0",
            "10.43.0.256",
            "10.43.0.1.2",
            "10.43.0.x",
            " 10.43.0.1",
            "10.43.0.1\n",
            "-1.0.0.0",
        ]) {
            assert.equal(parseIpv4(text), undefined, JSON.stringify(text));
        }
    });

    it("reads back every block it writes", () => {
        fc.assert(
            fc.property(block, ({ base, prefix }) => {
                assert.deepEqual(parseCidr(`${formatIpv4(base)}/${prefix}`), { base, prefix });
            }),
        );
    });

    it("refuses blocks with host bits, without a length, or with one above 32", () => {
        for (const text of [
            "10.43.0.1/16",
            "10.43.0.0",
            "10.43.0.0/",
            "10.43.0.0/33",
            "10.43.0.0/16/8",
            "10.43.0.0/-1",
            "/16",
        ]) {
            assert.equal(parseCidr(text), undefined, text);
        }
    });

    it("holds its first and last address and not those beside them", () => {
        fc.assert(
            fc.property(block, (cidr) => {
                const size = 2 ** (32 - cidr.prefix);
                assert.ok(contains(cidr, cidr.base) && contains(cidr, cidr.base + size - 1));
                assert.ok(!contains(cidr, cidr.base - 1) && !contains(cidr, cidr.base + size));
            }),
        );
    });

    it("finds overlaps the same way round both ways, and of every block with itself", () => {
        fc.assert(fc.property(block, block, (a, b) => overlap(a, b) === overlap(b, a) && overlap(a, a)));
        const cidr = (text: string) => parseCidr(text) ?? assert.fail(text);
        assert.ok(overlap(cidr("10.0.0.0/8"), cidr("10.43.0.0/16")));
        assert.ok(!overlap(cidr("10.42.0.0/16"), cidr("10.43.0.0/16")));
    });

    it("refuses an address outside the block", () => {
        assert.equal(addressIn("10.43.0.0/30", 3), "10.43.0.3");
        assert.throws(() => addressIn("10.43.0.0/30", 4), /10\.43\.0\.0\/30 has no address number 4/);
        assert.throws(() => addressIn("nonsense", 0), /nonsense has no address number 0/);
    });
});

describe("fixed Service addresses", () => {
    it("are where the design puts them", () => {
        assert.equal(etcdMemberAddress("10.43.0.0/16", 0), "10.43.0.32");
        assert.equal(instanceAddress("10.43.0.0/16", 2), "10.43.0.66");
    });

    it("never collide with each other, the API (.1) or DNS (.10), at the largest sizes, in any /16", () => {
        fc.assert(
            fc.property(fc.integer({ min: 0, max: 255 }), (second) => {
                const cidr = `10.${second}.0.0/16`;
                const etcd = Array.from({ length: 7 }, (_, index) => etcdMemberAddress(cidr, index));
                const instances = Array.from({ length: 9 }, (_, index) => instanceAddress(cidr, index));
                const all = [...etcd, ...instances, `10.${second}.0.1`, `10.${second}.0.10`];
                assert.equal(new Set(all).size, all.length);
                // The part of a /16 that Kubernetes hands out by itself only when nothing else is left.
                assert.ok(all.every((text) => text.startsWith(`10.${second}.0.`)));
            }),
        );
    });
});
