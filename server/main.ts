/** Starts the server: listens at once, loads what it serves, says when it is ready, and ends in order on a signal. */

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pino from "pino";
import type { Server as SocketServer } from "socket.io";
import { assemble } from "./assemble.ts";
import { loadJudge } from "./chat/load-judge.ts";
import { type Config, readConfig, SettingError } from "./config.ts";
import { createFrontDoor } from "./http/front-door.ts";
import { createMetrics } from "./metrics.ts";
import { createSocketServer } from "./sockets/server.ts";
import { startEngine } from "./start-engine.ts";
import { openStore } from "./store/index.ts";

export interface RunningServer {
  url: string;
  /** Resolves with the cause should engine or database stop working; the server has then stopped taking work. */
  failure: Promise<Error>;
  /** Lets replies under way end (at most 10 s), then frees port, engine and database. */
  close(): Promise<void>;
}

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

async function listen(http: HttpServer, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    http.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "something else listens there already" : cause.message;
      reject(new SettingError(`PORT=${port}, HOST=${host}: cannot listen: ${why}.`, { cause }));
    });
    http.listen(port, host, resolve);
  });
  const { address, family, port: bound } = http.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${bound}`;
}

/** Answers that have ended get a moment to reach their clients; whatever is open then is cut. */
async function closeConnections(http: HttpServer, sockets: SocketServer): Promise<void> {
  const force = setTimeout(() => http.closeAllConnections(), 500);
  await sockets.close();
  clearTimeout(force);
}

/** Resolves once replies can be generated. @throws with everything freed again when a part cannot be loaded */
export async function startServer(config: Config): Promise<RunningServer> {
  // Standard output is left to the line that says where we listen.
  const log = pino({ level: config.logLevel }, pino.destination({ dest: 2, sync: true }));
  const metrics = createMetrics();
  const door = createFrontDoor(log, metrics);
  const http = createServer(door.app);
  const { promise: failure, resolve: reportFailure } = Promise.withResolvers<Error>();
  const fail = (cause: Error) => {
    log.fatal({ err: cause }, "the server cannot go on");
    door.shut();
    reportFailure(cause);
  };
  // What has been opened so far, to be freed in reverse.
  const opened: (() => Promise<unknown>)[] = [];
  async function free(): Promise<void> {
    for (const dispose of opened.reverse().splice(0)) await dispose();
  }

  try {
    const url = await listen(http, config.port, config.host);
    opened.push(async () => http.close());
    const store = await openStore(join(config.dataDir, "rejoinder.sqlite"), fail);
    opened.push(() => store.close());
    const cut = await store.exchanges.cutAllStreaming(new Date());
    if (cut > 0)
      log.warn({ replies: cut }, "replies were cut when the server last died; they are marked and never train");

    const loadingEngine = startEngine(config, fail);
    opened.push(async () => (await loadingEngine.catch(() => null))?.close());
    const loadingJudge = loadJudge(config.reward);
    opened.push(async () => (await loadingJudge.catch(() => null))?.close());
    const [engine, judge] = await Promise.all([loadingEngine, loadingJudge]);

    const sockets = createSocketServer();
    let attached = false;
    opened.push(async () => attached && closeConnections(http, sockets));
    const { scorer, rejudge } = judge;
    const assembly = await assemble({ config, version, store, engine, scorer, rejudge, sockets, metrics, log });
    opened.push(() => assembly.close());
    sockets.attach(http);
    attached = true;
    door.open(assembly.routes);
    log.info(
      { url, model: engine.model.id, reward: scorer.name, threads: config.threads, device: config.device },
      "ready",
    );
    return {
      url,
      failure,
      async close() {
        log.info("shutting down");
        door.shut();
        await free();
      },
    };
  } catch (error) {
    await free();
    throw error;
  }
}

/** What went wrong and why, one line a cause; stacks are for LOG_LEVEL=debug. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const verbose = process.env.LOG_LEVEL === "debug" || process.env.LOG_LEVEL === "trace";
  const said = verbose ? (error.stack ?? error.message) : error.message;
  return error.cause === undefined || error instanceof SettingError
    ? said
    : `${said}\n  because: ${explain(error.cause)}`;
}

async function main(): Promise<void> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  try {
    const server = await startServer(readConfig(process.env, process.argv.slice(2)));
    console.log(`Rejoinder is listening on ${server.url}`);
    const stopped = stop.signal.aborted ? null : once(stop.signal, "abort").then(() => null);
    const failure = await Promise.race([stopped, server.failure]);
    if (failure === null) {
      await server.close();
      process.exit(0);
    }
    // Whoever watches over this process starts it anew; what was acknowledged is on the disk. Some parts may not close.
    console.error(`Rejoinder stops: ${failure.message}`);
    await Promise.race([server.close().catch(() => {}), sleep(10_000)]);
    process.exit(1);
  } catch (error) {
    console.error(`Rejoinder cannot start: ${explain(error)}`);
    process.exit(1);
  }
}

if (import.meta.main) await main();
