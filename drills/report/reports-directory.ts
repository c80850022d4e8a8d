import { join } from "node:path";
import { checkout } from "../../offline/checkout";

/** Not below .state, which `make down` removes: what was measured outlives the stack. */
export const reportsDirectory = (kind: "drills" | "bench"): string => join(checkout, "reports", kind);
