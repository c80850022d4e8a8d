import { PostgresHA } from "./components/postgres-ha";
import { readStackConfig } from "./stacks/config";
import { stackOutputs, type StackOutputs } from "./stacks/outputs";

export = async (): Promise<StackOutputs> => stackOutputs(new PostgresHA("postgres", await readStackConfig()));
