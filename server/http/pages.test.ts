import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import express from "express";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPages } from "./pages.ts";

let folder: string;
let http: Server;
let url: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-pages-"));
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), "<title>Rejoinder</title>");
  writeFileSync(join(folder, "assets", "index-1a2b.js"), "let x;");
  const app = express().use(createPages(folder));
  http = await new Promise((resolve) => {
    const server: Server = app.listen(0, "127.0.0.1", () => resolve(server));
  });
  url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
});
afterAll(() => {
  http.closeAllConnections();
  http.close();
  rmSync(folder, { recursive: true });
});

const open = (path: string) => fetch(url + path, { headers: { accept: "text/html,*/*" } });

test.each(["/", "/operate", "/chat/some-id", "/annotate?queue=1"])("%s is a page of the client", async (path) => {
  const response = await open(path);
  expect([response.status, await response.text()]).toEqual([200, "<title>Rejoinder</title>"]);
  expect(response.headers.get("cache-control")).toBe("no-cache");
});

test("built files are kept for good, and a missing one or an interface is no page", async () => {
  const file = await open("/assets/index-1a2b.js");
  expect(file.headers.get("cache-control")).toContain("immutable");
  for (const path of ["/assets/index-old.js", "/api/nothing", "/v1/nothing"]) {
    expect((await open(path)).status).toBe(404);
  }
  expect((await fetch(`${url}/operate`, { headers: { accept: "application/json" } })).status).toBe(404);
});
