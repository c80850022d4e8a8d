import assert from "node:assert/strict";
import fc from "fast-check";
import { postgresBytes, quantityBytes } from "../../components/quantity";

describe("sizes", () => {
    it("are read in Kubernetes' binary units", () => {
        assert.equal(quantityBytes("1Ki"), 1024);
        assert.equal(quantityBytes("512Mi"), 512 * 1024 ** 2);
        assert.equal(quantityBytes("10Gi"), 10 * 1024 ** 3);
        assert.equal(quantityBytes("2Ti"), 2 * 1024 ** 4);
    });

    it("are read in PostgreSQL's units, which are binary, too", () => {
        assert.equal(postgresBytes("8kB"), 8192);
        assert.equal(postgresBytes("256MB"), 256 * 1024 ** 2);
        assert.equal(postgresBytes("4GB"), 4 * 1024 ** 3);
        assert.equal(postgresBytes("1TB"), 1024 ** 4);
    });

    it("grow with their number", () => {
        fc.assert(fc.property(fc.nat(1e6), (count) => quantityBytes(`${count}Mi`) === count * 2 ** 20));
    });

    it("are none with the other system's unit, a fraction, a sign, a space or no unit", () => {
        for (const text of ["10GB", "10gi", "1.5Gi", "-1Gi", "10 Gi", "10", "Gi", "", "10Gi ", "10constructor"]) {
            assert.equal(quantityBytes(text), undefined, text);
        }
        for (const text of ["10Gi", "256mb", "0.5GB", "256 MB", "256", "", "1toString"]) {
            assert.equal(postgresBytes(text), undefined, text);
        }
    });
});
