/** Everything that crosses the wire between server and pages, by subject. The client imports only this. */
export * from "./adapters.ts";
export * from "./annotation.ts";
export * from "./chat.ts";
export * from "./common.ts";
export * from "./exchanges.ts";
export * from "./operations.ts";
export * from "./training.ts";
