import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFolderArtifacts } from "./folder.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rejoinder-artifacts-"));
  mkdirSync(join(folder, "source", "deep"), { recursive: true });
  writeFileSync(join(folder, "source", "deep", "weights"), "abc");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("a folder that was put in comes back with its files, independent of the source", async () => {
  const artifacts = createFolderArtifacts(join(folder, "store"));
  await artifacts.put("adapters/2", join(folder, "source"));
  writeFileSync(join(folder, "source", "deep", "weights"), "changed");
  const local = await artifacts.fetch("adapters/2");
  expect(readFileSync(join(local, "deep", "weights"), "utf8")).toBe("abc");
  expect(await artifacts.has("adapters/2")).toBe(true);
  await artifacts.remove("adapters/2");
  expect(await artifacts.has("adapters/2")).toBe(false);
});

test("a key that is taken is refused and keeps its content", async () => {
  const artifacts = createFolderArtifacts(join(folder, "store"));
  await artifacts.put("a/1", join(folder, "source"));
  await expect(artifacts.put("a/1", join(folder, "source"))).rejects.toThrow("exists already");
});

test("a copy that fails leaves nothing behind", async () => {
  const artifacts = createFolderArtifacts(join(folder, "store"));
  await expect(artifacts.put("a/1", join(folder, "absent"))).rejects.toThrow("Cannot store");
  expect(readdirSync(join(folder, "store"))).toEqual(["a"]);
  await expect(artifacts.fetch("a/1")).rejects.toThrow("There is no artifact a/1");
});

test("keys that would leave the store are refused", async () => {
  const artifacts = createFolderArtifacts(join(folder, "store"));
  for (const key of ["../x", "a/../../x", "/etc", "a//b", ""]) {
    await expect(artifacts.put(key, join(folder, "source"))).rejects.toThrow("artifact key");
  }
  expect(existsSync(join(folder, "x"))).toBe(false);
});

test("one file of an artifact can be replaced, and no other path", async () => {
  const artifacts = createFolderArtifacts(join(folder, "store"));
  writeFileSync(join(folder, "source", "manifest"), "as it was made");
  await artifacts.put("a/1", join(folder, "source"));
  const local = await artifacts.fetch("a/1");
  await artifacts.amend("a/1", "manifest", "amended");
  expect(readFileSync(join(local, "manifest"), "utf8")).toBe("amended");
  expect(readdirSync(local).sort()).toEqual(["deep", "manifest"]);
  await expect(artifacts.amend("a/1", "absent", "x")).rejects.toThrow("ENOENT");
  await expect(artifacts.amend("a/1", "../../escaped", "x")).rejects.toThrow("ENOENT");
});
