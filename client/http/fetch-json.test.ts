import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fetchJson } from "./fetch-json.ts";

const server = createServer((request, response) => {
  const answer = (status: number, body: string) => {
    response.writeHead(status);
    response.end(body);
  };
  if (request.url === "/ours") answer(409, JSON.stringify({ error: { code: "busy", message: "A run is under way." } }));
  else if (request.url === "/proxy") answer(502, "<h1>Bad gateway</h1>");
  else answer(200, JSON.stringify({ method: request.method, type: request.headers["content-type"] ?? null }));
});
let origin = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

it("returns the body, and sends one as JSON", async () => {
  expect(await fetchJson(`${origin}/`)).toEqual({ method: "GET", type: null });
  const posted = await fetchJson(`${origin}/`, { method: "POST", body: { reason: "better" } });
  expect(posted).toEqual({ method: "POST", type: "application/json" });
});

it("throws the server's own code and message", async () => {
  const error = { status: 409, code: "busy", message: "A run is under way." };
  await expect(fetchJson(`${origin}/ours`)).rejects.toMatchObject(error);
});

it("names the status when the answer is not the server's", async () => {
  const error = { code: "unexpected", message: "The server answered 502 Bad Gateway." };
  await expect(fetchJson(`${origin}/proxy`)).rejects.toMatchObject(error);
});
