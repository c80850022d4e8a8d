import * as grpc from "@grpc/grpc-js";
import { EngineClient } from "@pulumi/pulumi/proto/engine_grpc_pb";
import { LogRequest, LogSeverity } from "@pulumi/pulumi/proto/engine_pb";
import { CHANNEL_OPTIONS } from "./rpc";

/** Messages to the person at the terminal, through the engine that started this plugin. */
export class EngineLog {
    private client: EngineClient | undefined;
    private readonly lastStatus = new Map<string, string>();

    connect(address: string): void {
        if (address) this.client = new EngineClient(address, grpc.credentials.createInsecure(), CHANNEL_OPTIONS);
    }

    info(message: string, urn = ""): void {
        this.send(LogSeverity.INFO, message, urn, false);
    }

    warn(message: string, urn = ""): void {
        this.send(LogSeverity.WARNING, message, urn, false);
    }

    /** What is going on right now with one resource; the engine shows the latest and keeps none. */
    status(message: string, urn: string): void {
        if (this.lastStatus.get(urn) === message) return;
        this.lastStatus.set(urn, message);
        this.send(LogSeverity.INFO, message, urn, true);
    }

    clearStatus(urn: string): void {
        if (this.lastStatus.delete(urn)) this.send(LogSeverity.INFO, "", urn, true);
    }

    private send(severity: LogSeverity, message: string, urn: string, ephemeral: boolean): void {
        if (!this.client) return;
        const request = new LogRequest();
        request.setSeverity(severity);
        request.setMessage(message);
        request.setUrn(urn);
        request.setEphemeral(ephemeral);
        // A lost message must not fail the operation it is about.
        this.client.log(request, () => undefined);
    }
}
