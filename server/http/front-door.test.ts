import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMetrics } from "../metrics.ts";
import { createFrontDoor, type FrontDoor } from "./front-door.ts";

let door: FrontDoor;
let http: Server;
let url: string;
let logged: string[];

beforeEach(async () => {
  logged = [];
  door = createFrontDoor(pino({ level: "debug" }, { write: (line: string) => logged.push(line) }), createMetrics());
  http = createServer(door.app);
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterEach(() => {
  http.closeAllConnections();
  http.close();
});

const statuses = (...paths: string[]) => Promise.all(paths.map(async (path) => (await fetch(url + path)).status));

test("it lives at once, and is ready only while it is open", async () => {
  expect(await statuses("/healthz", "/readyz", "/api/status")).toEqual([200, 503, 503]);
  const starting = await fetch(`${url}/v1/models`);
  expect(starting.headers.get("retry-after")).toBe("1");
  expect(await starting.json()).toMatchObject({ error: { code: "starting", type: "server_error" } });
  door.open((_request, response) => response.json({ served: true }));
  expect(await statuses("/healthz", "/readyz", "/api/status")).toEqual([200, 200, 200]);
  door.shut();
  expect(await statuses("/healthz", "/readyz", "/api/status")).toEqual([200, 503, 503]);
});

test("an unforeseen error is logged whole and told as nothing but internal", async () => {
  door.open(() => {
    throw new Error("secret path");
  });
  const response = await fetch(`${url}/api/x`);
  expect(response.status).toBe(500);
  expect(await response.json()).toEqual({
    error: { code: "internal", message: "Something went wrong on the server." },
  });
  expect(logged.join("")).toContain("secret path");
});
