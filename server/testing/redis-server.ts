/** A real redis-server of a test's own, on a free port and in a folder that goes with it. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TestRedis {
  url: string;
  /** As after a power cut; what it had acknowledged is in its log. */
  kill(): Promise<void>;
  /** On the same port, with what it kept. */
  start(): Promise<void>;
  /** Ends it and drops what it kept. */
  dispose(): Promise<void>;
}

export function hasRedisServer(): boolean {
  const found = spawnSync("redis-server", ["--version"]).status === 0;
  if (!found) console.warn("SKIPPED: there is no redis-server on this machine (Debian: apt-get install redis-server)");
  return found;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}

export async function startRedis(password?: string): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), "rejoinder-redis-"));
  const port = await freePort();
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const flags = ["--bind", "127.0.0.1", "--port", String(port), "--dir", folder, "--save", "", "--daemonize", "no"];
    const durable = ["--appendonly", "yes", "--appendfsync", "always"];
    const secret = password === undefined ? [] : ["--requirepass", password];
    const started = spawn("redis-server", [...flags, ...durable, ...secret], { stdio: ["ignore", "pipe", "inherit"] });
    child = started;
    await new Promise<void>((resolve, reject) => {
      let output = "";
      started.stdout.on("data", (chunk) => {
        output += chunk;
        if (output.includes("Ready to accept connections")) resolve();
      });
      started.once("exit", (code) => reject(new Error(`redis-server ended with code ${code}:\n${output}`)));
    });
  }

  async function kill(): Promise<void> {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  await start();
  return {
    url: `redis://${password === undefined ? "" : `:${encodeURIComponent(password)}@`}127.0.0.1:${port}`,
    kill,
    start,
    async dispose() {
      await kill();
      rmSync(folder, { recursive: true });
    },
  };
}
