import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { type ApiClient, findServer, serverUrl } from "./api-client.ts";

/** Options that every command which works on a server or its data has. */
export interface PlaceOptions {
  json: boolean;
  host: string;
  port: number;
  dataDir: string;
  /** Work on the data folder although a server may be running. */
  direct: boolean;
}

export function parseCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError(`Expected a whole number, got "${text}".`);
  return Number(text);
}

export function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65535) throw new InvalidArgumentError(`Expected a port of at most 65535, got ${port}.`);
  return port;
}

export function jsonOption(): Option {
  return new Option("--json", "print the result as JSON").default(false);
}

/** Adds --json and where to work: a running server first, else its data folder. */
export function withPlace(command: Command): Command {
  return command
    .addOption(jsonOption())
    .addOption(new Option("--host <address>", "address of the running server").env("HOST").default("127.0.0.1"))
    .addOption(
      new Option("--port <number>", "port of the running server").env("PORT").argParser(parsePort).default(3000),
    )
    .addOption(
      new Option("--data-dir <folder>", "data folder to work on when no server answers")
        .env("DATA_DIR")
        .argParser((folder) => resolve(folder))
        .default(resolve("data"), "./data"),
    )
    .addOption(new Option("--direct", "work on the data folder, whether or not a server answers").default(false));
}

/** The running server, or null when the command has to work on the data folder itself. */
export async function runningServer(options: PlaceOptions): Promise<ApiClient | null> {
  return options.direct || options.port === 0 ? null : findServer(serverUrl(options.host, options.port));
}
