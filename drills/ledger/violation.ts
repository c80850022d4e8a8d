/** Something that must not be after a round. */
export interface Violation {
    kind:
        /** Acknowledged and not there. */
        | "lost"
        | "duplicated"
        /** Refused and there all the same. */
        | "phantom"
        /** There, and nobody wrote it. */
        | "foreign"
        /** A part of a transaction is there without the rest. */
        | "torn"
        | "money"
        /** A counter shows less than what was acknowledged before it was read. */
        | "went-back"
        | "too-many"
        /** A standby holds other rows than the primary. */
        | "diverged"
        /** A standby does not come to hold what the primary does. */
        | "behind"
        /** An anomaly of Adya's, as in findAnomalies. */
        | "internal"
        | "incompatible-order"
        | "G0"
        | "G1a"
        /** The same of a write whose client was told neither that it is there nor that it is not. */
        | "G1a-unknown"
        | "G1b"
        | "G1c"
        | "G-single"
        | "lost-update";
    id: number;
    detail: string;
}
