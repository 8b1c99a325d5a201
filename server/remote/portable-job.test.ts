import { expect, it } from "vitest";
import { places, type Root, toLocal, toPortable } from "./portable-job.ts";

const roots: Root[] = [
  ["/srv/models/tiny", places.model],
  ["/srv/data/runs/1", places.output],
  ["/srv/data/runs/1/snapshot.jsonl", `${places.inputs}/0/snapshot.jsonl`],
];
const job = {
  model: "/srv/models/tiny",
  snapshot: "/srv/data/runs/1/snapshot.jsonl",
  outputDir: "/srv/data/runs/1",
  nested: { list: ["/srv/data/runs/1/adapter", 3, null, true, "words / words"] },
};

it("puts names in for the folders of a machine, the longest that fits, and another machine's back in", () => {
  const portable = toPortable(job, roots);
  expect(portable).toEqual({
    model: "rejoinder:model",
    snapshot: "rejoinder:inputs/0/snapshot.jsonl",
    outputDir: "rejoinder:output",
    nested: { list: ["rejoinder:output/adapter", 3, null, true, "words / words"] },
  });
  const there: Root[] = [
    ["/m", places.model],
    ["/w/out", places.output],
    ["/w/in", places.inputs],
  ];
  expect(toLocal(portable, there)).toEqual({
    model: "/m",
    snapshot: "/w/in/0/snapshot.jsonl",
    outputDir: "/w/out",
    nested: { list: ["/w/out/adapter", 3, null, true, "words / words"] },
  });
});

it("refuses a path that no other machine has, and names where it stands", () => {
  // Its name begins like the output folder's, but it is another folder.
  const stray = { ...job, nested: { reward: "/srv/data/runs/10/reward" } };
  expect(() => toPortable(stray, roots)).toThrow(/nested\.reward is a path of this machine/);
});
