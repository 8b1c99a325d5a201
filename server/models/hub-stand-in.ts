/** Test support: a server on this machine that answers as the Hugging Face Hub does, and breaks off where it is told. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface StandIn {
  url: string;
  /** Path, Range header and Authorization of each request for a file, in order. */
  requests: { path: string; range: string | undefined; authorization: string | undefined }[];
  /** Content by path; `lfs` files are listed with their sha256, others with git's hash. */
  files: Map<string, { content: Buffer; lfs: boolean }>;
  /** How many bytes a connection brings before it breaks off, a file's connections in turn; then all of it. */
  drops: Map<string, number[]>;
  /** Answers that are not the file. */
  statuses: Map<string, number>;
  /** False for a server that knows no ranges. */
  ranges: boolean;
  close(): Promise<void>;
}

export const standInModel = "maker/model";
export const standInCommit = "0123456789abcdef0123456789abcdef01234567";

export async function startStandIn(): Promise<StandIn> {
  const standIn: Omit<StandIn, "url" | "close"> = {
    requests: [],
    files: new Map(),
    drops: new Map(),
    statuses: new Map(),
    ranges: true,
  };
  const server = createServer((request, response) => answer(standIn, request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(standIn, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  });
}

function answer(standIn: Omit<StandIn, "url" | "close">, request: IncomingMessage, response: ServerResponse): void {
  const { pathname } = new URL(request.url ?? "/", "http://127.0.0.1");
  const json = (value: unknown, status = 200) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  const path = pathname.replace(`/${standInModel}/resolve/${standInCommit}/`, "");
  const { range, authorization } = request.headers;
  if (path !== pathname) standIn.requests.push({ path, range, authorization });
  const refused = standIn.statuses.get(pathname);
  if (refused !== undefined) return void json({ error: "refused" }, refused);
  if (pathname === `/api/models/${standInModel}/revision/main`) {
    return void json({ _id: "1", id: standInModel, sha: standInCommit, private: false, lastModified: "2026-01-01" });
  }
  if (pathname === `/api/models/${standInModel}/tree/${standInCommit}`) {
    return void json(
      [...standIn.files].map(([path, { content, lfs }]) => ({
        type: "file",
        path,
        size: content.length,
        oid: createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex"),
        ...(lfs
          ? { lfs: { oid: createHash("sha256").update(content).digest("hex"), size: content.length, pointerSize: 130 } }
          : {}),
      })),
    );
  }
  const file = standIn.files.get(path);
  if (file === undefined || path === pathname) return void json({ error: "Not found" }, 404);
  const start = standIn.ranges && range !== undefined ? Number(/^bytes=(\d+)-$/.exec(range)?.[1]) : 0;
  const body = file.content.subarray(start);
  const partial = standIn.ranges && range !== undefined;
  response.writeHead(partial ? 206 : 200, {
    "content-length": body.length,
    ...(partial ? { "content-range": `bytes ${start}-${file.content.length - 1}/${file.content.length}` } : {}),
  });
  const drop = standIn.drops.get(path)?.shift();
  if (drop === undefined) response.end(body);
  // The bytes leave first, then the connection ends in the middle of what was announced.
  else response.write(body.subarray(0, drop), () => setTimeout(() => response.destroy(), 20));
}
