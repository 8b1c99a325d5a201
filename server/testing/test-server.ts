/** The whole server around a scripted engine, on a free port, with a store in memory. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { io, type Socket } from "socket.io-client";
import type { Engine } from "../../engine/types.ts";
import { assemble } from "../assemble.ts";
import type { Scorer } from "../chat/scorer.ts";
import { type Config, readConfig } from "../config.ts";
import { createFrontDoor } from "../http/front-door.ts";
import { createMetrics } from "../metrics.ts";
import type { ChatClientEvents, ChatServerEvents } from "../protocol/index.ts";
import { createSocketServer } from "../sockets/server.ts";
import { openStore, type Store } from "../store/index.ts";
import { createScriptedEngine, type ScriptedEngine } from "./scripted-engine.ts";

export type ChatSocket = Socket<ChatServerEvents, ChatClientEvents>;

/** Toxicity is the share of the word "bad". */
function share(text: string): number {
  const words = text.split(/\s+/).filter((word) => word !== "");
  return words.length === 0 ? 0 : words.filter((word) => word === "bad").length / words.length;
}

/** A reply that `wordScorer` fails on. */
export const unscorable = "unscorable";

export const wordScorer: Scorer = {
  name: "words",
  version: "1",
  async judge({ messages, reply }) {
    if (reply === unscorable) throw new Error("the reward model died");
    const toxicity = share(reply);
    return {
      toxicity: { prompt: share(messages.at(-1)?.content ?? ""), reply: toxicity, attributes: { TOXICITY: toxicity } },
      reward: { version: "1", total: 1 - toxicity, terms: { toxicity: 1 - toxicity } },
    };
  },
  attributes: async (text) => ({ TOXICITY: share(text), INSULT: 0 }),
};

export interface TestServer {
  url: string;
  engine: ScriptedEngine;
  store: Store;
  /** Everything that was logged, at every level. */
  logged: string[];
  connect(auth?: Record<string, string>): Promise<ChatSocket>;
  close(): Promise<void>;
}

/** Real parts in the place of those made for tests; who hands them in closes them. */
export interface TestServerParts {
  engine?: Engine;
  scorer?: Scorer;
  store?: Store;
  watchEveryMs?: number;
}

export async function startTestServer(
  change: Partial<Config> = {},
  graceMs?: number,
  parts: TestServerParts = {},
): Promise<TestServer> {
  const dataDir = mkdtempSync(join(tmpdir(), "rejoinder-server-"));
  const config: Config = { ...readConfig({}), dataDir, modelDir: dataDir, ...change };
  const engine = createScriptedEngine();
  const store = parts.store ?? (await openStore(":memory:"));
  const logged: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => logged.push(line) });
  const metrics = createMetrics();
  const door = createFrontDoor(log, metrics);
  const http = createServer(door.app);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const sockets = createSocketServer();
  const assembly = await assemble({
    config,
    version: "test",
    store,
    engine: parts.engine ?? engine,
    scorer: parts.scorer ?? wordScorer,
    rejudge: (logged) => logged,
    sockets,
    metrics,
    log,
    graceMs,
    watchEveryMs: parts.watchEveryMs,
  });
  sockets.attach(http);
  door.open(assembly.routes);
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const clients: ChatSocket[] = [];
  return {
    url,
    engine,
    store,
    logged,
    async connect(auth) {
      const socket: ChatSocket = io(`${url}/chat`, {
        transports: ["websocket"],
        forceNew: true,
        ...(auth && { auth }),
      });
      clients.push(socket);
      await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
      return socket;
    },
    async close() {
      for (const client of clients) client.disconnect();
      await assembly.close();
      http.closeAllConnections();
      await sockets.close();
      if (parts.store === undefined) await store.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}
